import { join } from "node:path";
import {
  DEFAULT_RUNTIME,
  residentBytes,
  scratchDirectory,
  sleep,
  startBalsa,
} from "../system/harness.ts";
import { Connection, drive, request } from "./driver.ts";
import { median } from "./load.ts";
import { table } from "./report.ts";

const PER_REQUEST = 200;
const REPEATS = 200;
const REST_MS = 1000;

type Words = (n: number) => (string | number)[];

/** How keys are filled with element n: one command a request, or one for each element. */
const FILLS: Readonly<Record<string, { command: string; words: Words; single?: boolean }>> = {
  list: { command: "RPUSH", words: (n) => [`value:${n}`] },
  hash: { command: "HSET", words: (n) => [`field:${n}`, "value"] },
  set: { command: "SADD", words: (n) => [`member:${n}`] },
  gaps: { command: "SADD", words: (n) => [`member:${n}`] },
  zset: { command: "ZADD", words: (n) => [n, `member:${n}`] },
  stream: { command: "XADD", words: (n) => [`${n + 1}-0`, "field", `value:${n}`], single: true },
};

/** What is measured, in this order; `n` is any element. */
const MEASURED: readonly Words[] = [
  () => ["LPOP", "list"],
  () => ["RPUSH", "list", "more"],
  () => ["LRANGE", "list", 0, 9],
  (n) => ["LINDEX", "list", n],
  (n) => ["LSET", "list", n, "other"],
  (n) => ["HGET", "hash", `field:${n}`],
  () => ["HRANDFIELD", "hash"],
  (n) => ["SISMEMBER", "set", `member:${n}`],
  () => ["SPOP", "set"],
  () => ["SRANDMEMBER", "gaps"],
  () => ["SPOP", "gaps"],
  () => ["XADD", "stream", "*", "field", "value"],
  () => ["XREADGROUP", "GROUP", "group", "me", "COUNT", 10, "STREAMS", "stream", ">"],
  (n) => ["XACK", "stream", "group", `${n}-0`],
  (n) => ["XRANGE", "stream", `${n}-0`, "+", "COUNT", 10],
  (n) => ["XDEL", "stream", `${n}-0`],
  (n) => ["ZSCORE", "zset", `member:${n}`],
  (n) => ["ZADD", "zset", n + 0.5, `member:${n}`],
  (n) => ["ZRANK", "zset", `member:${n}`],
  (n) => ["ZRANGE", "zset", n, n + 9],
];

/** What the first use of keys of many elements takes after a start; resolves to the table. */
export async function benchCold(elements: number): Promise<string> {
  const data = join(scratchDirectory(), "data");
  const first = await startBalsa({ http: false, data });
  console.log(`balsa on ${DEFAULT_RUNTIME}, keys of ${elements} elements`);
  for (const [key, { command, words, single }] of Object.entries(FILLS)) {
    let n = 0;
    await drive(first.port, 8, 16, () => {
      if (n >= elements) return undefined;
      if (single) return request(command, key, ...words(n++));
      const all: (string | number)[] = [command, key];
      for (let i = 0; i < PER_REQUEST && n < elements; i++) all.push(...words(n++));
      return request(...all);
    });
    console.log(`  ${key} filled`);
  }
  const client = await Connection.open(first.port);
  await client.send(request("XGROUP", "CREATE", "stream", "group", "0"));
  for (let n = 0; n < elements; n += 1000) {
    await client.send(request("SREM", "gaps", `member:${n}`));
  }
  client.close();
  await first.stop();
  const server = await startBalsa({ http: false, data });
  await sleep(REST_MS);
  const before = residentBytes(server.pid);
  const other = await Connection.open(server.port);
  const rows: string[][] = [];
  for (const words of MEASURED) {
    const times: number[] = [];
    for (let i = 0; i <= REPEATS; i++) {
      const anyOf = i === 0 ? elements >> 1 : Math.floor(Math.random() * elements);
      const { ms, error } = await other.send(request(...words(anyOf)));
      if (error !== "") throw new Error(error);
      times.push(ms);
    }
    const [name, key] = words(0).map(String);
    const of = name === "XREADGROUP" ? "stream" : key;
    const row = [`${name} ${of}`, times[0].toFixed(2), median(times.slice(1)).toFixed(3)];
    console.log(`  ${row.join("  ")}`);
    const grown = (residentBytes(server.pid) - before) / 2 ** 20;
    rows.push([...row, grown.toFixed(0)]);
  }
  other.close();
  await server.stop();
  const titles = ["after a start, ms", "the first", "p50 of the next 200", "RSS grew by, MB"];
  return table(titles, rows);
}
