import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../cli/flags.ts";
import { defaultCacheMb, isLoopback, serveConfig } from "../../cli/serve_config.ts";
import { SERVE_FLAGS } from "../../cli/serve_flags.ts";
import { memoryBytes } from "../../src/runtime/memory.ts";

function configOf(...args: string[]) {
  return serveConfig(parseCommandLine(SERVE_FLAGS, { args }).settings);
}

describe("serveConfig", () => {
  test("the defaults", () => {
    expect(configOf()).toMatchObject({
      host: "127.0.0.1",
      port: 6379,
      httpPort: 8080,
      peerPort: 16379,
      password: "",
      token: "",
      clientsMax: 10_000,
      clientIdleTimeoutMs: 0,
    });
    expect(configOf().dataDirectory).toMatch(/^\/.*\/balsa-data$/);
  });

  test("the token is the password unless it is given", () => {
    expect(configOf("--password", "p")).toMatchObject({ password: "p", token: "p" });
    expect(configOf("--password", "p", "--token", "t")).toMatchObject({ token: "t" });
    expect(configOf("--password", "p", "--token=")).toMatchObject({ token: "" });
  });

  test("a token for readers needs another one for all else", () => {
    expect(configOf("--token", "t", "--readonly-token", "r")).toMatchObject({ readonlyToken: "r" });
    expect(() => configOf("--readonly-token", "r")).toThrow("anyone may write");
    expect(() => configOf("--token", "t", "--readonly-token", "t")).toThrow("are the same");
  });

  const PORTS: [string[], object][] = [
    [["--port", "0"], { port: 0, peerPort: 0 }],
    [["--port", "60000"], { port: 60000, peerPort: 0 }],
    [["--port", "7000"], { peerPort: 17000 }],
    [["--peer-port", "5"], { peerPort: 5 }],
    [["--http-port", "0"], { httpPort: "off" }],
    [["--http-port", "auto"], { httpPort: 0 }],
  ];
  for (const [args, expected] of PORTS) {
    test(`ports of ${args.join(" ")}`, () => expect(configOf(...args)).toMatchObject(expected));
  }

  test("two listeners on one port are refused", () => {
    expect(() => configOf("--port", "8080")).toThrow("--http-port and --port are both 8080");
    expect(() => configOf("--peer-port", "6379")).toThrow("--peer-port and --port are both 6379");
  });

  for (const host of ["0.0.0.0", "::", "192.168.1.5", "example.org", "128.0.0.1", "127.evil.org"]) {
    test(`${host} without a password is refused, and the message says what to do`, () => {
      const attempt = () => configOf("--host", host);
      expect(attempt).toThrow(/--password.*BALSA_PASSWORD.*--insecure/);
      expect(configOf("--host", host, "--insecure").host).toBe(host);
      expect(configOf("--host", host, "--password", "p").host).toBe(host);
      expect(() => configOf("--host", host, "--password=")).toThrow("there is no password");
    });
  }

  test("an empty token opens HTTP: refused off loopback unless HTTP is off", () => {
    const open = ["--host", "0.0.0.0", "--password", "p", "--token="];
    expect(() => configOf(...open)).toThrow("--token is empty");
    expect(configOf(...open, "--http-port", "0").httpPort).toBe("off");
  });
});

describe("--cache-mb", () => {
  test("is a sixteenth of the machine's memory where nobody says, within bounds", () => {
    const sizes = [64, 256, 640, 1024, 24_000].map((mb) => defaultCacheMb(mb * 1024 * 1024));
    expect(sizes).toEqual([8, 16, 40, 64, 128]);
    expect(configOf("--cache-mb", "7").cacheBytes).toBe(7 * 1024 * 1024);
    expect(configOf().cacheBytes).toBe(defaultCacheMb(memoryBytes()) * 1024 * 1024);
  });
});

describe("serveConfig of a cluster node", () => {
  test("the addresses to join, in one flag or an array of a file", () => {
    expect(configOf("--join", "127.0.0.1:1, [::1]:2,db.lan:3").join)
      .toEqual(["127.0.0.1:1", "[::1]:2", "db.lan:3"]);
    const { settings } = parseCommandLine(SERVE_FLAGS, {
      args: ["--config", "f"],
      readFile: () => '{"join": ["a:1", "b:2"], "bootstrap-expect": 3, "request-timeout": "1s"}',
    });
    expect(serveConfig(settings)).toMatchObject({
      join: ["a:1", "b:2"],
      bootstrapExpect: 3,
      requestTimeoutMs: 1000,
    });
  });

  for (const join of ["", "a", "a:", "a:0", "a:65536", "a:1,", "::1:2", "a b:1", "http://a:1"]) {
    test(`--join=${join} is refused`, () => {
      expect(() => configOf(`--join=${join}`)).toThrow(/^--join: .*must be HOST:PORT/);
    });
  }

  const ADVERTISED: [string, string][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["10.0.0.1:5", "10.0.0.1:5"],
    ["[fd00::1]:5", "[fd00::1]:5"],
    ["db.lan", "db.lan"],
    ["0.0.0.10", "0.0.0.10"],
    ["[::1]:5", "[::1]:5"],
  ];
  for (const [given, expected] of ADVERTISED) {
    test(`--advertise ${given}`, () => {
      expect(configOf("--advertise", given).advertise).toBe(expected);
    });
  }

  for (
    const host of [
      "0.0.0.0",
      "::",
      "[::]",
      "[::]:5",
      "[0:0:0:0:0:0:0:0]:5",
      "0.0.0.0:5",
      "[::ffff:0.0.0.0]:5",
      "0",
      "0:5",
      "000.0.0.0",
      "0x0",
      "0.0",
      "*",
    ]
  ) {
    test(`--advertise ${host} is refused`, () => {
      expect(() => configOf("--advertise", host)).toThrow(/^--advertise: .*no address that other/);
    });
  }
  for (const host of ["fd00::1", "[fd00::1]", "", "a:", "a:b", "http://a"]) {
    test(`--advertise=${host} is no address`, () => {
      expect(() => configOf(`--advertise=${host}`)).toThrow(
        /^--advertise: .*must be HOST or HOST:/,
      );
    });
  }
  test("a wildcard among the addresses to join is refused", () => {
    expect(() => configOf("--join", "a:1,0.0.0.0:2")).toThrow(/^--join: 0.0.0.0 is no address/);
  });

  const open = ["--host", "0.0.0.0", "--password", "p"];
  const secret = ["--cluster-secret", "s"];
  const own = ["--advertise", "10.0.0.1"];

  test("off loopback a member needs a secret", () => {
    for (const member of [["--join", "a:1"], ["--bootstrap-expect", "1"]]) {
      expect(() => configOf(...open, ...own, ...member)).toThrow(/BALSA_CLUSTER_SECRET/);
      const config = configOf(...open, ...own, ...member, ...secret);
      expect(config).toMatchObject({ peerHost: "0.0.0.0", clusterSecret: "s" });
      expect(configOf(...member)).toMatchObject({ peerHost: "127.0.0.1", clusterSecret: "" });
    }
  });

  test("--insecure does not open the peer port", () => {
    expect(() => configOf("--host", "0.0.0.0", "--insecure", ...own, "--join", "a:1"))
      .toThrow(/BALSA_CLUSTER_SECRET/);
  });

  test("a node alone without a secret keeps its peer port to this machine", () => {
    expect(configOf(...open)).toMatchObject({ host: "0.0.0.0", peerHost: "127.0.0.1" });
    expect(configOf(...open, ...secret, ...own)).toMatchObject({ peerHost: "0.0.0.0" });
  });

  test("a node that listens everywhere must say where it is", () => {
    for (const member of [["--join", "a:1"], ["--bootstrap-expect", "1"], []]) {
      expect(() => configOf(...open, ...secret, ...member)).toThrow(
        /set --advertise HOST\[:PORT\]/,
      );
    }
    expect(configOf("--host", "10.0.0.1", "--password", "p", ...secret, "--join", "a:1").advertise)
      .toBe("");
  });

  test("--bootstrap-expect needs the other nodes' addresses", () => {
    expect(() => configOf("--bootstrap-expect", "3", "--join", "a:1")).toThrow(
      /needs the addresses/,
    );
    expect(configOf("--bootstrap-expect", "3", "--join", "a:1,b:1").bootstrapExpect).toBe(3);
    expect(configOf("--bootstrap-expect", "1").bootstrapExpect).toBe(1);
    expect(() => configOf("--bootstrap-expect", "10")).toThrow("from 1 to 9");
  });

  test("--request-timeout", () => {
    expect(configOf().requestTimeoutMs).toBe(10_000);
    expect(configOf("--request-timeout", "500ms").requestTimeoutMs).toBe(500);
    expect(() => configOf("--request-timeout", "0")).toThrow("1ms or longer");
  });
});

test("isLoopback", () => {
  const near = ["127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "localhost", "LOCALHOST"];
  for (const host of [...near, "::ffff:127.0.0.1"]) expect(isLoopback(host)).toBe(true);
  for (const host of ["::", "0.0.0.0", "1::1", "::11", "10.0.0.1", "localhost.org", ""]) {
    expect(isLoopback(host)).toBe(false);
  }
});
