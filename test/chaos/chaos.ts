import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckClients } from "../../cli/check_clients.ts";
import { Endpoint } from "../../cli/check_endpoint.ts";
import { Prng } from "../../src/base/prng.ts";
import { explain } from "../checker/check.ts";
import { type ClusterNode, equalStates } from "../system/cluster_harness.ts";
import { type Runtime, sleep } from "../system/harness.ts";
import { type Fault, type FaultName, FAULTS } from "./faults.ts";
import { PATIENCE_MS, World } from "./world.ts";

export interface ChaosOptions {
  readonly nodes: number;
  readonly durationMs: number;
  readonly seed: number;
  readonly faults: readonly FaultName[];
  readonly runtimes: readonly Runtime[];
  /** With partitions, power loss and full disks, where the system allows them. */
  readonly isWhole: boolean;
  /** Partitions by proxies, also where there could be network namespaces. */
  readonly useProxies?: boolean;
  readonly log?: (text: string) => void;
}

export interface ChaosResult {
  /** What was done how often, and the longest time without an acknowledged write meanwhile. */
  readonly faults: ReadonlyMap<FaultName, FaultRow>;
  readonly counts: CheckClients["recorder"]["counts"];
  readonly keys: number;
  readonly runs: ReadonlyMap<Runtime, number>;
}

export interface FaultRow {
  times: number;
  longestPauseMs: number;
}

const CLIENTS = 10;
/** So that the nodes, not the clients, have the processors. */
const PAUSE_MS = 3;
const REPLY_TIMEOUT_MS = 3500;
/** Between two faults. */
const CALM_MS = 250;

/**
 * Clients at all nodes work while faults come; then the cluster must become whole, what they saw
 * must be linearizable, and all nodes must hold the same. Throws where one of it fails.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const log = options.log ?? (() => {});
  const random = new Prng(options.seed);
  const { nodes, runtimes, isWhole, useProxies } = options;
  const world = await World.start({ nodes, random, runtimes, isWhole, useProxies, log });
  const run = new Run(world, options, random, log);
  try {
    return await run.toEnd();
  } catch (error) {
    const path = join(mkdtempSync(join(tmpdir(), "balsa-chaos-")), "output.txt");
    writeFileSync(path, world.output);
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${options.seed}: ${text}\nthe nodes' output: ${path}`);
  } finally {
    await world.close();
  }
}

class Run {
  readonly #world: World;
  readonly #options: ChaosOptions;
  readonly #random: Prng;
  readonly #log: (text: string) => void;
  readonly #clients: CheckClients;
  readonly #endpoints = new Map<ClusterNode, Endpoint>();
  readonly #rows = new Map<FaultName, FaultRow>();
  #queue: FaultName[] = [];
  /** The latest acknowledged write, and the longest time without one since the latest fault. */
  #latestMs = performance.now();
  #longestMs = 0;

  constructor(world: World, options: ChaosOptions, random: Prng, log: (text: string) => void) {
    this.#world = world;
    this.#options = options;
    this.#random = random;
    this.#log = log;
    this.#clients = new CheckClients({
      endpoints: () => world.machines.map(({ node }) => this.#endpoint(node)),
      clients: CLIENTS,
      depth: 2,
      seed: options.seed,
      prefix: "",
      lists: true,
      timeoutMs: REPLY_TIMEOUT_MS,
      pauseMs: PAUSE_MS,
      onDone: (isRead) => isRead || this.#wrote(),
    });
  }

  async toEnd(): Promise<ChaosResult> {
    const { recorder } = this.#clients;
    this.#clients.start();
    const endMs = performance.now() + this.#options.durationMs;
    while (performance.now() < endMs && recorder.verdict.kind !== "violation") {
      await sleep(CALM_MS);
      await this.#reviveAll();
      await this.#inject(this.#next());
    }
    await this.#reviveAll();
    await this.#world.cluster.leader();
    await this.#clients.stop();
    const unread = await this.#clients.readAll();
    if (unread > 0) throw new Error(`${unread} keys could not be read in the end`);
    await this.#clients.close(false);
    this.#throwIfBad();
    this.#log("the end: all nodes must become equal, and be so on their disks");
    await this.#mustBeEqual();
    const { counts, requests } = recorder;
    return { faults: this.#rows, counts, keys: requests.length, runs: this.#world.runs };
  }

  #throwIfBad(): void {
    const { complaints, recorder } = this.#clients;
    const problem = explain(recorder.check());
    if (problem !== undefined) throw new Error(problem);
    if (complaints.length > 0) throw new Error(`unexpected replies:\n${complaints.join("\n")}`);
  }

  async #mustBeEqual(): Promise<void> {
    await this.#world.cluster.converged();
    await this.#world.cluster.kill();
    for (const { node } of this.#world.machines) this.#world.start(node);
    await this.#world.cluster.leader();
    await this.#world.cluster.converged();
    await this.#world.cluster.stop();
    equalStates(this.#world.machines.map(({ node }) => node));
  }

  /** Each fault in its turn, in another order each time. */
  #next(): FaultName {
    if (this.#queue.length === 0) {
      const possible = this.#options.faults.filter((name) => {
        const { isPossible }: Fault = FAULTS[name];
        return isPossible === undefined || isPossible(this.#world);
      });
      const order = new Map(possible.map((name) => [name, this.#random.next()]));
      this.#queue = possible.sort((a, b) => order.get(a)! - order.get(b)!);
      if (this.#queue.length === 0) throw new Error("none of the faults can be made here");
    }
    return this.#queue.shift()!;
  }

  async #inject(name: FaultName): Promise<void> {
    this.#longestMs = 0;
    const { counts } = this.#clients.recorder;
    const done = counts.reads + counts.writes;
    this.#log(`${name.padEnd(12)} after ${done} operations, ${counts.unknown} unknown`);
    await FAULTS[name].run(this.#world);
    await this.#world.cluster.leader();
    await this.#writesGoOn();
    const row = this.#rows.get(name) ?? { times: 0, longestPauseMs: 0 };
    row.times++;
    row.longestPauseMs = Math.max(row.longestPauseMs, Math.round(this.#longestMs));
    this.#rows.set(name, row);
  }

  /** Until a write is acknowledged that ends the pause. */
  async #writesGoOn(): Promise<void> {
    const startMs = performance.now();
    while (this.#latestMs < startMs) {
      if (performance.now() - startMs > PATIENCE_MS) {
        throw new Error(`no write for ${PATIENCE_MS / 1000} s without a fault`);
      }
      await sleep(5);
    }
  }

  #wrote(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#latestMs);
    this.#latestMs = nowMs;
  }

  /** A node may stop by itself only where its disk failed it: then it starts again. */
  async #reviveAll(): Promise<void> {
    for (const { node, disk } of this.#world.machines) {
      if (node.isRunning) continue;
      if (disk === undefined || !/full|I\/O|EIO|ENOSPC/i.test(node.output.slice(-2000))) {
        throw new Error(`${this.#world.nameOf(node)} ended: ${node.output.slice(-2000)}`);
      }
      this.#log(
        `${this.#world.nameOf(node)} had stopped: ${node.output.trim().split("\n").at(-1)}`,
      );
      this.#world.start(node);
    }
    await this.#world.cluster.leader();
  }

  #endpoint(node: ClusterNode): Endpoint {
    const known = this.#endpoints.get(node);
    if (known !== undefined) return known;
    const endpoint = new Endpoint({ host: node.host, port: node.port });
    this.#endpoints.set(node, endpoint);
    return endpoint;
  }
}
