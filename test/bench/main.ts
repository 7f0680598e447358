import { writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  cleanupAll,
  cpuSeconds,
  DEFAULT_RUNTIME,
  residentBytes,
  type Server,
  startBalsa,
  startRedis,
} from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { fill, type Load, runLoad } from "./load.ts";
import { type Memory, renderTable, type Row, rowName, type Sample, summarize } from "./report.ts";
import type { Side } from "./report.ts";

const ROUNDS = 3;
const CLIENTS = 50;
/** redis-server with the durability that Balsa has: a reply after the fsync. */
const REDIS_ARGS = ["--appendonly", "yes", "--appendfsync", "always"];

/** The lines of the table; `scale` shortens the runs. */
function makeRows(scale: number): Row[] {
  const row = (kind: Row["kind"], load: Load): Row => ({
    kind,
    load: { ...load, requests: Math.round(load.requests * scale) },
    balsa: [],
    redis: [],
  });
  return [
    row("rate", { command: "SET", clients: CLIENTS, pipeline: 1, requests: 80_000 }),
    row("rate", { command: "SET", clients: CLIENTS, pipeline: 16, requests: 320_000 }),
    row("rate", { command: "GET", clients: CLIENTS, pipeline: 1, requests: 120_000 }),
    row("rate", { command: "GET", clients: CLIENTS, pipeline: 16, requests: 480_000 }),
    row("latency", { command: "SET", clients: 1, pipeline: 1, requests: 6000 }),
    row("latency", { command: "GET", clients: 1, pipeline: 1, requests: 10_000 }),
  ];
}

async function measure(server: Server, load: Load): Promise<Sample> {
  const before = cpuSeconds(server.pid);
  const measured = await runLoad(server.port, load).catch((error) => {
    throw new Error(`${rowName(load)}: ${error.message}\n${server.output()}`);
  });
  return { ...measured, cpuSeconds: cpuSeconds(server.pid) - before };
}

async function runRounds(servers: Readonly<Record<Side, Server>>, rows: Row[]): Promise<void> {
  for (let round = 1; round <= ROUNDS; round++) {
    for (const row of rows) {
      const order: Side[] = round % 2 === 1 ? ["redis", "balsa"] : ["balsa", "redis"];
      for (const side of order) row[side].push(await measure(servers[side], row.load));
      const last = (side: Side) => Math.round(row[side][round - 1].requestsPerSecond);
      console.log(
        `round ${round}/${ROUNDS}  ${rowName(row.load).padEnd(28)}` +
          `  balsa ${last("balsa")}/s  redis ${last("redis")}/s`,
      );
    }
  }
}

async function redisVersion(server: Server): Promise<string> {
  const client = await RespClient.open(server.port);
  const info = String(await client.command("INFO", "server"));
  client.close();
  return /redis_version:(\S+)/.exec(info)?.[1] ?? "unknown";
}

/** The bench: both servers side by side in one run; resolves to the text of the tables. */
async function bench(scale: number, outPath: string): Promise<string> {
  const [balsa, redis] = await Promise.all([
    startBalsa({ http: false }),
    startRedis(REDIS_ARGS),
  ]);
  const servers = { balsa, redis };
  const idle = { balsa: residentBytes(balsa.pid), redis: residentBytes(redis.pid) };
  console.log(
    `balsa on ${DEFAULT_RUNTIME}, redis-server ${await redisVersion(redis)} ` +
      REDIS_ARGS.join(" "),
  );
  console.log("filling both with 100,000 keys of 64 bytes");
  await fill(redis.port);
  await fill(balsa.port);
  const rows = makeRows(scale);
  await runRounds(servers, rows);
  const memory: Record<Side, Memory> = {
    balsa: { idleBytes: idle.balsa, afterBytes: residentBytes(balsa.pid) },
    redis: { idleBytes: idle.redis, afterBytes: residentBytes(redis.pid) },
  };
  const summaries = rows.map(summarize);
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? "",
    memoryBytes: totalmem(),
    kernel: release(),
    scratch: tmpdir(),
  };
  const when = new Date().toISOString();
  const document = {
    when,
    runtime: DEFAULT_RUNTIME,
    machine,
    rows: summaries,
    memory,
    samples: rows,
  };
  writeFileSync(outPath, JSON.stringify(document, undefined, 2) + "\n");
  await Promise.all([balsa.stop(), redis.stop()]);
  return renderTable(summaries, memory);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      out: { type: "string", default: join(tmpdir(), `balsa-bench-${Date.now()}.json`) },
    },
  });
  const text = await bench(values.quick ? 0.2 : 1, values.out);
  console.log(`\n${text}\n\nwritten to ${values.out}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main();
  cleanupAll();
  process.exit(0);
}
