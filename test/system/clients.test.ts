import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createClient, RESP_TYPES } from "redis";
import { cleanupAll, runToEnd, scratchDirectory, type Server, startBalsa } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

const KEY = "key \x00\r\n\xff\xfe:é";
const VALUE = Array.from({ length: 512 }, (_, i) => String.fromCharCode(i % 256)).join("");
const BIG_BYTES = 16 * 1024 * 1024;
const PIPELINE = 10_000;
const CONNECTIONS = Number(process.env.BALSA_CONNECTIONS ?? "2000");

let balsa: Server;
beforeAll(async () => {
  balsa = await startBalsa();
});
afterAll(cleanupAll);

/** Not compressible into a repeating pattern, so that a misplaced chunk shows. */
function bigValue(): Buffer {
  const value = Buffer.alloc(BIG_BYTES);
  for (let i = 0; i + 4 <= BIG_BYTES; i += 4) {
    value.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
  }
  return value;
}

function redisCli(args: readonly string[], input = ""): Promise<{ output: string }> {
  return runToEnd(["redis-cli", "-p", String(balsa.port), ...args], input);
}

function curl(args: readonly string[], input = ""): Promise<{ output: string }> {
  return runToEnd(["curl", "-sS", ...args], input);
}

test("redis-cli: binary keys and values", async () => {
  const set = await redisCli(["-x", "SET", "cli:key"], VALUE);
  expect(set.output).toBe("OK\n");
  const client = await RespClient.open(balsa.port);
  expect(await client.command("GET", "cli:key")).toBe(VALUE);
  client.close();
  expect((await redisCli(["--raw", "GET", "cli:key"])).output).toBe(VALUE + "\n");
  expect((await redisCli(["-3", "--json", "GET", "absent"])).output).toBe("null\n");
});

test("redis-cli: a 16 MiB value", async () => {
  const big = bigValue().toString("latin1");
  expect((await redisCli(["-x", "SET", "cli:big"], big)).output).toBe("OK\n");
  expect((await redisCli(["STRLEN", "cli:big"])).output).toBe(`${BIG_BYTES}\n`);
  const got = await redisCli(["--raw", "GET", "cli:big"]);
  expect(got.output === big + "\n").toBe(true);
});

test("redis-cli --pipe: 10,000 commands", async () => {
  let text = "";
  for (let i = 0; i < PIPELINE; i++) text += `SET pipe:${i} ${i}\r\n`;
  const result = await redisCli(["--pipe"], text);
  expect(result.output).toContain(`errors: 0, replies: ${PIPELINE}`);
});

test("ioredis: binary keys and values, 16 MiB, 10,000 pipelined commands", async () => {
  const redis = new Redis({ port: balsa.port, host: "127.0.0.1" });
  const key = Buffer.from(KEY, "latin1");
  const value = Buffer.from(VALUE, "latin1");
  await redis.set(key, value);
  expect((await redis.getBuffer(key))?.equals(value)).toBe(true);
  const big = bigValue();
  await redis.set("ioredis:big", big);
  expect((await redis.getBuffer("ioredis:big"))?.equals(big)).toBe(true);
  const pipeline = redis.pipeline();
  for (let i = 0; i < PIPELINE / 2; i++) pipeline.set(`io:${i}`, `v${i}`).get(`io:${i}`);
  const replies = await pipeline.exec() ?? [];
  expect(replies.length).toBe(PIPELINE);
  replies.forEach(([error, reply], i) => {
    if (error !== null || reply !== (i % 2 === 0 ? "OK" : `v${(i - 1) / 2}`)) {
      throw new Error(`Reply ${i} is ${String(reply)} (${String(error)})`);
    }
  });
  await redis.quit();
});

test("node-redis in RESP3: binary keys and values, 16 MiB, 10,000 at once", async () => {
  const client = createClient({
    RESP: 3,
    socket: { host: "127.0.0.1", port: balsa.port, reconnectStrategy: false },
  });
  await client.connect();
  const asBuffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const key = Buffer.from(KEY + "3", "latin1");
  const value = Buffer.from(VALUE, "latin1");
  await client.set(key, value);
  const got = await asBuffers.get(key);
  expect(Buffer.isBuffer(got) && got.equals(value)).toBe(true);
  const big = bigValue();
  await client.set("nr:big", big);
  const bigGot = await asBuffers.get("nr:big");
  expect(Buffer.isBuffer(bigGot) && bigGot.equals(big)).toBe(true);
  const numbers = await Promise.all(
    Array.from({ length: PIPELINE }, () => client.incr("nr:counter")),
  );
  expect(numbers).toEqual(Array.from({ length: PIPELINE }, (_, i) => i + 1));
  const hello = await client.sendCommand(["HELLO", "3"]);
  expect(JSON.stringify(hello)).toContain("proto");
  await client.close();
});

test("ioredis: streams, a group, and one that waits", async () => {
  const redis = new Redis({ port: balsa.port, host: "127.0.0.1" });
  const waiting = redis.duplicate();
  await redis.xgroup("CREATE", "io:stream", "group", "$", "MKSTREAM");
  const waited = waiting.xreadgroup(
    ...["GROUP", "group", "ann", "COUNT", 10, "BLOCK", 0, "STREAMS", "io:stream", ">"] as const,
  );
  const id = String(await redis.xadd("io:stream", "*", "field", "value"));
  const entries = [["io:stream", [[id, ["field", "value"]]]]] as const;
  expect<unknown>(await waited).toEqual(entries);
  expect<unknown>(await redis.xread("STREAMS", "io:stream", 0)).toEqual(entries);
  expect<unknown>(await redis.xpending("io:stream", "group")).toEqual([1, id, id, [["ann", "1"]]]);
  expect(await redis.xack("io:stream", "group", id)).toBe(1);
  waiting.disconnect();
  await redis.quit();
});

test("node-redis in RESP3: streams, a group, and one that waits", async () => {
  const socket = { host: "127.0.0.1", port: balsa.port, reconnectStrategy: false as const };
  const client = createClient({ RESP: 3, socket });
  const waiting = createClient({ RESP: 2, socket });
  await Promise.all([client.connect(), waiting.connect()]);
  await client.xGroupCreate("nr:stream", "group", "$", { MKSTREAM: true });
  const waited = waiting.xReadGroup("group", "ann", { key: "nr:stream", id: ">" }, { BLOCK: 0 });
  const id = await client.xAdd("nr:stream", "*", { field: "value" });
  expect(JSON.parse(JSON.stringify(await waited))).toEqual([
    { name: "nr:stream", messages: [{ id, message: { field: "value" } }] },
  ]);
  expect<unknown>(await client.sendCommand(["XREAD", "STREAMS", "nr:stream", "0"])).toEqual({
    "nr:stream": [[id, ["field", "value"]]],
  });
  expect((await client.xInfoGroups("nr:stream"))[0]).toMatchObject({ name: "group", pending: 1 });
  expect(await client.xAck("nr:stream", "group", id)).toBe(1);
  await Promise.all([client.close(), waiting.close()]);
});

test("curl: binary keys and values", async () => {
  const base = `http://127.0.0.1:${balsa.httpPort}`;
  const path = [...KEY].map((c) => "%" + c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const file = join(scratchDirectory(), "value");
  writeFileSync(file, VALUE, "latin1");
  const set = await curl(["--data-binary", `@${file}`, `${base}/set/${path}`]);
  expect(JSON.parse(set.output)).toEqual({ result: "OK" });
  const client = await RespClient.open(balsa.port);
  expect(await client.command("GET", KEY)).toBe(VALUE);
  client.close();
  const got = await curl(["-H", "Upstash-Encoding: base64", `${base}/get/${path}`]);
  const result = JSON.parse(got.output).result;
  expect(Buffer.from(result, "base64").toString("latin1")).toBe(VALUE);
});

test("curl: a 16 MiB value", async () => {
  const base = `http://127.0.0.1:${balsa.httpPort}`;
  const file = join(scratchDirectory(), "value");
  const big = bigValue();
  for (let i = 0; i < big.length; i++) big[i] = 97 + big[i] % 26;
  writeFileSync(file, big);
  const set = await curl(["--data-binary", `@${file}`, `${base}/set/http:big`]);
  expect(JSON.parse(set.output)).toEqual({ result: "OK" });
  const got = await curl([`${base}/get/http:big`]);
  expect(JSON.parse(got.output).result === big.toString("latin1")).toBe(true);
});

test("a raw client: 10,000 commands in one write are answered in order", async () => {
  const client = await RespClient.open(balsa.port);
  const commands = Array.from(
    { length: PIPELINE },
    (_, i) => i % 2 === 0 ? ["SET", `raw:${i}`, `v${i}`] : ["GET", `raw:${i - 1}`],
  );
  const replies = await client.pipeline(commands);
  replies.forEach((reply, i) => {
    if (reply !== (i % 2 === 0 ? "OK" : `v${i - 1}`)) throw new Error(`${i}: ${String(reply)}`);
  });
  expect(replies.length).toBe(PIPELINE);
  client.close();
});

test(`${CONNECTIONS} connections at once, each SET and GET`, async () => {
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => RespClient.open(balsa.port)),
  );
  const sets = await Promise.all(clients.map((c, i) => c.command("SET", `many:${i}`, `v${i}`)));
  expect(sets.every((reply) => reply === "OK")).toBe(true);
  const gets = await Promise.all(clients.map((c, i) => c.command("GET", `many:${i}`)));
  expect(gets.every((reply, i) => reply === `v${i}`)).toBe(true);
  for (const client of clients) client.close();
});
