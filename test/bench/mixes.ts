import { TestCluster } from "../system/cluster_harness.ts";
import { DEFAULT_RUNTIME, startBalsa, startRedis } from "../system/harness.ts";
import { drive, request } from "./driver.ts";
import { capture, median, parseCsv } from "./load.ts";
import { table } from "./report.ts";

/** A load, and how to put it on a server: resolves to requests a second. */
interface Mix {
  readonly name: string;
  readonly run: (port: number) => Promise<number>;
}

/** Loads that the main table has not: sizes of values, numbers of clients and of keys, mixes. */
function makeMixes(scale: number): Mix[] {
  const mixes: Mix[] = [];
  const add = (
    name: string,
    command: "SET" | "GET",
    load: { bytes?: number; keys?: number; clients?: number; pipeline?: number; requests?: number },
  ) => {
    const { bytes = 64, keys = 100_000, clients = 50, pipeline = 1, requests = 60_000 } = load;
    const words = ["-c", clients, "-P", pipeline, "-d", bytes, "-r", keys, "--csv"];
    words.push("-n", Math.max(clients, Math.round(requests * scale)), "-t", command.toLowerCase());
    mixes.push({
      name: `${command}, ${name}`,
      run: async (port) => {
        const text = await capture("redis-benchmark", ["-p", String(port), ...words.map(String)]);
        return parseCsv(text, command).requestsPerSecond;
      },
    });
  };
  for (const [bytes, keys, requests] of SIZES) {
    for (const command of ["SET", "GET"] as const) {
      add(`${bytes.toLocaleString("en")} bytes`, command, { bytes, keys, requests });
    }
  }
  for (const keys of [100, 1_000_000]) {
    const name = `${keys.toLocaleString("en")} keys, pipeline 16`;
    for (const command of ["SET", "GET"] as const) {
      add(name, command, { keys, pipeline: 16, requests: 200_000 });
    }
  }
  for (const clients of [1, 10, 200, 1000]) {
    const requests = clients === 1 ? 5000 : 60_000;
    for (const command of ["SET", "GET"] as const) {
      add(`${clients.toLocaleString("en")} clients`, command, { clients, requests });
    }
  }
  for (const depth of [1, 16]) {
    const requests = Math.round((depth === 1 ? 60_000 : 200_000) * scale);
    mixes.push({
      name: `90% GET, 10% SET, pipeline ${depth}`,
      run: async (port) => (await drive(port, 50, depth, mixed(requests))).requestsPerSecond,
    });
  }
  return mixes;
}

/** Bytes of a value, keys, requests. */
const SIZES = [
  [10, 100_000, 60_000],
  [1000, 100_000, 60_000],
  [10_000, 2000, 20_000],
  [100_000, 200, 3000],
  [1_000_000, 20, 300],
] as const;

const VALUE = "x".repeat(64);

function mixed(requests: number): () => string | undefined {
  let left = requests;
  return () => {
    if (left-- <= 0) return undefined;
    const key = `key:${String(Math.floor(Math.random() * 100_000)).padStart(12, "0")}`;
    return left % 10 === 0 ? request("SET", key, VALUE) : request("GET", key);
  };
}

/** All mixes on both servers, rounds in turn; resolves to the table. */
export async function benchMixes(
  scale: number,
  rounds: number,
  nodes: number,
  redisArgs: readonly string[],
): Promise<string> {
  const redis = await startRedis(redisArgs);
  const cluster = nodes > 1 ? await TestCluster.start({ nodes }) : undefined;
  const single = cluster === undefined ? await startBalsa({ http: false }) : undefined;
  const balsa = await cluster?.leader() ?? single!;
  console.log(`balsa on ${DEFAULT_RUNTIME}, ${nodes} nodes; redis-server ${redisArgs.join(" ")}`);
  const rows: string[][] = [];
  for (const { name, run } of makeMixes(scale)) {
    const rates = { balsa: [] as number[], redis: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      const sides = [["balsa", balsa.port], ["redis", redis.port]] as const;
      for (const [side, port] of round % 2 === 0 ? sides : [...sides].reverse()) {
        rates[side].push(await run(port));
      }
    }
    const [ours, theirs] = [median(rates.balsa), median(rates.redis)];
    const rate = (value: number) => Math.round(value).toLocaleString("en");
    rows.push([name, rate(ours), rate(theirs), (ours / theirs).toFixed(2)]);
    console.log(rows.at(-1)!.join("  "));
  }
  await Promise.all([cluster?.stop(), single?.stop(), redis.stop()]);
  return table(["requests/s", "Balsa", "Redis", "ratio"], rows);
}
