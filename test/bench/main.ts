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
import { TestCluster } from "../system/cluster_harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { type FailoverRow, measureFailover, renderFailover } from "./failover.ts";
import { benchCold } from "./cold.ts";
import { benchCosts } from "./costs.ts";
import { benchDefaults } from "./defaults.ts";
import { benchGrowth } from "./growth.ts";
import { benchHttp } from "./http.ts";
import { fill, type Load, runLoad, SCRIPT } from "./load.ts";
import { benchMixes } from "./mixes.ts";
import { type Memory, renderTable, type Row, rowName, type Sample, summarize } from "./report.ts";
import { benchSmallMachine } from "./small_machine.ts";
import type { Side } from "./report.ts";
import { benchStart } from "./start.ts";
import { benchStalls } from "./stalls.ts";
import { benchSlowDisk } from "./slow_disk.ts";

const ROUNDS = 3;
const CLIENTS = 50;
const MANY_CLIENTS = 200;
const FAILOVERS = 20;
/** redis-server with the durability that Balsa has: a reply after the fsync. */
const REDIS_ARGS = ["--appendonly", "yes", "--appendfsync", "always"];

const HELP = `bun run bench [--nodes 3] [--quick] [--out FILE]: SET and GET beside redis-server

Instead of these: --streams, --scripts, --defaults, --mixes [--nodes 3], --http, --growth, --costs,
--start, --slow-disk, --small-machine. BALSA_RUNTIME=deno|binary|node measures another runtime;
test/bench/README.md tells the rest.`;

/** What the table is about. */
type RowsOf = "strings" | "scripts" | "streams";

/** The lines of the table; `scale` shortens the runs. */
function makeRows(scale: number, nodes: number, subject: RowsOf): Row[] {
  const row = (kind: Row["kind"], load: Load): Row => ({
    kind,
    load: { ...load, requests: Math.round(load.requests * scale) },
    balsa: [],
    redis: [],
  });
  if (subject === "streams") {
    return [
      row("rate", { command: "XADD", clients: CLIENTS, pipeline: 1, requests: 80_000 }),
      row("rate", { command: "XADD", clients: CLIENTS, pipeline: 16, requests: 320_000 }),
      row("rate", { command: "XREAD", clients: CLIENTS, pipeline: 16, requests: 160_000 }),
      row("latency", { command: "XADD", clients: 1, pipeline: 1, requests: 6000 }),
    ];
  }
  if (subject === "scripts") {
    return [
      row("rate", { command: "EVALSHA", clients: CLIENTS, pipeline: 1, requests: 80_000 }),
      row("rate", { command: "EVALSHA", clients: CLIENTS, pipeline: 16, requests: 320_000 }),
      row("latency", { command: "EVALSHA", clients: 1, pipeline: 1, requests: 6000 }),
    ];
  }
  const inCluster = [
    row("rate", { command: "SET", clients: MANY_CLIENTS, pipeline: 1, requests: 80_000 }),
    row("rate", { command: "GET", clients: MANY_CLIENTS, pipeline: 1, requests: 120_000 }),
    row("rate", { command: "MSET", clients: CLIENTS, pipeline: 1, requests: 40_000 }),
  ];
  return [
    ...(nodes > 1 ? inCluster : []),
    row("rate", { command: "SET", clients: CLIENTS, pipeline: 1, requests: 80_000 }),
    row("rate", { command: "SET", clients: CLIENTS, pipeline: 16, requests: 320_000 }),
    row("rate", { command: "GET", clients: CLIENTS, pipeline: 1, requests: 120_000 }),
    row("rate", { command: "GET", clients: CLIENTS, pipeline: 16, requests: 480_000 }),
    row("latency", { command: "SET", clients: 1, pipeline: 1, requests: 6000 }),
    row("latency", { command: "GET", clients: 1, pipeline: 1, requests: 10_000 }),
  ];
}

/** What is driven: a process and its RESP port. */
type Driven = Pick<Server, "port" | "pid" | "output">;

/** One node, or the leader of several as it is now, and how to stop them. */
interface Subject {
  driven(): Promise<Driven>;
  stop(): Promise<unknown>;
  readonly cluster?: TestCluster;
}

async function startSubject(nodes: number): Promise<Subject> {
  if (nodes === 1) {
    const server = await startBalsa({ http: false });
    return { driven: () => Promise.resolve(server), stop: () => server.stop() };
  }
  const cluster = await TestCluster.start({ nodes });
  const driven = async (): Promise<Driven> => {
    const leader = await cluster.leader();
    return { port: leader.port, pid: leader.pid, output: () => cluster.output };
  };
  return { driven, stop: () => cluster.stop(), cluster };
}

async function measure(server: Driven, load: Load): Promise<Sample> {
  const before = cpuSeconds(server.pid);
  const measured = await runLoad(server.port, load).catch((error) => {
    throw new Error(`${rowName(load)}: ${error.message}\n${server.output()}`);
  });
  return { ...measured, cpuSeconds: cpuSeconds(server.pid) - before };
}

async function runRounds(
  servers: Readonly<Record<Side, () => Promise<Driven>>>,
  rows: Row[],
): Promise<void> {
  for (let round = 1; round <= ROUNDS; round++) {
    for (const row of rows) {
      const order: Side[] = round % 2 === 1 ? ["redis", "balsa"] : ["balsa", "redis"];
      for (const side of order) row[side].push(await measure(await servers[side](), row.load));
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
async function bench(
  scale: number,
  outPath: string,
  nodes: number,
  rowsOf: RowsOf,
): Promise<string> {
  const [subject, redis] = await Promise.all([startSubject(nodes), startRedis(REDIS_ARGS)]);
  const balsa = await subject.driven();
  const idle = { balsa: residentBytes(balsa.pid), redis: residentBytes(redis.pid) };
  console.log(
    `balsa on ${DEFAULT_RUNTIME}, ${nodes} node${nodes > 1 ? "s, driven at their leader" : ""}; ` +
      `redis-server ${await redisVersion(redis)} ${REDIS_ARGS.join(" ")}`,
  );
  console.log("filling both with 100,000 keys of 64 bytes");
  await fill(redis.port);
  await fill(balsa.port);
  for (const { port } of [redis, balsa]) {
    const client = await RespClient.open(port);
    await client.command("SCRIPT", "LOAD", SCRIPT);
    client.close();
  }
  const rows = makeRows(scale, nodes, rowsOf);
  await runRounds({ balsa: subject.driven, redis: () => Promise.resolve(redis) }, rows);
  const after = await subject.driven();
  const memory: Record<Side, Memory> = {
    balsa: { idleBytes: idle.balsa, afterBytes: residentBytes(after.pid) },
    redis: { idleBytes: idle.redis, afterBytes: residentBytes(redis.pid) },
  };
  await redis.stop();
  const failovers: FailoverRow[] = [];
  if (subject.cluster !== undefined) {
    const count = Math.max(5, Math.round(FAILOVERS * scale));
    failovers.push(await measureFailover(subject.cluster, "SIGKILL", count));
    failovers.push(await measureFailover(subject.cluster, "SIGTERM", count));
  }
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
    nodes,
    rows: summaries,
    failovers,
    memory,
    samples: rows,
  };
  writeFileSync(outPath, JSON.stringify(document, undefined, 2) + "\n");
  await subject.stop();
  const table = renderTable(summaries, memory);
  return failovers.length === 0 ? table : `${table}\n\n${renderFailover(failovers)}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: "1" },
      http: { type: "boolean", default: false },
      scripts: { type: "boolean", default: false },
      streams: { type: "boolean", default: false },
      "slow-disk": { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      growth: { type: "boolean", default: false },
      start: { type: "boolean", default: false },
      stalls: { type: "boolean", default: false },
      cold: { type: "boolean", default: false },
      costs: { type: "boolean", default: false },
      defaults: { type: "boolean", default: false },
      mixes: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
      sizes: { type: "string", default: "10000,100000,1000000,10000000" },
      "small-machine": { type: "boolean", default: false },
      "limit-mb": { type: "string", default: "256" },
      "cache-mb": { type: "string" },
      "data-mb": { type: "string", default: "1024" },
      seconds: { type: "string" },
      out: { type: "string", default: join(tmpdir(), `balsa-bench-${Date.now()}.json`) },
    },
  });
  if (values.help) return console.log(HELP);
  if (values.http) {
    console.log(`\n${await benchHttp(values.quick ? 0.2 : 1, REDIS_ARGS)}`);
    return;
  }
  if (values["slow-disk"]) {
    console.log(`\n${await benchSlowDisk(values.quick ? 0.2 : 1)}`);
    return;
  }
  if (values.defaults) {
    const requests = values.quick ? 10_000 : 100_000;
    console.log(`\n${await benchDefaults(requests, values.quick ? 1 : ROUNDS, REDIS_ARGS)}`);
    return;
  }
  if (values.mixes) {
    const scale = values.quick ? 0.2 : 1;
    const rounds = values.quick ? 1 : ROUNDS;
    console.log(`\n${await benchMixes(scale, rounds, Number(values.nodes), REDIS_ARGS)}`);
    return;
  }
  if (values.cold) {
    console.log(`\n${await benchCold(values.quick ? 100_000 : 1_000_000)}`);
    return;
  }
  if (values.costs) {
    console.log(`\n${await benchCosts(values.quick ? 100_000 : 1_000_000)}`);
    return;
  }
  if (values.stalls) {
    const [elements, expiring] = values.quick ? [100_000, 10_000] : [1_000_000, 100_000];
    const seconds = Number(values.seconds ?? 10);
    console.log(`\n${await benchStalls({ elements, expiring, seconds })}`);
    return;
  }
  if (values.start) {
    console.log(`\n${await benchStart(values.quick ? 100 : 1024)}`);
    return;
  }
  if (values.growth) {
    const quick = "10000,100000";
    const sizes = (values.quick ? quick : values.sizes).split(",").map(Number);
    const seconds = Number(values.seconds ?? 5);
    console.log(`\n${await benchGrowth({ sizes, seconds, outPath: values.out })}`);
    console.log(`\nwritten to ${values.out}`);
    return;
  }
  if (values["small-machine"]) {
    const cacheMb = values["cache-mb"] === undefined ? undefined : Number(values["cache-mb"]);
    const [limitMb, dataMb] = [Number(values["limit-mb"]), Number(values["data-mb"])];
    await benchSmallMachine({ limitMb, cacheMb, dataMb, seconds: Number(values.seconds ?? 10) });
    return;
  }
  const scale = values.quick ? 0.2 : 1;
  const rowsOf = values.scripts ? "scripts" : values.streams ? "streams" : "strings";
  const text = await bench(scale, values.out, Number(values.nodes), rowsOf);
  console.log(`\n${text}\n\nwritten to ${values.out}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main();
  cleanupAll();
  process.exit(0);
}
