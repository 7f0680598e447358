import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { Clients } from "./cluster_clients.ts";
import { type ClusterNode, stateContents, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, type Runtime, sleep } from "./harness.ts";
import { RespClient } from "./resp_client.ts";
import { checkHistory, explain } from "../checker/check.ts";

export type Fault =
  | "kill_leader"
  | "kill_follower"
  | "kill_all"
  | "pause_leader"
  | "pause_follower"
  | "stop_leader"
  | "transfer"
  | "kill_two";

/** Shorter than a cluster without a majority stays so, longer than an election. */
const REQUEST_TIMEOUT_MS = 2000;

export interface ChaosOptions {
  readonly durationMs: number;
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** A leader or follower is held by SIGSTOP this long. */
  readonly pauseMs: number;
  readonly runtimes?: readonly Runtime[];
  /** Commands that a client has under way at a time. */
  readonly pipeline?: number;
  readonly log?: (text: string) => void;
}

export interface ChaosResult {
  readonly operations: number;
  readonly counts: Clients["counts"];
  readonly faults: number;
  /** The longest time without an acknowledged write at any node. */
  readonly longestPauseMs: number;
}

/**
 * Clients at all nodes work while faults come; then the cluster must become whole, their history
 * must be linearizable, and all nodes must hold the same. Throws where one of it fails.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const log = options.log ?? (() => {});
  const cluster = await TestCluster.start({
    runtimes: options.runtimes,
    args: ["--request-timeout", `${REQUEST_TIMEOUT_MS}ms`],
  });
  const clients = new Clients({
    nodes: cluster.nodes,
    clientsPerNode: 2,
    pipeline: options.pipeline ?? 3,
    seed: options.seed,
  });
  let faults = 0;
  const endMs = performance.now() + options.durationMs;
  while (performance.now() < endMs) {
    await sleep(700);
    const fault = options.faults[faults++ % options.faults.length];
    log(`${fault}`);
    await inject(cluster, fault, options.pauseMs);
    clients.nextPhase();
  }
  await sleep(500);
  const leader = await cluster.leader();
  await clients.stop();
  await clients.readAll(leader);
  log(`converging, ${JSON.stringify(clients.counts)}`);
  await cluster.converged();
  const found = clients.faults[0] ?? explain(checkHistory(clients.history));
  const nodes = cluster.nodes;
  await cluster.kill();
  for (const node of nodes) node.start();
  await cluster.leader();
  await cluster.converged();
  await cluster.stop();
  const contents = nodes.map((node) => stateContents(node.data).hash);
  const problem = found ??
    (new Set(contents).size === 1 ? undefined : `state.db differs: ${contents.join()}`);
  if (problem !== undefined) {
    const path = join(mkdtempSync(join(tmpdir(), "balsa-chaos-")), "output.txt");
    writeFileSync(path, cluster.output);
    throw new Error(`seed ${options.seed}: ${problem}\nthe nodes' output: ${path}`);
  }
  return {
    operations: clients.history.length,
    counts: clients.counts,
    faults,
    longestPauseMs: longestGap(clients.acknowledgedMs),
  };
}

async function inject(cluster: TestCluster, fault: Fault, pauseMs: number): Promise<void> {
  if (fault === "kill_all") {
    await cluster.kill();
    for (const node of cluster.nodes) node.start();
    await cluster.leader();
    return;
  }
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader && node.isRunning);
  const node: ClusterNode = fault.endsWith("follower") && follower !== undefined
    ? follower
    : leader;
  if (fault === "kill_two" && follower !== undefined) {
    await Promise.all([leader.kill9(), follower.kill9()]);
    await sleep(REQUEST_TIMEOUT_MS + 500);
    leader.start();
    follower.start();
    await cluster.leader();
    return;
  }
  if (fault === "transfer") {
    const client = await RespClient.open(node.port);
    await client.command("RAFT.TRANSFER_LEADER");
    client.close();
    return;
  }
  if (fault.startsWith("pause")) {
    node.signal("SIGSTOP");
    await sleep(pauseMs);
    node.signal("SIGCONT");
    return;
  }
  if (fault.startsWith("stop")) await node.stop();
  else await node.kill9();
  await sleep(800);
  node.start();
  await sleep(500);
}

function longestGap(times: readonly number[]): number {
  let longest = 0;
  const sorted = [...times].sort((a, b) => a - b);
  for (let i = 1; i < sorted.length; i++) longest = Math.max(longest, sorted[i] - sorted[i - 1]);
  return Math.round(longest);
}

const ALL: readonly Fault[] = [
  "kill_leader",
  "pause_leader",
  "kill_follower",
  "stop_leader",
  "pause_follower",
  "kill_two",
  "transfer",
  "kill_all",
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "1" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      runtimes: { type: "string" },
      faults: { type: "string" },
      pipeline: { type: "string" },
      pause: { type: "string", default: "3" },
    },
  });
  const endMs = performance.now() + Number(values.minutes) * 60_000;
  for (let seed = Number(values.seed); performance.now() < endMs; seed++) {
    console.log(`seed ${seed}`);
    const result = await runChaos({
      durationMs: Math.min(30_000, endMs - performance.now()),
      seed,
      faults: values.faults === undefined ? ALL : values.faults.split(",") as Fault[],
      pauseMs: Number(values.pause) * 1000,
      runtimes: values.runtimes?.split(",") as Runtime[] | undefined,
      pipeline: values.pipeline === undefined ? undefined : Number(values.pipeline),
      log: (text) => console.log(`${new Date().toISOString()} ${text}`),
    });
    console.log(JSON.stringify(result));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let code = 0;
  try {
    await main();
  } catch (error) {
    console.error(error);
    code = 1;
  }
  cleanupAll();
  process.exit(code);
}
