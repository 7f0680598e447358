import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../cli/flags.ts";
import { isLoopback, serveConfig } from "../../cli/serve_config.ts";
import { SERVE_FLAGS } from "../../cli/serve_flags.ts";

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
      cacheBytes: 64 * 1024 * 1024,
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

test("isLoopback", () => {
  const near = ["127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "localhost", "LOCALHOST"];
  for (const host of [...near, "::ffff:127.0.0.1"]) expect(isLoopback(host)).toBe(true);
  for (const host of ["::", "0.0.0.0", "1::1", "::11", "10.0.0.1", "localhost.org", ""]) {
    expect(isLoopback(host)).toBe(false);
  }
});
