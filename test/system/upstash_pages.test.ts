// The requests of Upstash's REST API page, by curl, each with the body that the page promises.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { hasProgram, type Server, startBalsa, until } from "./harness.ts";

const TOKEN = "2553feg6a2d9842h2a0gcdb5f8efe9934";
const AUTH = ["-H", `Authorization: Bearer ${TOKEN}`];
/** What ACL RESTTOKEN gives for the user `app` with the password `pass`. */
const APP_TOKEN = btoa("balsa:3:apppass").replaceAll("=", "");
const APP = ["-H", `Authorization: Bearer ${APP_TOKEN}`];
const BASE64 = ["-H", "Upstash-Encoding: base64"];
// As the page spells it, and as it should be.
const RESP2 = ["-H", "Upstash-Reponse-Format: resp2"];
const RESP2_RIGHT = ["-H", "Upstash-Response-Format: resp2"];
const SSE = ["-H", "Accept:text/event-stream"];
const ROWS = `
    [
      ["SET", "key1", "valuex"],
      ["SETEX", "key2", 13, "valuez"],
      ["INCR", "key1"],
      ["ZADD", "myset", 11, "item1", 22, "item2"]
    ]
    `;
const ROW_RESULTS = [
  { result: "OK" },
  { result: "OK" },
  { error: "ERR value is not an integer or out of range" },
  { result: 2 },
];
const ANY_ERROR = { error: expect.any(String) };
const WRONGPASS = { error: "WRONGPASS invalid or missing auth token" };

/** Path, arguments, what comes: JSON, or text as it is. Each goes on from those before it. */
const EXAMPLES: readonly [path: string, args: readonly string[], want: unknown, status?: number][] =
  [
    ["/set/foo/bar", AUTH, { result: "OK" }],
    [`/set/foo/bar?_token=${TOKEN}`, [], { result: "OK" }],
    ["/set/foo/bar", [], WRONGPASS, 401],
    ["/set/foo/bar", ["-H", "Authorization: Bearer other"], WRONGPASS, 401],
    ["/set/foo/bar/EX/100", AUTH, { result: "OK" }],
    ["/ttl/foo", AUTH, { result: 100 }],
    ["/get/foo", AUTH, { result: "bar" }],
    ["/get/nothing", AUTH, { result: null }],
    ["/mset/foo1/value1/foo3/value2", AUTH, { result: "OK" }],
    ["/mget/foo1/foo2/foo3", AUTH, { result: ["value1", null, "value2"] }],
    ["/hset/employee:23381/salary/137", AUTH, { result: 1 }],
    ["/hget/employee:23381/salary", AUTH, { result: "137" }],
    ["/hincrby/employee:23381/salary/0", AUTH, { result: 137 }],
    ["/zadd/teams/100/team-x/90/team-y", AUTH, { result: 2 }],
    ["/set/foo", ["-X", "POST", "-d", '{"a":1}', ...AUTH], { result: "OK" }],
    ["/get/foo", AUTH, { result: '{"a":1}' }],
    ["/set/foo?EX=100", ["-X", "POST", "-d", "$VALUE", ...AUTH], { result: "OK" }],
    ["/ttl/foo", AUTH, { result: 100 }],
    ["/get/foo", AUTH, { result: "$VALUE" }],
    ["", ["-X", "POST", "-d", '["SET", "foo", "bar", "EX", 100]', ...AUTH], { result: "OK" }],
    ["/get", AUTH, { error: "ERR wrong number of arguments for 'get' command" }, 400],
    ["/get/foo", ["-X", "DELETE", ...AUTH], { error: expect.stringContaining("DELETE") }, 405],
    ["/SET/foo/bar", [...AUTH, ...BASE64], { result: "OK" }],
    ["/GET/foo", [...AUTH, ...BASE64], { result: "YmFy" }],
    ["/SET/foo/bar", [...AUTH, ...RESP2], "+OK\r\n"],
    ["/GET/foo", [...AUTH, ...RESP2], "$3\r\nbar\r\n"],
    ["/GET/foo", [...AUTH, ...RESP2_RIGHT], "$3\r\nbar\r\n"],
    ["/GET/foo", [...AUTH, "-H", "Upstash-Response-Format: xml"], ANY_ERROR, 400],
    ["/GET/foo", [...AUTH, ...RESP2, ...BASE64], ANY_ERROR, 400],
    ["/pipeline", ["-X", "POST", ...AUTH, "-d", ROWS], ROW_RESULTS],
    ["/unlink/myset", AUTH, { result: 1 }],
    ["/multi-exec", ["-X", "POST", ...AUTH, "-d", ROWS], ROW_RESULTS],
    ["/unlink/myset", AUTH, { result: 1 }],
    ["/multi-exec", [...AUTH, ...RESP2, "-d", ROWS], ROW_RESULTS],
    ["/multi-exec", ["-X", "POST", ...AUTH, "-d", '[["SET","foo","x"],["NOPE"]]'], ANY_ERROR, 400],
    ["/get/foo", AUTH, { result: "bar" }],
    ["/publish/chat/hello", ["-X", "POST", ...AUTH], { result: 0 }],
    ["/bitop/not/inverted/foo", AUTH, { result: 3 }],
    ["/get/inverted", AUTH, { result: "\ufffd\ufffd\ufffd" }],
    ["/get/inverted", [...AUTH, ...BASE64], { result: btoa("\x9d\x9e\x8d") }],
    ["/acl/resttoken/upstash/fakepass", AUTH, {
      error: 'ERR Wrong password or user "upstash" does not exist',
    }, 400],
    ["/acl/setuser/app/on/%3Epass/%7Eapp:*/+@all", AUTH, { result: "OK" }],
    ["/acl/resttoken/app/pass", AUTH, { result: APP_TOKEN }],
    ["/set/app:1/x", APP, { result: "OK" }],
    ["/set/foo/x", APP, ANY_ERROR, 400],
    [`/acl/whoami?_token=${APP_TOKEN}`, [], { result: "app" }],
    ["/info", ["-X", "POST", ...AUTH], { result: expect.stringContaining("redis_version:") }],
    [`/info?_token=${TOKEN}`, ["-X", "POST"], { result: expect.stringContaining("tcp_port:") }],
  ];

describe.skipIf(!hasProgram("curl"))("Upstash's examples", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startBalsa({ args: ["--token", TOKEN] });
  }, 180_000);
  afterAll(() => server.stop());

  function start(path: string, args: readonly string[]) {
    const url = `http://127.0.0.1:${server.httpPort}${path}`;
    const child = spawn("curl", ["-sN", "--max-time", "60", ...args, url]);
    const run = { text: "", ended: new Promise((resolve) => child.on("close", resolve)), child };
    child.stdout.on("data", (chunk: Uint8Array) => run.text += String(chunk));
    return run;
  }

  test("each request has the answer of the page", async () => {
    for (const [path, args, want, status = 200] of EXAMPLES) {
      const run = start(path, [...args, "-w", "\n%{http_code}"]);
      await run.ended;
      const end = run.text.lastIndexOf("\n");
      const body = run.text.slice(0, end);
      const answer = typeof want === "string" ? body : JSON.parse(body);
      expect([path, Number(run.text.slice(end + 1)), answer]).toEqual([path, status, want]);
    }
  }, 180_000);

  test("subscribe, publish and monitor", async () => {
    const chat = start("/subscribe/chat", ["-X", "POST", ...AUTH, ...SSE]);
    const monitor = start("/monitor", ["-X", "POST", ...AUTH, ...SSE]);
    await until(() => chat.text.includes("subscribe") && monitor.text !== "", "both streams");
    for (const text of ["hello", "how%20are%20you%20today%3F"]) {
      const publish = start(`/publish/chat/${text}`, ["-X", "POST", ...AUTH]);
      await publish.ended;
      expect(JSON.parse(publish.text)).toEqual({ result: 1 });
    }
    await until(() => chat.text.includes("today"), "the messages");
    expect(chat.text.split("\n").filter((line) => line !== "")).toEqual([
      "data: subscribe,chat,1",
      "data: message,chat,hello",
      "data: message,chat,how are you today?",
    ]);
    await until(() => monitor.text.includes("today"), "the commands");
    const lines = monitor.text.split("\n").filter((line) => line !== "");
    expect(lines[0]).toBe('data: "OK"');
    expect(lines[1]).toMatch(/^data: \d+\.\d{6} \[0 .*\] "publish" "chat" "hello"$/);
    for (const { child, ended } of [chat, monitor]) (child.kill(), await ended);
  }, 180_000);
});
