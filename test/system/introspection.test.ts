import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { cleanupAll, type Server, startBalsa, startRedis, until } from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";

const DEBUG = ["--enable-debug-command", "yes"];

let balsa: Server;
let redis: Server;
let client: RespClient;

beforeAll(async () => {
  [balsa, redis] = await Promise.all([startBalsa({ http: false }), startRedis(DEBUG)]);
  client = await RespClient.open(balsa.port);
});
afterEach(async () => {
  for (const name of ["slowlog-log-slower-than", "client-output-buffer-limit"]) {
    const real = await RespClient.open(redis.port);
    const [, value] = await real.command("CONFIG", "GET", name) as string[];
    await client.command("CONFIG", "SET", name, value);
    real.close();
  }
  await client.command("FLUSHALL");
});
afterAll(cleanupAll);

test("DEBUG RELOAD forgets nothing, DEBUG DIGEST sees what differs", async () => {
  await client.command("RPUSH", "list", ...Array.from({ length: 500 }, (_, i) => `item ${i}`));
  await client.command("HSET", "hash", "f", "1", "g", "2");
  await client.command("SET", "text", "x", "EX", "1000");
  const before = await client.command("DEBUG", "DIGEST");
  expect(before).toMatch(/^[0-9a-f]{40}$/);
  expect(await client.command("DEBUG", "RELOAD")).toBe("OK");
  expect(await client.command("DEBUG", "DIGEST")).toBe(before);
  expect(await client.command("LRANGE", "list", "499", "-1")).toEqual(["item 499"]);
  await client.command("HSET", "hash", "g", "3");
  expect(await client.command("DEBUG", "DIGEST")).not.toBe(before);
  await client.command("HSET", "hash", "g", "2");
  expect(await client.command("DEBUG", "DIGEST")).toBe(before);
});

test("DEBUG DIGEST-VALUE is that of the value, in whatever order it came about", async () => {
  await client.command("SADD", "a", "1", "2", "x");
  await client.command("SADD", "b", "x", "2", "1");
  await client.command("SADD", "c", "x", "3", "0");
  const [a, b, c, none] = await client.command(
    "DEBUG",
    "DIGEST-VALUE",
    "a",
    "b",
    "c",
    "none",
  ) as string[];
  expect(a).toBe(b);
  expect(a).not.toBe(c);
  expect(none).toBe("0".repeat(40));
});

test("the slow log tells what an EXEC ran, not EXEC", async () => {
  await client.command("CONFIG", "SET", "slowlog-log-slower-than", "0");
  await client.command("SLOWLOG", "RESET");
  for (const words of ["MULTI", "SET k 1", "GET k", "EXEC"]) {
    await client.command(...words.split(" "));
  }
  const entries = await client.command("SLOWLOG", "GET", "10") as unknown[][];
  const told = entries.map(([, , , argv]) => (argv as string[]).join(" "));
  expect(told).toEqual(["GET k", "SET k 1", "MULTI", "SLOWLOG RESET"]);
});

test("LATENCY HISTOGRAM and INFO latencystats count the calls of a command", async () => {
  await client.command("CONFIG", "RESETSTAT");
  for (let i = 0; i < 3; i++) await client.command("INCR", "n");
  const found = await client.command("LATENCY", "HISTOGRAM", "incr", "nothing") as unknown[];
  const [name, [, calls, , buckets]] = found as [string, [string, number, string, number[]]];
  expect([name, calls, buckets.at(-1)]).toEqual(["incr", 3, 3]);
  const info = await client.command("INFO", "latencystats");
  expect(info).toMatch(/latency_percentiles_usec_incr:p50=[\d.]+,p99=[\d.]+,p99\.9=[\d.]+\r\n/);
});

test("events of LATENCY: what ran long, an EXEC and its commands, not what waited", async () => {
  const real = await RespClient.open(redis.port);
  const seen: unknown[] = [];
  for (const each of [client, real]) {
    const run = (line: string) => each.command(...line.split(" "));
    await run("CONFIG SET latency-monitor-threshold 150");
    await run("DEBUG SLEEP 0.01");
    expect(await run("LATENCY LATEST")).toEqual([]);
    for (const line of ["WAIT 9 200", "BLPOP none 0.2", "MULTI", "DEBUG SLEEP 0.2", "EXEC"]) {
      await run(line);
    }
    await run("CONFIG SET latency-monitor-threshold 0");
    await run("DEBUG SLEEP 0.3");
    const [[name, atSeconds, latestMs, maxMs], ...more] = await run("LATENCY LATEST") as [
      [string, number, number, number],
    ];
    expect(Math.abs(atSeconds - Date.now() / 1000)).toBeLessThan(30);
    expect(latestMs).toBe(maxMs);
    expect(maxMs).toBeGreaterThanOrEqual(200);
    const history = await run("LATENCY HISTORY command");
    expect(history).toEqual([[atSeconds, latestMs]]);
    const reset = [await run("LATENCY RESET none Command command"), await run("LATENCY LATEST")];
    seen.push([name, more, reset, await run("LATENCY DOCTOR")]);
  }
  real.close();
  expect(seen[0]).toEqual(seen[1]);
});

test("events of LATENCY: a fast command that has much to do, passes of expiry", async () => {
  await client.command("CONFIG", "SET", "latency-monitor-threshold", "1");
  const names = async () => {
    const latest = await client.command("LATENCY", "LATEST") as [string][];
    return latest.map(([name]) => name);
  };
  const members = Array.from({ length: 50_000 }, (_, i) => `member ${i}`);
  await client.command("SADD", "large", ...members);
  expect(await names()).toContain("fast-command");
  // Some pass of the many takes a millisecond.
  await until(async () => {
    for (let i = 0; i < 100; i++) {
      const values = members.slice(i * 100, i * 100 + 100).flatMap((key) => [key, "x"]);
      const deathMs = String(Date.now() + 300);
      await client.command("MSET", ...values);
      await Promise.all(
        members.slice(i * 100, i * 100 + 100).map((key) =>
          client.command("PEXPIREAT", key, deathMs)
        ),
      );
    }
    return (await names()).includes("expire-cycle");
  }, "a pass of expiry that is an event");
  await client.command("CONFIG", "SET", "latency-monitor-threshold", "0");
  expect(await client.command("LATENCY", "RESET", "expire-cycle")).toBe(1);
  await client.command("LATENCY", "RESET");
});

test("INFO counts keys that reads found and did not find, and fields that expired", async () => {
  const figures = async () => {
    const info = String(await client.command("INFO", "stats"));
    return ["keyspace_hits", "keyspace_misses", "expired_subkeys"].map((name) =>
      Number(new RegExp(`\\n${name}:(\\d+)\r`).exec(info)?.[1])
    );
  };
  const before = await figures();
  await client.command("HSET", "counted", "f", "1", "g", "2");
  await client.command("HGET", "counted", "f");
  await client.command("EXISTS", "counted", "nothing");
  await client.command("HPEXPIRE", "counted", "1", "FIELDS", "1", "f");
  const differences = async () => (await figures()).map((value, at) => value - before[at]);
  await until(async () => (await differences())[2] === 1, "the field to expire");
  expect(await differences()).toEqual([2, 1, 1]);
});

test("INFO counts what users were refused, ACL LOG numbers it, and MODULE LIST is empty", async () => {
  await client.command("ACL", "SETUSER", "held", "on", "nopass", "~k", "+get", "+publish");
  const held = await RespClient.open(balsa.port);
  for (const words of ["AUTH held x", "SET k 1", "GET other", "PUBLISH c x", "AUTH no one"]) {
    await held.command(...words.split(" "));
  }
  const info = String(await client.command("INFO", "stats"));
  const found = [...info.matchAll(/acl_access_denied_(\w+):(\d+)/g)].map(([, ...each]) => each);
  expect(found).toEqual(["auth", "cmd", "key", "channel"].map((kind) => [kind, "1"]));
  const log = await client.command("ACL", "LOG") as unknown[][];
  expect(log.map((entry) => entry[entry.indexOf("entry-id") + 1])).toEqual([3, 2, 1, 0]);
  const [entry] = log;
  expect(entry[entry.indexOf("timestamp-created") + 1]).toBeGreaterThan(1_600_000_000_000);
  expect(await client.command("MODULE", "LIST")).toEqual([]);
  await client.command("ACL", "DELUSER", "held");
  held.close();
});

test("MEMORY STATS has the figures of INFO", async () => {
  const stats = await client.command("MEMORY", "STATS") as (string | number)[];
  expect(stats.filter((_, at) => at % 2 === 0))
    .toEqual(["total.allocated", "rss.allocated", "dataset.bytes", "lua.caches"]);
  expect(stats[1]).toBeGreaterThan(0);
});

test("client-output-buffer-limit cuts off who leaves too much unread", async () => {
  await client.command("SET", "big", "x".repeat(200_000));
  await client.command("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0");
  const reader = await RespClient.open(balsa.port);
  const reply = await reader.command("GET", "big").then(() => "a reply", () => "cut off");
  expect(reply).toBe("cut off");
  expect(await client.command("STRLEN", "big")).toBe(200_000);
});

test("beyond maxmemory what adds data is refused, and nothing else", async () => {
  await client.command("SET", "k", "1");
  await client.command("CONFIG", "SET", "maxmemory", "1");
  const refused = "OOM command not allowed when used memory > 'maxmemory'.";
  expect(await client.command("SET", "k", "2")).toEqual(new RespError(refused));
  const once = ["IDEMPOTENT", "once", "1000"];
  expect(await client.command(...once, "SET", "k", "2")).toEqual(new RespError(refused));
  expect(await client.command(...once, "DEL", "nothing")).toBe(0);
  expect(await client.command("GET", "k")).toBe("1");
  expect(await client.command("MULTI")).toBe("OK");
  expect(await client.command("LPUSH", "l", "x")).toEqual(new RespError(refused));
  expect(await client.command("EXEC")).toBeInstanceOf(RespError);
  expect(await client.command("DEL", "k")).toBe(1);
  expect(await client.command("CONFIG", "SET", "maxmemory", "0")).toBe("OK");
  expect(await client.command("SET", "k", "2")).toBe("OK");
});

test("a client that CLIENT PAUSE holds back counts as blocked", async () => {
  await client.command("CLIENT", "PAUSE", "60000", "WRITE");
  const writer = await RespClient.open(balsa.port);
  const reply = writer.command("SET", "k", "1");
  await until(
    async () => /blocked_clients:1\r/.test(String(await client.command("INFO", "clients"))),
    "one blocked client",
  );
  await client.command("CLIENT", "UNPAUSE");
  expect(await reply).toBe("OK");
  writer.close();
});
