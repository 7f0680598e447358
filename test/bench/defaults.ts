import { DEFAULT_RUNTIME, type Server, startBalsa, startRedis } from "../system/harness.ts";
import { capture, median } from "./load.ts";
import { table } from "./report.ts";

/** redis-benchmark's names of tests, and the requests a second of each round. */
type Rates = Map<string, number[]>;

/** redis-benchmark's default tests on both servers, rounds in turn; resolves to the table. */
export async function benchDefaults(
  requests: number,
  rounds: number,
  redisArgs: readonly string[],
): Promise<string> {
  const [balsa, redis] = await Promise.all([startBalsa({ http: false }), startRedis(redisArgs)]);
  console.log(
    `balsa on ${DEFAULT_RUNTIME}, redis-server ${redisArgs.join(" ")}, 50 clients, ` +
      `${requests} requests, ${rounds} rounds`,
  );
  const rates = { balsa: new Map() as Rates, redis: new Map() as Rates };
  for (let round = 1; round <= rounds; round++) {
    const servers = [["redis", redis], ["balsa", balsa]] as const;
    for (const [side, server] of round % 2 === 1 ? servers : [...servers].reverse()) {
      await run(server, requests, rates[side]);
      console.log(`round ${round}/${rounds}  ${side}`);
    }
  }
  await Promise.all([balsa.stop(), redis.stop()]);
  return table(
    ["requests/s", "Balsa", "Redis", "ratio"],
    [...rates.balsa].map(([name, samples]) => {
      const [ours, theirs] = [median(samples), median(rates.redis.get(name) ?? [])];
      const rate = (value: number) => Math.round(value).toLocaleString("en");
      return [name, rate(ours), rate(theirs), (ours / theirs).toFixed(2)];
    }),
  );
}

async function run(server: Pick<Server, "port">, requests: number, rates: Rates): Promise<void> {
  const words = ["-p", String(server.port), "-n", String(requests), "--csv"];
  for (const line of (await capture("redis-benchmark", words)).split("\n")) {
    const cells = /^"(.+?)","([\d.]+)"/.exec(line);
    if (cells === null) continue;
    const [, name, rate] = cells;
    rates.set(name, [...rates.get(name) ?? [], Number(rate)]);
  }
}
