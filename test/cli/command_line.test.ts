import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBalsa, startNode } from "./run_balsa.ts";

describe("balsa", () => {
  const TEXTS: [string[], RegExp][] = [
    [["version"], /^balsa \d+\.\d+\.\d+ \(commands of Redis [\d.]+; bun [\d.]+\)\n$/],
    [["--version"], /^balsa \d/],
    [["--help"], /balsa serve .*\n.*balsa dev .*\n(.*\n)*.*balsa version/],
    [["help"], /Usage: balsa/],
    [["help", "cli"], /Usage: balsa cli/],
    [["serve", "--help"], /--http-port PORT/],
    [["--port", "1", "--help"], /--http-port PORT/],
    [["cli", "--help"], /-p, --port PORT/],
    [["version", "--help"], /Usage: balsa version/],
    [["dev", "--help"], /--nodes N/],
  ];
  for (const [args, pattern] of TEXTS) {
    test(`${args.join(" ")} prints to standard output`, async () => {
      const { code, stdout, stderr } = await runBalsa(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(pattern);
    });
  }

  const REFUSED: [string[], string][] = [
    [["serv"], 'balsa: unknown command "serv" (did you mean serve?)\n'],
    [["xyzzy"], 'balsa: unknown command "xyzzy" (balsa --help lists the commands)\n'],
    [["serve", "now"], "balsa: serve takes flags only: now\n"],
    [["--prot", "1"], "balsa: unknown flag --prot (did you mean --port?)\n"],
    [["cli", "-q"], "balsa: unknown flag -q (--help lists the flags)\n"],
    [["version", "x"], "balsa: version takes no argument: x\n"],
  ];
  for (const [args, message] of REFUSED) {
    test(`${args.join(" ")} is refused with one line and code 2`, async () => {
      expect(await runBalsa(args)).toEqual({ code: 2, stdout: "", stderr: message });
    });
  }

  test("without a password off loopback it does not start", async () => {
    const { code, stdout, stderr } = await runBalsa(["--host", "0.0.0.0"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^balsa: --host 0\.0\.0\.0 .*--password.*--insecure.*\n$/);
  });

  test("a port in use is told in one line, code 1", async () => {
    const directory = mkdtempSync(join(tmpdir(), "balsa-cli-"));
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const flags = ["--data", directory, "--port", String(port), "--http-port", "0"];
    const { code, stderr } = await runBalsa(["serve", ...flags]);
    other.close();
    rmSync(directory, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toContain(`127.0.0.1:${port}`);
    expect(stderr).toContain("--port, --http-port and --peer-port choose others");
    expect(stderr.trim().split("\n").filter((line) => line.includes("error")).length).toBe(1);
  });
});

describe("balsa serve", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`prints where it listens and stops in order on ${signal}`, async () => {
      const { node, output, respPort, httpPort, dispose } = await startNode();
      try {
        expect(respPort).toBeGreaterThan(0);
        expect(httpPort).toBeGreaterThan(0);
        expect(output).toContain(`  redis-cli -h 127.0.0.1 -p ${respPort} SET hello world\n`);
        expect(output).toMatch(/^peers on 127\.0\.0\.1:\d+$/m);
        expect(output).toContain(`  curl http://127.0.0.1:${httpPort}/get/hello\n`);
        node.kill(signal);
        expect((await node.ended).code).toBe(0);
      } finally {
        await dispose();
      }
    });
  }

  test("a signal that arrives twice at once, as from npm, still stops in order", async () => {
    const { node, dispose } = await startNode();
    try {
      node.kill("SIGINT");
      node.kill("SIGTERM");
      expect((await node.ended).code).toBe(0);
    } finally {
      await dispose();
    }
  });

  test("the environment sets the password, which no line shows", async () => {
    const { node, output, respPort, httpPort, dispose } = await startNode(
      ["--log-level", "debug"],
      { BALSA_PASSWORD: "hunter2" },
    );
    try {
      expect(output).toContain(`-p ${respPort} -a PASSWORD SET hello world`);
      expect(output).toContain("curl -H 'Authorization: Bearer TOKEN' ");
      const url = `http://127.0.0.1:${httpPort}/ping`;
      expect((await fetch(url)).status).toBe(401);
      const headers = { Authorization: "Bearer hunter2" };
      expect(await (await fetch(url, { headers })).json()).toEqual({ result: "PONG" });
      node.kill("SIGTERM");
      const { code, stdout, stderr } = await node.ended;
      expect(code).toBe(0);
      expect(stdout + stderr).not.toContain("hunter2");
    } finally {
      await dispose();
    }
  });

  test("a configuration file, and a log in JSON", async () => {
    const directory = mkdtempSync(join(tmpdir(), "balsa-cli-"));
    const file = join(directory, "balsa.json");
    writeFileSync(file, '{"log-format": "json", "maxclients": 77}');
    const { node, respPort, dispose } = await startNode(["--config", file]);
    try {
      const flags = ["-p", String(respPort), "--raw"];
      const { stdout } = await runBalsa(["cli", ...flags, "CONFIG", "GET", "maxclients"]);
      expect(stdout).toBe("maxclients\n77\n");
      node.kill("SIGTERM");
      const { stderr } = await node.ended;
      for (const line of stderr.trim().split("\n")) {
        expect(JSON.parse(line)).toMatchObject({ level: "info", message: expect.any(String) });
      }
    } finally {
      await dispose();
      rmSync(directory, { recursive: true });
    }
  });
});

describe("balsa cli", () => {
  let server: Awaited<ReturnType<typeof startNode>>;
  let flags: string[];
  beforeAll(async () => {
    server = await startNode();
    flags = ["cli", "-p", String(server.respPort)];
  });
  afterAll(() => server.dispose());

  test("runs one command, raw into a pipe and formatted on demand", async () => {
    expect(await runBalsa([...flags, "SET", "k", "vä lue"])).toMatchObject({ stdout: "OK\n" });
    expect(await runBalsa([...flags, "GET", "k"])).toMatchObject({ code: 0, stdout: "vä lue\n" });
    const formatted = await runBalsa([...flags, "--no-raw", "MGET", "k", "none"]);
    expect(formatted.stdout).toBe('1) "v\\xc3\\xa4 lue"\n2) (nil)\n');
  });

  test("an error reply makes code 1", async () => {
    const { code, stdout } = await runBalsa([...flags, "--no-raw", "INCR", "k", "x"]);
    expect(code).toBe(1);
    expect(stdout).toBe("(error) ERR wrong number of arguments for 'incr' command\n");
  });

  test("takes a value from standard input, every byte of it", async () => {
    const value = "line\n\0end";
    await runBalsa([...flags, "-x", "SET", "bytes"], {}, value);
    expect((await runBalsa([...flags, "GET", "bytes"])).stdout).toBe(value + "\n");
  });

  test("runs the lines of standard input", async () => {
    const input = 'SET a "1 2"\n\nGET a\nGET "a\nECHO end\n';
    const { code, stdout } = await runBalsa(flags, {}, input);
    expect(stdout).toBe("OK\n1 2\nInvalid argument(s)\nend\n");
    expect(code).toBe(1);
  });

  test("-n selects, -3 speaks RESP3", async () => {
    await runBalsa([...flags, "-n", "3", "SET", "third", "1"]);
    expect((await runBalsa([...flags, "EXISTS", "third"])).stdout).toBe("0\n");
    const { stdout } = await runBalsa([...flags, "-n", "3", "-3", "--no-raw", "HELLO"]);
    expect(stdout).toContain('"proto" => (integer) 3');
  });

  test("a large value goes through whole", async () => {
    const value = "x".repeat(3_000_000);
    await runBalsa([...flags, "-x", "SET", "large"], {}, value);
    expect((await runBalsa([...flags, "GET", "large"])).stdout.length).toBe(value.length + 1);
  });

  test("no server: one line that says where, code 1", async () => {
    const { code, stdout, stderr } = await runBalsa(["cli", "-p", "1", "PING"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^Could not connect to Balsa at 127\.0\.0\.1:1: .*\n$/);
  });
});
