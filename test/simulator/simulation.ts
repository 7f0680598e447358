import { Prng } from "../../src/base/prng.ts";
import { nextForgettingMs } from "../../src/server/beside_keys.ts";
import type { SqliteDriver } from "../../src/storage/sqlite_types.ts";
import { Acceptance } from "./acceptance.ts";
import { type Drain, drainLater, loadDrain } from "./drain.ts";
import { FREE_DBS } from "./free_truth.ts";
import { Nemesis } from "./nemesis.ts";
import { type NodeRules, nodeRules } from "./node_rules.ts";
import type { Waiter } from "./reference_waiters.ts";
import { DRIFT_MAX } from "./process.ts";
import { purgedRows, unfinished } from "./rest.ts";
import { Scheduler } from "./scheduler.ts";
import { type ClientRules, SimClient } from "./sim_client.ts";
import { drawNetRules, SimNetwork } from "./sim_net.ts";
import { PEER_PORT, SimNode } from "./sim_node.ts";
import { Trace } from "./trace.ts";
import { Truth, type Violation } from "./truth.ts";
import { Workload } from "./workload.ts";
import { World } from "./world.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** How long faults go on: a tick is a virtual millisecond. */
  readonly ticks: number;
  /** How many nodes found the cluster; by the seed when undefined. */
  readonly nodes?: number;
  /** Keeps the whole trace, single messages too. */
  readonly isTraced?: boolean;
  readonly real: SqliteDriver;
}

export interface SimulationResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly ticks: number;
  readonly hash: number;
  readonly trace: Trace;
  readonly counts: Readonly<Record<string, number>>;
  readonly coverage: ReadonlyMap<string, number>;
}

/** How many found the cluster: most often three, and who is alone is joined by others. */
const FOUNDERS = [1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7];
/** A share of the seeds: on files, and with a cluster that founds itself. */
const ON_FILES_EVERY = 25;
const FOUNDING_SHARE = 0.2;
/** And with a client of the databases in which anything goes. */
const FREE_SHARE = 0.6;
const FREE_DEPTH = 24;
/** After all has healed: leader, equal data and answers must come within these. */
const LEADER_TIMEOUTS = 20;
const CONVERGE_MS = 60_000;
/** What a process stands still or waits for data; how much of a command takes long in pieces. */
const STALLED_MS = 4000;
const LARGE_BYTES = 300;
/** Of a key that is to expire. */
const LIFE_MS = 50;
/** For what a node does in the background. */
const REST_MS = 20_000;

/** Runs one seed to its end. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  try {
    return await simulation.run();
  } finally {
    simulation.close();
  }
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: Prng;
  readonly #scheduler = new Scheduler();
  readonly #truth = new Truth();
  readonly #world: World;
  readonly #workload: Workload;
  readonly #rules: NodeRules;
  readonly #electionTimeoutMs: number;
  readonly #clients: SimClient[] = [];
  readonly #isOnFiles: boolean;
  readonly #areClocksFair: boolean;
  #nemesis: Nemesis | undefined;
  #drain: Drain | undefined;

  constructor(options: SimulationOptions) {
    const { seed } = options;
    this.#options = options;
    const random = new Prng(Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b);
    this.#random = random;
    this.#isOnFiles = seed % ON_FILES_EVERY === 0;
    this.#areClocksFair = random.next() < 0.8;
    this.#electionTimeoutMs = 100 + random.below(300);
    this.#rules = nodeRules(this.#random, this.#electionTimeoutMs);
    const trace = new Trace(options.isTraced === true);
    const network = new SimNetwork(
      this.#scheduler,
      new Prng(random.nextUint32()),
      drawNetRules(random),
    );
    this.#world = new World(this.#scheduler, network, this.#truth, trace);
    const checks = new Prng(random.nextUint32());
    this.#world.areClocksFair = this.#areClocksFair;
    this.#world.electionTimeoutMs = this.#electionTimeoutMs;
    this.#world.isLookedInto = (isFlushing) => checks.next() < (isFlushing ? 0.02 : 0.0005);
    this.#world.isStateChecked = () => checks.next() < 0.6;
    this.#truth.free.isLookedAt = () => checks.next() < 0.25;
    this.#workload = new Workload(
      this.#truth,
      new Prng(random.nextUint32()),
      40 + random.below(3000),
    );
  }

  async run(): Promise<SimulationResult> {
    const { ticks } = this.#options;
    this.#drain = await loadDrain();
    this.#found();
    await this.#runUntil(() => this.#scheduler.nowMs >= ticks, ticks);
    this.#findOverdue();
    if (this.#truth.violation === undefined) await this.#recover();
    return this.#result();
  }

  close(): void {
    for (const node of this.#world.nodes) {
      node.process?.die(true);
      node.machine.wipe();
    }
  }

  #found(): void {
    const random = this.#random;
    const count = this.#options.nodes ?? FOUNDERS[random.below(FOUNDERS.length)];
    const isFounding = random.next() < FOUNDING_SHARE;
    const all = Array.from({ length: count }, (_, i) => `n${i + 1}:${PEER_PORT}`);
    // Who is to be one of one would found another cluster when its disk is lost.
    const [addresses, expected] = count === 1 ? [[], 0] : [all, count];
    for (let i = 0; i < count; i++) this.#addNode(isFounding ? addresses : [], expected);
    if (!isFounding) this.#world.founders = this.#world.nodes.slice();
    for (const node of this.#world.nodes) {
      // What is written first comes once, at the begin.
      if (isFounding && random.next() < 0.4) node.machine.rules.crashIn = 1 + random.below(60);
      node.start();
    }
    this.#nemesis = new Nemesis({
      world: this.#world,
      random: new Prng(random.nextUint32()),
      workload: this.#workload,
      electionTimeoutMs: this.#electionTimeoutMs,
      areClocksFair: this.#areClocksFair,
      addNode: () => this.#addJoiner(),
    });
    const clients = 2 + random.below(5);
    for (let i = 0; i < clients; i++) this.#addClient([i % 4 === 3 ? 1 : 0]);
    if (random.next() >= FREE_SHARE) return;
    // While one waits for data the others go on.
    for (let left = 1 + random.below(3); left > 0; left--) this.#addClient(FREE_DBS, FREE_DEPTH);
  }

  #addJoiner(): SimNode {
    return this.#addNode(this.#world.nodes.map(({ address }) => address), 0);
  }

  #addNode(join: readonly string[], bootstrapExpect: number): SimNode {
    const random = this.#random;
    const node = new SimNode({
      number: this.#world.nodes.length + 1,
      seed: random.nextUint32(),
      world: this.#world,
      real: this.#options.real,
      isOnFiles: this.#isOnFiles,
      rules: this.#rules,
      join,
      bootstrapExpect,
    });
    // Leases hold while clocks run alike to within a tenth.
    const drift = this.#areClocksFair ? 0.045 : DRIFT_MAX;
    node.clockRules.rate = 1 + (random.next() * 2 - 1) * drift;
    node.clockRules.wallOffsetMs = (random.next() * 2 - 1) * 500;
    return node;
  }

  /** `dbs`: of which each of its connections uses one. */
  #addClient(dbs: readonly number[], depthMin = 1): void {
    const random = new Prng(this.#random.nextUint32());
    const consistencies: ClientRules["consistencies"] = this.#areClocksFair
      ? ["linearizable", "lease", "lease", "stale"]
      : ["linearizable", "linearizable", "stale"];
    this.#clients.push(
      new SimClient(this.#world, this.#workload, random, {
        thinkMsMax: 20 + random.below(150),
        depthMax: random.next() < 0.6 ? depthMin : depthMin + random.below(6),
        consistencies,
        dbs,
      }),
    );
  }

  /** Has time pass until a condition, or a violation; false when `limitMs` came before. */
  async #runUntil(isReached: () => boolean, limitMs: number): Promise<boolean> {
    const scheduler = this.#scheduler;
    const drainNow = this.#drain;
    while (this.#truth.violation === undefined) {
      if (scheduler.nextMs > limitMs) {
        scheduler.nowMs = Math.max(scheduler.nowMs, limitMs);
        return isReached();
      }
      scheduler.take()!();
      if (drainNow !== undefined) drainNow();
      else await drainLater();
      this.#world.look();
      if (isReached()) return true;
    }
    return false;
  }

  /** Also amid faults each request is answered when its time is up, if only by an error. */
  #findOverdue(): void {
    const limitMs = this.#scheduler.nowMs - 2 * this.#rules.requestTimeoutMs - STALLED_MS;
    for (const { isLive, oldest, node } of this.#world.unanswered) {
      if (!isLive || oldest === undefined || oldest.sinceMs > limitMs) continue;
      const { text, sinceMs } = oldest;
      // Some wait until they are served; a large one has its time for each of its pieces.
      if (/^BLPOP .* 9\d+$/.test(text) || text.length > LARGE_BYTES) continue;
      if (node.process?.isBlocked === true) continue;
      this.#stuck("every request is answered in its time", `${text}, sent at ${sinceMs}`);
    }
  }

  /** All heals: then there must be progress. */
  async #recover(): Promise<void> {
    const { nowMs } = this.#scheduler;
    this.#nemesis!.heal();
    for (const client of this.#clients) client.stop();
    // One that is not founded yet takes the time of its requests, each of which may wait for long.
    const foundedMs = nowMs + (this.#truth.commit === 0 ? CONVERGE_MS : 0);
    const leaderByMs = foundedMs + LEADER_TIMEOUTS * 2 * this.#electionTimeoutMs;
    const hasLeader = await this.#runUntil(() => this.#leader() !== undefined, leaderByMs);
    if (!hasLeader) return this.#stuck("a leader within 20 election timeouts", "there is none");
    const convergedByMs = this.#scheduler.nowMs + CONVERGE_MS;
    if (!await this.#runUntil(() => this.#isConverged(), convergedByMs)) {
      return this.#stuck("all nodes converge", this.#standing());
    }
    await this.#serveAll();
    if (this.#truth.violation === undefined) await this.#accept();
    if (this.#truth.violation === undefined && await this.#expire()) await this.#rest();
  }

  /** What has expired is deleted, though nobody asks for it or writes; false when it is not. */
  async #expire(): Promise<boolean> {
    for (let left = 2; left > 0; left--) {
      const scheduler = this.#scheduler;
      const limitMs = scheduler.nowMs + CONVERGE_MS;
      let dueMs = Infinity;
      const set = () => dueMs = scheduler.nowMs + 2 * LIFE_MS;
      const leader = this.#leader();
      if (leader !== undefined) SimClient.probe(this.#world, this.#workload, leader, set, LIFE_MS);
      if (!await this.#runUntil(() => dueMs < Infinity, limitMs)) break;
      if (await this.#runUntil(() => scheduler.nowMs > dueMs && this.#isForgotten, limitMs)) {
        continue;
      }
      this.#stuck("what has expired is deleted", this.#standing());
    }
    return this.#truth.violation === undefined;
  }

  /** Nothing is left to do; and what is written is what the log says. */
  async #rest(): Promise<void> {
    const members = () => this.#world.nodes.filter((node) => this.#isMember(node));
    const isAtRest = () => members().every((node) => unfinished(node) === undefined);
    const isReached = await this.#runUntil(isAtRest, this.#scheduler.nowMs + REST_MS);
    await this.#purge(members());
    this.#world.isStateChecked = () => true;
    for (const node of members()) {
      const problem = unfinished(node);
      if (!isReached && problem !== undefined) {
        this.#stuck("nodes come to rest", `${node.name}: ${problem}`);
      }
      this.#world.checkState(node, "at the end");
      node.process?.enter(() => this.#forget(node));
    }
  }

  /** What is purged goes with what is written next. */
  async #purge(members: readonly SimNode[]): Promise<void> {
    const before = members.filter((node) => purgedRows(node) > 0);
    if (before.length === 0) return;
    let isWritten = false;
    const leader = this.#leader();
    if (leader !== undefined) {
      SimClient.probe(this.#world, this.#workload, leader, () => isWritten = true);
    }
    const isDone = () => isWritten && this.#isConverged();
    if (!await this.#runUntil(isDone, this.#scheduler.nowMs + REST_MS)) return;
    for (const node of before) {
      const rows = purgedRows(node);
      if (rows > 0) this.#stuck("what is purged is deleted", `${node.name} has ${rows} rows of it`);
    }
  }

  /** All that a node has is on its disk: it is read from there. */
  #forget(node: SimNode): void {
    const { ops } = node.storage!;
    // The first time large collections are left to SQL, which then are no longer in memory.
    ops.reload();
    ops.reload();
    const { heldBytes } = ops.memory;
    if (heldBytes !== 0) {
      this.#truth.violate("memory is counted", `${node.name} holds ${heldBytes} bytes of nothing`);
    }
    this.#world.checkState(node, "read again at the end");
  }

  /** The operator's commands are carried out. */
  #accept(): Promise<void> {
    const acceptance = new Acceptance({
      world: this.#world,
      workload: this.#workload,
      random: new Prng(this.#random.nextUint32()),
      requestTimeoutMs: this.#rules.requestTimeoutMs,
      addNode: () => this.#addJoiner(),
      within: (ms, isReached) => this.#runUntil(isReached, this.#scheduler.nowMs + ms),
      isConverged: () => this.#isConverged(),
      stuck: (invariant, detail) => this.#stuck(invariant, detail),
    });
    return acceptance.run();
  }

  /** Each member takes a write and answers it. */
  async #serveAll(): Promise<void> {
    const { requestTimeoutMs } = this.#rules;
    const byClockMs = requestTimeoutMs / (1 - DRIFT_MAX);
    if (!await this.#serveWaiters()) return;
    await this.#runUntil(() => false, this.#scheduler.nowMs + 1);
    for (const client of this.#clients) {
      if (this.#isOutOfReach(client)) continue;
      // Reads, writes and pops of one connection take turns, each for as long as it may wait.
      const limitMs = this.#scheduler.nowMs + (byClockMs + STALLED_MS) * (2 + client.waiting);
      // Its node may be removed meanwhile.
      const isOver = () => client.waiting === 0 || this.#isOutOfReach(client);
      if (!await this.#runUntil(isOver, limitMs)) {
        return this.#stuck("every request is answered", client.standing);
      }
    }
    const isOpen = () => this.#openCount > 0;
    // One that waits for data may be the last of many on its connection.
    const answeredByMs = this.#scheduler.nowMs + 2 * requestTimeoutMs + STALLED_MS;
    if (isOpen() && !await this.#runUntil(() => !isOpen(), answeredByMs)) {
      return this.#stuck("every request is answered", `${this.#openCount} connections wait`);
    }
    const limitMs = this.#scheduler.nowMs + CONVERGE_MS;
    const open = new Set(this.#world.nodes.filter((node) => this.#isMember(node)));
    for (const node of open) {
      const probe = () => {
        // It may be removed at the last moment.
        if (!this.#isMember(node)) open.delete(node);
        if (!open.has(node)) return;
        SimClient.probe(this.#world, this.#workload, node, () => open.delete(node));
        this.#scheduler.after(200, probe);
      };
      probe();
    }
    if (!await this.#runUntil(() => open.size === 0, limitMs)) {
      this.#stuck("writes are served", [...open].map(({ name }) => name).join());
    }
    if (await this.#runUntil(() => this.#isConverged(), limitMs)) return;
    this.#stuck("all nodes converge", this.#standing());
  }

  /** Nobody waits for data who is gone, and all others get some; false when they do not. */
  async #serveWaiters(): Promise<boolean> {
    const { reference } = this.#truth;
    const limitMs = this.#scheduler.nowMs + CONVERGE_MS;
    const isThere = ({ node, incarnation, name }: Waiter) =>
      this.#world.nodes.some((each) =>
        each.id === node && this.#isMember(each) &&
        each.storage?.log.identity?.incarnation === incarnation
      ) && [...this.#world.unanswered].some((each) => each.isLive && each.waitsAs === name);
    if (!await this.#runUntil(() => reference.waiting.every(isThere), limitMs)) {
      this.#stuck("nobody waits who is gone", JSON.stringify(reference.waiting));
      return false;
    }
    const isServed = () =>
      reference.waiting.length === 0 && !this.#clients.some((client) => this.#mayBeServed(client));
    const push = () => {
      // Behind one that waits there may be others.
      const isOpen = (client: SimClient) => client.waiting > 0 && !this.#isOutOfReach(client);
      if (isServed() && !this.#clients.some(isOpen) && this.#openCount === 0) return;
      const leader = this.#leader();
      if (leader !== undefined) {
        SimClient.once(this.#world, this.#workload, leader, this.#workload.waited("push"));
      }
      this.#scheduler.after(100, push);
    };
    push();
    if (await this.#runUntil(isServed, limitMs)) return true;
    this.#stuck("who waits is served", JSON.stringify(reference.waiting));
    return false;
  }

  /** Connections that wait for an answer, where one may come. */
  get #openCount(): number {
    return [...this.#world.unanswered].filter(({ isLive, node, blocked }) =>
      isLive && (blocked === undefined || this.#isMember(node))
    ).length;
  }

  /** It waits for data at a node that is no member any more: nothing comes there. */
  #isOutOfReach({ blockedAt }: SimClient): boolean {
    return blockedAt !== undefined && !this.#isMember(blockedAt);
  }

  #mayBeServed(client: SimClient): boolean {
    return client.blockedAt !== undefined && !this.#isOutOfReach(client);
  }

  #stuck(invariant: string, detail: string): void {
    this.#truth.violate(`liveness: ${invariant}`, detail);
  }

  #leader(): SimNode | undefined {
    return this.#world.nodes.find(({ server }) => server?.leadership.isLeader);
  }

  /** No key is left whose time has come, and no reply that was to be remembered until then. */
  get #isForgotten(): boolean {
    const { storage, process } = this.#leader() ?? {};
    if (storage === undefined || process === undefined) return false;
    const nextMs = Math.min(storage.ops.nextExpiryMs(), nextForgettingMs(storage.beside));
    return nextMs > process.clock.wallMs();
  }

  #isMember(node: SimNode): boolean {
    return this.#truth.configuration?.addresses[node.id] !== undefined && node.id !== 0;
  }

  #isConverged(): boolean {
    const { commit, configuration } = this.#truth;
    if (configuration === undefined || configuration.votersOutgoing.length > 0) return false;
    return this.#world.nodes.filter((each) => this.#isMember(each)).every(({ server, process }) =>
      server?.driver.raft.status().applied === commit && process?.isBehind === false
    );
  }

  #standing(): string {
    const nodes = this.#world.nodes.map((node) => {
      const status = node.server?.driver.raft.status();
      const where = status === undefined
        ? "does not run"
        : `${status.role} ${status.term}, ${status.applied} of ${status.commit}`;
      return `${node.name}/${node.id}: ${where}`;
    });
    const { voters, learners } = this.#truth.configuration ?? { voters: [], learners: [] };
    return `commit ${this.#truth.commit}, voters ${voters}, learners ${learners}; ` +
      nodes.join("; ");
  }

  #result(): SimulationResult {
    const { trace, coverage } = this.#world;
    return {
      seed: this.#options.seed,
      violation: this.#truth.violation,
      ticks: Math.floor(this.#scheduler.nowMs),
      hash: trace.hash,
      trace,
      counts: {
        ...this.#workload.counts,
        ...this.#truth.counts,
        commits: this.#truth.commit,
        frames: this.#world.network.frames,
      },
      coverage,
    };
  }
}
