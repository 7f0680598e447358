import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  balsaCommand,
  cleanupAll,
  DEFAULT_RUNTIME,
  freePort,
  hasProgram,
  type Runtime,
  runToEnd,
  scratchDirectory,
  startBalsa,
  until,
} from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";

afterAll(cleanupAll);

const RUNTIMES: readonly Runtime[] = ["bun", "deno", "binary", "node"];
const VALUE = "\x00\xff\r\n'\"é" + "x".repeat(5000);

test("one directory in turn by every runtime: each reads what the others wrote", async () => {
  const present = RUNTIMES.filter((runtime) => balsaCommand(runtime) !== undefined);
  console.log(
    `runtimes: ${present.join(" ")}; not here: ${
      RUNTIMES.filter((runtime) => !present.includes(runtime)).join(" ") || "none"
    }`,
  );
  const data = join(scratchDirectory(), "data");
  const written: string[] = [];
  for (const [turn, runtime] of [...present, ...present].entries()) {
    const server = await startBalsa({ runtime, data, http: false });
    const client = await RespClient.open(server.port);
    for (const key of written) expect(await client.command("GET", key)).toBe(VALUE + key);
    expect(await client.command("INCR", "turns")).toBe(turn + 1);
    const key = `by ${runtime} \xff ${turn}`;
    expect(await client.command("SET", key, VALUE + key)).toBe("OK");
    written.push(key);
    client.close();
    if (turn % 2 === 0) await server.stop();
    else await server.kill9();
  }
}, 120_000);

test.skipIf(!hasProgram("sqlite3"))(
  "sqlite3 shows the keys in plain tables while the server runs",
  async () => {
    const server = await startBalsa({ http: false });
    const client = await RespClient.open(server.port);
    await client.command("SET", "plain", "shown");
    const dump = async () =>
      (await runToEnd(["sqlite3", join(server.data, "state.db"), ".dump"])).output;
    const hex = (text: string) => Buffer.from(text, "latin1").toString("hex");
    const shown = (text: string, word: string) =>
      text.includes(word) || text.toLowerCase().includes(hex(word));
    await until(
      async () => {
        const text = await dump();
        return shown(text, "plain") && shown(text, "shown");
      },
      "the key in state.db",
      10_000,
    );
    const check = ["sqlite3", join(server.data, "state.db"), "PRAGMA integrity_check"];
    expect((await runToEnd(check)).output.trim()).toBe("ok");
    expect(await client.command("GET", "plain")).toBe("shown");
    client.close();
    await server.stop();
  },
);

/** Starts Balsa where it must refuse; its exit code and what it printed. */
async function refusedStart(args: readonly string[]): Promise<{ output: string }> {
  const command = balsaCommand(DEFAULT_RUNTIME) ?? [];
  const ports = args.includes("--port") ? [] : ["--port", "0"];
  const http = args.includes("--http-port") ? [] : ["--http-port", "0"];
  const peer = ["--peer-port", String(await freePort())];
  const words = [...command, "serve", ...ports, ...http, ...peer, ...args];
  const result = await runToEnd(words, "", 20_000);
  expect(result.signal).toBeNull();
  expect(result.code).not.toBe(0);
  expect(result.output).not.toContain("ready to accept connections");
  expect(result.output.split("\n").length).toBeLessThan(12);
  return result;
}

test("a data directory that is a file is refused and left alone", async () => {
  const file = join(scratchDirectory(), "file");
  writeFileSync(file, "precious");
  const { output } = await refusedStart(["--data", file]);
  expect(output).toContain(file);
  expect(readFileSync(file, "utf8")).toBe("precious");
});

test("a data directory below a file cannot be made", async () => {
  const file = join(scratchDirectory(), "file");
  writeFileSync(file, "precious");
  const { output } = await refusedStart(["--data", join(file, "data")]);
  expect(output).toContain(file);
});

test("a read-only place for the data directory is refused", async () => {
  const { output } = await refusedStart(["--data", "/proc/balsa"]);
  expect(output).toContain("/proc/balsa");
});

for (const name of ["log.db", "state.db"]) {
  test(`a ${name} that is no database is refused and left alone`, async () => {
    const data = scratchDirectory();
    const text = "not a database ".repeat(1000);
    writeFileSync(join(data, name), text);
    const { output } = await refusedStart(["--data", data]);
    expect(output).toContain(name);
    expect(readFileSync(join(data, name), "utf8")).toBe(text);
  });

  test.skipIf(!hasProgram("sqlite3"))(
    `a ${name} of another program is refused and left alone`,
    async () => {
      const data = scratchDirectory();
      const path = join(data, name);
      await runToEnd(["sqlite3", path, "CREATE TABLE photos(a); INSERT INTO photos VALUES (1)"]);
      const before = readFileSync(path);
      const { output } = await refusedStart(["--data", data]);
      expect(output).toContain(data);
      expect(readFileSync(path).equals(before)).toBe(true);
    },
  );
}

test("a directory with other files and nothing of Balsa is refused", async () => {
  const data = scratchDirectory();
  mkdirSync(join(data, "photos"));
  writeFileSync(join(data, "letter.txt"), "precious");
  const { output } = await refusedStart(["--data", data]);
  expect(output).toContain(data);
  expect(readFileSync(join(data, "letter.txt"), "utf8")).toBe("precious");
});

test("a transaction of another program on state.db delays it, and ends nobody", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  const other = new Database(join(server.data, "state.db"));
  other.run("BEGIN IMMEDIATE");
  // So much that it is written by the other thread.
  const rows = Array.from({ length: 20_000 }, (_, i) => [`k${i}`, "x"]).flat();
  await client.command("MSET", ...rows);
  await until(() => server.output().includes("locked state.db"), "the warning");
  expect(await client.command("INCR", "small")).toBe(1);
  other.run("ROLLBACK");
  const count = () => (other.query("SELECT count(*) AS n FROM redis").get() as { n: number }).n;
  await until(() => count() === 20_001, "the rows");
  other.close();
  client.close();
  await server.stop();
}, 120_000);

test("a second process on the same directory is refused; the first serves on", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  await client.command("SET", "a", "1");
  const { output } = await refusedStart(["--data", server.data]);
  expect(output).toContain(server.data);
  expect(await client.command("INCR", "a")).toBe(2);
  client.close();
  await server.kill9();
  const again = await startBalsa({ data: server.data, http: false });
  const reader = await RespClient.open(again.port);
  expect(await reader.command("GET", "a")).toBe("2");
  reader.close();
  await again.stop();
});

test("a port in use is refused by name", async () => {
  const server = await startBalsa();
  const fresh = () => join(scratchDirectory(), "data");
  const resp = await refusedStart(["--data", fresh(), "--port", String(server.port)]);
  expect(resp.output).toContain(String(server.port));
  const http = await refusedStart(["--data", fresh(), "--http-port", String(server.httpPort)]);
  expect(http.output).toContain(String(server.httpPort));
  await server.stop();
});

test("a password is asked for, and a wrong one refused", async () => {
  const server = await startBalsa({ http: false, args: ["--password", "secret"] });
  const client = await RespClient.open(server.port);
  const text = async (...argv: string[]) => {
    const reply = await client.command(...argv);
    return reply instanceof RespError ? reply.text : reply;
  };
  expect(await text("GET", "a")).toBe("NOAUTH Authentication required.");
  const wrong = "WRONGPASS invalid username-password pair or user is disabled.";
  expect(await text("AUTH", "wrong")).toBe(wrong);
  expect(await text("GET", "a")).toBe("NOAUTH Authentication required.");
  expect(await text("AUTH", "secret")).toBe("OK");
  expect(await text("GET", "a")).toBeNull();
  expect(server.output()).not.toContain("secret");
  client.close();
  await server.stop();
});
