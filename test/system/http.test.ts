import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { HTTP_BODY_BYTES_MAX } from "../../src/constants.ts";
import { hasProgram, scratchDirectory, type Server, startBalsa } from "./harness.ts";

const TOKEN = "a token/+&";
const BEARER = ["-H", `Authorization: Bearer ${TOKEN}`];
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

describe.skipIf(!hasProgram("curl"))("HTTP with curl", () => {
  const scratch = scratchDirectory();
  const data = `${scratch}/data`;
  let server: Server;
  beforeAll(async () => {
    server = await startBalsa({ data, args: ["--token", TOKEN] });
  }, 180_000);
  afterAll(() => server.stop());

  /** Runs curl; `path` follows the listener's address. */
  async function curl(
    path: string,
    ...args: string[]
  ): Promise<{ status: number; body: Buffer; json: () => unknown }> {
    const url = `http://127.0.0.1:${server.httpPort}${path}`;
    const words = ["-s", "--max-time", "60", "-w", "%{stderr}%{http_code}", ...args, url];
    const child = spawn("curl", words, { stdio: ["ignore", "pipe", "pipe"] });
    const out: Buffer[] = [];
    let status = "";
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => status += chunk.toString());
    await new Promise((resolve) => child.on("close", resolve));
    const body = Buffer.concat(out);
    return { status: Number(status), body, json: () => JSON.parse(body.toString()) };
  }

  function file(name: string, content: Uint8Array): string {
    const path = `${scratch}/${name}`;
    writeFileSync(path, content);
    return path;
  }

  /** The value of a key, byte for byte. */
  async function value(key: string): Promise<Buffer> {
    const answer = await curl(`/get/${key}`, ...BEARER, "-H", "Upstash-Encoding: base64");
    const { result } = answer.json() as { result: string };
    return Buffer.from(result, "base64");
  }

  test("a command as a path", async () => {
    expect((await curl("/set/foo/bar?EX=100", ...BEARER)).json()).toEqual({ result: "OK" });
    expect((await curl("/get/foo", ...BEARER)).json()).toEqual({ result: "bar" });
    expect((await curl("/ttl/foo", ...BEARER)).json()).toEqual({ result: 100 });
    expect((await curl("/get/missing", ...BEARER)).json()).toEqual({ result: null });
    expect((await curl("/mget/foo/missing", ...BEARER)).json()).toEqual({ result: ["bar", null] });
  });

  test("a key and a value of every byte", async () => {
    const key = [...EVERY_BYTE].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    const path = file("every_byte", EVERY_BYTE);
    const set = await curl(`/set/${key}`, ...BEARER, "--data-binary", `@${path}`);
    expect(set.json()).toEqual({ result: "OK" });
    expect(await value(key)).toEqual(EVERY_BYTE);
    const keys = await curl(
      `/keys/${key.slice(0, 3)}*`,
      ...BEARER,
      "-H",
      "Upstash-Encoding: base64",
    );
    expect(keys.json()).toEqual({ result: [EVERY_BYTE.toString("base64")] });
    const raw = await curl(`/get/${key}`, ...BEARER, "-H", "Upstash-Response-Format: resp2");
    expect(raw.body).toEqual(
      Buffer.concat([Buffer.from("$256\r\n"), EVERY_BYTE, Buffer.from("\r\n")]),
    );
  });

  test("a value of 16 MiB", async () => {
    const big = randomBytes(16 * 1024 * 1024);
    const path = file("big", big);
    const set = await curl("/set/big", ...BEARER, "--data-binary", `@${path}`);
    expect(set.json()).toEqual({ result: "OK" });
    const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    expect(digest(await value("big"))).toBe(digest(big));
    const put = await curl("/set/big2", ...BEARER, "-T", path, "-H", "Transfer-Encoding: chunked");
    expect(put.json()).toEqual({ result: "OK" });
    expect(digest(await value("big2"))).toBe(digest(big));
    await curl("/del/big/big2", ...BEARER);
  }, 180_000);

  test("a body over the limit is refused, and the key stays as it was", async () => {
    const path = `${scratch}/too_big`;
    closeSync(openSync(path, "w"));
    truncateSync(path, HTTP_BODY_BYTES_MAX + 1);
    await curl("/set/limited/before", ...BEARER);
    for (const header of ["Expect:", "Transfer-Encoding: chunked"]) {
      const answer = await curl("/set/limited", ...BEARER, "-T", path, "-H", header);
      expect(answer.status).toBe(413);
      expect(answer.json()).toEqual({
        error: expect.stringContaining("max request size exceeded"),
      });
    }
    expect((await value("limited")).toString()).toBe("before");
  }, 180_000);

  test("a JSON array, and a pipeline with errors in their places", async () => {
    const one = await curl("/", ...BEARER, "-d", '["SET","n",12345678901234567890]');
    expect(one.json()).toEqual({ result: "OK" });
    const rows = [["GET", "n"], ["INCR", "n"], ["MULTI"], ["NOPE"], ["SET", "n", 9], ["INCR", "n"]];
    const answer = await curl("/pipeline", ...BEARER, "-d", JSON.stringify(rows));
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual([
      { result: "12345678901234567890" },
      { error: "ERR value is not an integer or out of range" },
      { error: expect.stringContaining("not allowed in REST") },
      { error: expect.stringContaining("ERR unknown command 'NOPE'") },
      { result: "OK" },
      { result: 10 },
    ]);
  });

  test("a pipeline of ten thousand commands, in order", async () => {
    const rows = Array.from({ length: 10_000 }, (_, index) => ["APPEND", "order", `${index % 10}`]);
    const path = file("pipeline", Buffer.from(JSON.stringify(rows)));
    const answer = await curl("/pipeline", ...BEARER, "-d", `@${path}`);
    expect(answer.json()).toEqual(rows.map((_, index) => ({ result: index + 1 })));
    expect((await value("order")).toString()).toBe("0123456789".repeat(1000));
  }, 180_000);

  test("a wrong token opens nothing; both ways to give the right one do", async () => {
    const wrong = { error: "WRONGPASS invalid or missing auth token" };
    for (const args of [[], ["-H", "Authorization: Bearer nope"]]) {
      const answer = await curl("/set/intruder/1", ...args);
      expect([answer.status, answer.json()]).toEqual([401, wrong]);
    }
    expect((await curl("/set/intruder/1?_token=nope", ...BEARER)).status).toBe(401);
    const token = encodeURIComponent(TOKEN);
    expect((await curl(`/exists/intruder?_token=${token}`)).json()).toEqual({ result: 0 });
  });

  test("/health and /ready ask for no token", async () => {
    expect((await curl("/health")).status).toBe(200);
    expect((await curl("/ready")).status).toBe(200);
    expect((await curl("/ready", "-I")).status).toBe(200);
  });

  test("mistakes get a JSON error each, and the server lives on", async () => {
    const cases: [number, string, ...string[]][] = [
      [400, "/get"],
      [400, "/incr/%zz"],
      [400, "/nope/x"],
      [400, "/", "-d", '["GET","a"'],
      [400, "/", "-X", "POST"],
      [400, "/pipeline", "-d", '{"a":1}'],
      [400, "/set/a/b?PX=0"],
      [404, "/"],
      [405, "/get/a", "-X", "DELETE"],
    ];
    for (const [status, path, ...args] of cases) {
      const answer = await curl(path, ...BEARER, ...args);
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.json()).toEqual({ error: expect.any(String) });
    }
    expect((await curl("/ping", ...BEARER)).json()).toEqual({ result: "PONG" });
  });

  test("what was answered OK is there after a kill -9", async () => {
    expect((await curl("/set/kept", ...BEARER, "-d", "value")).json()).toEqual({ result: "OK" });
    await server.kill9();
    server = await startBalsa({ data, args: ["--token", TOKEN] });
    expect((await curl("/get/kept", ...BEARER)).json()).toEqual({ result: "value" });
  }, 180_000);
});
