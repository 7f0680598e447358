import { DEFAULT_RUNTIME, startBalsa } from "../system/harness.ts";
import { Connection, drive, request } from "./driver.ts";
import { median } from "./load.ts";
import { table } from "./report.ts";

const SMALL = 100;
const ELEMENTS_PER_REQUEST = 500;
const REQUESTS = 1000;

type Words = (key: string, n: number) => (string | number)[];

/** How a type is filled with element n, and what is measured on it. */
const TYPES: Record<string, { fill: Words; command: string; measured: Record<string, Words> }> = {
  list: {
    command: "RPUSH",
    fill: (_, n) => [`value:${n}`],
    measured: {
      LINDEX: (key, n) => ["LINDEX", key, n],
      LRANGE: (key, n) => ["LRANGE", key, n, n + 9],
      LPUSH: (key, n) => ["LPUSH", key, n],
    },
  },
  hash: {
    command: "HSET",
    fill: (_, n) => [`field:${n}`, "value"],
    measured: {
      HGET: (key, n) => ["HGET", key, `field:${n}`],
      HSET: (key, n) => ["HSET", key, `field:${n}`, "changed"],
    },
  },
  set: {
    command: "SADD",
    fill: (_, n) => [`member:${n}`],
    measured: {
      SISMEMBER: (key, n) => ["SISMEMBER", key, `member:${n}`],
      SADD: (key, n) => ["SADD", key, `new:${n}`],
    },
  },
  zset: {
    command: "ZADD",
    fill: (_, n) => [n, `member:${n}`],
    measured: {
      ZSCORE: (key, n) => ["ZSCORE", key, `member:${n}`],
      ZRANK: (key, n) => ["ZRANK", key, `member:${n}`],
      ZRANGE: (key, n) => ["ZRANGE", key, n, n + 9],
      ZADD: (key, n) => ["ZADD", key, n + 0.5, `member:${n}`],
    },
  },
};

/** Costs on a key of many elements against one of a hundred; resolves to the tables. */
export async function benchCosts(elements: number): Promise<string> {
  const server = await startBalsa({ http: false });
  const { port } = server;
  console.log(`balsa on ${DEFAULT_RUNTIME}, keys of ${elements} elements and of ${SMALL}`);
  const rows: string[][] = [];
  const ends = [["nothing", "-", (await beside(port, ["PING"])).toFixed(1)]];
  const client = await Connection.open(port);
  for (const [type, { command, fill, measured }] of Object.entries(TYPES)) {
    for (const [key, size] of [["small", SMALL], ["large", elements]] as const) {
      let n = 0;
      await drive(port, 2, 2, () => {
        if (n >= size) return undefined;
        const words: (string | number)[] = [command, key];
        for (let i = 0; i < ELEMENTS_PER_REQUEST && n < size; i++) words.push(...fill(key, n++));
        return request(...words);
      });
    }
    for (const [name, words] of Object.entries(measured)) {
      const small = await medianMs(client, (n) => words("small", n), SMALL);
      const large = await medianMs(client, (n) => words("large", n), elements);
      console.log(`  ${name}  ${small.toFixed(3)}  ${large.toFixed(3)} ms`);
      rows.push([name, small.toFixed(3), large.toFixed(3), (large / small).toFixed(1)]);
    }
    ends.push([type, "DEL", (await beside(port, ["DEL", "large"])).toFixed(1)]);
    await client.send(request("DEL", "small"));
  }
  client.close();
  await server.stop();
  return table(["one client's p50, ms", `of ${SMALL}`, `of ${elements}`, "times"], rows) +
    "\n\n" + table(["of that many elements", "", "longest PING beside, ms"], ends);
}

async function medianMs(
  client: Connection,
  words: (n: number) => (string | number)[],
  size: number,
): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const { ms, error } = await client.send(request(...words(Math.floor(Math.random() * size))));
    if (error !== "") throw new Error(error);
    times.push(ms);
  }
  return median(times);
}

/** The longest PING of another client while a command runs, and for two seconds from then on. */
async function beside(port: number, words: string[]): Promise<number> {
  const [client, other] = [await Connection.open(port), await Connection.open(port)];
  const endMs = performance.now() + 2000;
  void client.send(request(...words));
  let longest = 0;
  while (performance.now() < endMs) {
    longest = Math.max(longest, (await other.send(request("PING"))).ms);
  }
  client.close();
  other.close();
  return longest;
}
