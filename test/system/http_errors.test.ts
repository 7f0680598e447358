import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { cleanupAll, type Server, startBalsa } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

let open: Server;
let locked: Server;
beforeAll(async () => {
  [open, locked] = await Promise.all([
    startBalsa(),
    startBalsa({ args: ["--password", "secret", "--token", "token"] }),
  ]);
});
afterAll(cleanupAll);

interface Expected {
  readonly status: number;
  readonly error: RegExp;
}

async function ask(server: Server, path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}${path}`, init);
  return { status: response.status, body: JSON.parse(await response.text()) };
}

const post = (body: string): RequestInit => ({ method: "POST", body });

const BAD: readonly (readonly [name: string, path: string, init: RequestInit, Expected])[] = [
  ["truncated JSON", "/", post('["SET","a"'), { status: 400, error: /JSON|parse/i }],
  ["JSON that is no array", "/", post('{"a":1}'), { status: 400, error: /array/i }],
  ["an empty array", "/", post("[]"), { status: 400, error: /./ }],
  ["no body", "/", post(""), { status: 400, error: /./ }],
  ["an unknown command", "/nope/a", {}, { status: 400, error: /unknown command/ }],
  ["wrong arity", "/get", {}, { status: 400, error: /wrong number of arguments for 'get'/ }],
  ["no number", "/incrby/n/nan", {}, { status: 400, error: /not an integer/ }],
  ["out of range", "/setrange/n/536870912/x", {}, { status: 400, error: /maximum allowed size/ }],
  ["a broken escape", "/get/%zz", {}, { status: 400, error: /./ }],
];

for (const [name, path, init, expected] of BAD) {
  test(`${name}: ${expected.status} with an error`, async () => {
    const { status, body } = await ask(open, path, init);
    expect(Object.keys(body)).toEqual(["error"]);
    expect(body.error).toMatch(expected.error);
    expect(status).toBe(expected.status);
    expect((await ask(open, "/ping")).body).toEqual({ result: "PONG" });
  });
}

test("a token is asked for; a wrong or missing one is 401", async () => {
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  for (const init of [{}, bearer("wrong"), bearer(""), bearer("token2")]) {
    const { status, body } = await ask(locked, "/get/a", init);
    expect(status).toBe(401);
    expect(typeof body.error).toBe("string");
  }
  expect((await ask(locked, "/get/a?_token=wrong")).status).toBe(401);
  expect((await ask(locked, "/get/a", bearer("token"))).body).toEqual({ result: null });
  expect((await ask(locked, "/get/a?_token=token")).body).toEqual({ result: null });
  for (const path of ["/health", "/ready"]) {
    const response = await fetch(`http://127.0.0.1:${locked.httpPort}${path}`);
    expect(response.status).toBe(200);
    await response.text();
  }
});

test("bytes that are no HTTP do no harm", async () => {
  for (const bytes of ["\x00\xff\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "GET", "POST / HTTP/1.1\r\n"]) {
    const socket = connect({ port: open.httpPort, host: "127.0.0.1" });
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.on("error", () => {});
    await new Promise((resolve) => socket.write(Buffer.from(bytes, "latin1"), resolve));
    socket.destroy();
  }
  expect((await ask(open, "/ping")).body).toEqual({ result: "PONG" });
});

test("what HTTP wrote, RESP reads, and the other way round", async () => {
  const client = await RespClient.open(open.port);
  expect((await ask(open, "/set/from-http/bar?EX=100")).body).toEqual({ result: "OK" });
  expect(await client.command("GET", "from-http")).toBe("bar");
  expect(Number(await client.command("TTL", "from-http"))).toBeGreaterThan(0);
  await client.command("SET", "from-resp", "baz");
  expect((await ask(open, "/get/from-resp")).body).toEqual({ result: "baz" });
  expect((await ask(open, "/", post('["MGET","from-http","from-resp"]'))).body).toEqual({
    result: ["bar", "baz"],
  });
  client.close();
});
