import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "@upstash/redis";
import { balsaCommand, type Runtime, type Server, sleep, startBalsa, until } from "./harness.ts";
import { ask, SseReader } from "./http_client.ts";

const TOKEN = "the-token";
const RUNTIMES: readonly Runtime[] = ["bun", "deno", "node", "binary"];

for (const runtime of RUNTIMES) {
  describe.skipIf(balsaCommand(runtime) === undefined)(`@upstash/redis on ${runtime}`, () => {
    let server: Server;
    let redis: Redis;
    const client = (options = {}) =>
      new Redis({
        url: `http://127.0.0.1:${server.httpPort}`,
        token: TOKEN,
        enableTelemetry: false,
        ...options,
      });
    beforeAll(async () => {
      server = await startBalsa({ runtime, args: ["--token", TOKEN] });
      redis = client();
    }, 180_000);
    afterAll(() => server.stop());

    test("values come back as they were given", async () => {
      const values = ["", "text", "OK", "key1", "ü €\u{1f600}", "1", "true", "null", '{"a":[1]}'];
      for (const responseEncoding of [undefined, false] as const) {
        const raw = client({ responseEncoding, automaticDeserialization: false });
        for (const value of values) {
          expect(await raw.set("value", value)).toBe("OK");
          expect(await raw.get<string>("value")).toBe(value);
          expect(await raw.mget<string[]>("value", "missing", "value")).toEqual(
            [value, null, value] as string[],
          );
        }
      }
      await redis.set("object", { a: [1, { b: null }], c: "ü" });
      expect(await redis.get<object>("object")).toEqual({ a: [1, { b: null }], c: "ü" });
    });

    test("streams and a group of consumers", async () => {
      const id = await redis.xadd("stream", "*", { number: 1, text: "two" });
      expect(await redis.xrange("stream", "-", "+")).toEqual({ [id]: { number: 1, text: "two" } });
      await redis.xgroup("stream", { type: "CREATE", group: "group", id: "0" });
      const read = await redis.xreadgroup("group", "ann", "stream", ">");
      expect(read).toEqual([["stream", [[id, ["number", 1, "text", "two"]]]]]);
      expect(await redis.xpending("stream", "group", "-", "+", 10)).toHaveLength(1);
      expect(await redis.xack("stream", "group", id)).toBe(1);
      expect(await redis.xlen("stream")).toBe(1);
    });

    test("integers of 64 bits keep their digits", async () => {
      const raw = client({ automaticDeserialization: false });
      await raw.set("n", "9223372036854775806");
      expect(String(await raw.incr("n"))).toBe("9223372036854775807");
      expect(await raw.get<string>("n")).toBe("9223372036854775807");
      expect(redis.incr("n")).rejects.toThrow("ERR increment or decrement would overflow");
    });

    test("commands of one turn go as a pipeline of their own accord", async () => {
      const writes = Array.from({ length: 300 }, (_, i) => redis.set(`auto${i}`, i));
      expect(await Promise.all(writes)).toEqual(writes.map(() => "OK"));
      const reads = Array.from({ length: 300 }, (_, i) => redis.get<number>(`auto${i}`));
      expect(await Promise.all(reads)).toEqual(reads.map((_, i) => i));
    });

    test("a pipeline of ten thousand commands", async () => {
      const pipeline = redis.pipeline();
      for (let i = 0; i < 5000; i++) pipeline.incr("many").get("many");
      const replies = await pipeline.exec<number[]>();
      expect(replies.length).toBe(10_000);
      expect(replies.at(-1)).toBe(5000);
    });

    test("a transaction is carried out whole, errors of its commands in their place", async () => {
      await redis.set("text", "x");
      const multi = redis.multi().set("t1", 1).incr("text").incr("t1");
      const results = await multi.exec({ keepErrors: true });
      expect(results.map(({ result, error }) => error ?? result)).toEqual([
        "OK",
        "ERR value is not an integer or out of range",
        2,
      ]);
    });

    test("a transaction with what is no command is not carried out at all", async () => {
      const send = (body: string, headers: Record<string, string> = {}) =>
        ask(server.httpPort, "/multi-exec", {
          method: "POST",
          body,
          headers: { Authorization: `Bearer ${TOKEN}`, ...headers },
        });
      await redis.set("kept", "old");
      const bodies = [
        '[["SET","kept","new"],["NOPE"]]',
        '[["SET","kept"],["SET","kept","new"]]',
        '[["SET","kept","new"],["BLPOP","a","0"]]',
        '[["SET","kept","new"],["MULTI"]]',
      ];
      for (const body of bodies) {
        const { status, json } = await send(body);
        expect([status, Object.keys(json as object)]).toEqual([400, ["error"]]);
      }
      expect(await redis.get<string>("kept")).toBe("old");
      const once = { "Idempotency-Key": "transaction", "Upstash-Response-Format": "resp2" };
      for (let again = 0; again < 2; again++) {
        const { status, json } = await send('[["INCR","tn"],["GET","tn"]]', once);
        expect([status, json]).toEqual([200, [{ result: 1 }, { result: "1" }]]);
      }
    });

    test("errors are the SDK's, with the server's words", async () => {
      await redis.set("text", "x");
      const single = client({ enableAutoPipelining: false });
      expect(single.incr("text")).rejects.toThrow(
        'ERR value is not an integer or out of range, command was: ["incr","text"]',
      );
      const wrong = client({ token: "wrong", retry: false });
      expect(wrong.get("text")).rejects.toThrow("WRONGPASS invalid or missing auth token");
    });

    test("scan, expiry and read your writes", async () => {
      const names = Array.from({ length: 30 }, (_, i) => `scan:${i}`);
      for (const name of names) await redis.set(name, "x", { ex: 100 });
      const found = new Set<string>();
      let cursor = "0";
      do {
        const [next, keys] = await redis.scan(cursor, { match: "scan:*", count: 7 });
        for (const key of keys) found.add(key);
        cursor = next;
      } while (cursor !== "0");
      expect([...found].sort()).toEqual(names.sort());
      expect(await redis.ttl("scan:1")).toBeWithin(90, 101);
    });

    test("replies of the shapes that the SDK expects", async () => {
      await redis.geoadd("geo", { longitude: 13.361389, latitude: 38.115556, member: "Palermo" });
      const from = { type: "FROMMEMBER", member: "Palermo" } as const;
      const within = { type: "BYRADIUS", radius: 1, radiusType: "KM" } as const;
      const all = { withHash: true, withCoord: true, withDist: true };
      await redis.set("typed", 1);
      await redis.hset("fields", { a: "x", b: { v: 1 }, n: 12 });
      await redis.zadd("scores", { score: 1, member: "a" }, { score: 2.5, member: '{"v":1}' });
      const shapes: readonly [got: unknown, want: unknown][] = [
        [await redis.geosearch("geo", from, within, "ASC", all), [{
          member: "Palermo",
          dist: 0,
          hash: "3479099956230698",
          coord: { long: 13.361389338970184, lat: 38.1155563954963 },
        }]],
        [await redis.geopos("geo", "Palermo"), [{
          lng: 13.361389338970184,
          lat: 38.1155563954963,
        }]],
        [await redis.geodist("geo", "Palermo", "Catania"), null],
        [await redis.scan(0, { match: "typed", withType: true, count: 10_000 }), [
          "0",
          [{ key: "typed", type: "string" }],
        ]],
        [await redis.hgetall("fields"), { a: "x", b: { v: 1 }, n: 12 }],
        [await redis.hmget("fields", "a", "q"), { a: "x", q: null }],
        [await redis.hgetex("fields", { ex: 100 }, "a", "q"), { a: "x", q: null }],
        [await redis.httl("fields", ["a", "b", "q"]), [100, -1, -2]],
        [await redis.hsetex("fields", { conditional: "FNX" }, { a: "y" }), 0],
        [await redis.hgetdel("fields", "a"), { a: "x" }],
        [await redis.hgetall("missing"), null],
        [await redis.zrange("scores", 0, -1, { withScores: true }), ["a", 1, { v: 1 }, 2.5]],
        [await redis.zadd("scores", { incr: true }, { score: 1.5, member: "a" }), 2.5],
        [await redis.zmscore("scores", ["a", "q"]), [2.5, null]],
        [await redis.zscan("scores", 0, { match: "a" }), ["0", ["a", 2.5]]],
        [await redis.lmpop(1, ["missing"], "LEFT"), null],
        [await redis.copy("typed", "copied"), "COPIED"],
        [await redis.copy("typed", "copied"), "NOT_COPIED"],
      ];
      for (const [got, want] of shapes) expect(got).toEqual(want);
    });

    test("channels and patterns, and messages of any text", async () => {
      const channel = redis.subscribe<unknown>("chat");
      const pattern = redis.psubscribe<unknown>(["ch*"]);
      const counts: number[] = [];
      const messages: unknown[] = [];
      const byPattern: unknown[] = [];
      channel.on("subscribe", (count) => counts.push(count));
      pattern.on("psubscribe", (count: number) => counts.push(count));
      channel.on("message", ({ message }) => messages.push(message));
      pattern.on("pmessage", ({ message }: { message: unknown }) => byPattern.push(message));
      await until(() => counts.length === 2, "both subscriptions");
      expect(counts).toEqual([1, 1]);
      const sent = ["hello", "a,b,c", { deep: [1, 2] }, 42, "line\nline\r\n", "ü\u{1f600}", ""];
      for (const message of sent) expect(await redis.publish("chat", message)).toBe(2);
      await until(() => messages.length === sent.length, "the messages");
      await until(() => byPattern.length === sent.length, "the messages of the pattern");
      expect(messages).toEqual(sent);
      expect(byPattern).toEqual(sent);
      await channel.unsubscribe();
      await pattern.unsubscribe();
      await until(async () => await redis.publish("chat", "x") === 0, "the end of both");
    });

    test("who does not read messages is dropped, the others have them all", async () => {
      const reader = (path: string) =>
        new SseReader(server.httpPort, path, { Authorization: `Bearer ${TOKEN}` });
      const stopped = reader("/subscribe/flood");
      const good = reader("/subscribe/flood/other");
      await until(() => stopped.events.length === 1 && good.events.length === 2, "the streams");
      expect(good.events.map(({ data }) => data))
        .toEqual(["subscribe,flood,1", "subscribe,other,2"]);
      stopped.stopReading();
      const payload = "x".repeat(20_000);
      let receivers = 2;
      let sent = 0;
      while (receivers === 2 && sent < 3000) {
        receivers = await redis.publish("flood", payload);
        sent++;
      }
      expect(receivers).toBe(1);
      await until(() => good.events.length === 2 + sent, "every message");
      stopped.goOnReading();
      await until(() => stopped.events.at(-1)?.type === "dropped", "the event");
      stopped.close();
      good.close();
      await sleep(10);
    });
  });
}
