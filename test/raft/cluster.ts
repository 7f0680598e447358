import { assert } from "../../src/base/assert.ts";
import { Prng } from "../../src/base/prng.ts";
import { decodeConfiguration, EMPTY_CONFIGURATION } from "../../src/raft/membership.ts";
import { decodeMessage } from "../../src/raft/message.ts";
import { Raft } from "../../src/raft/raft.ts";
import type {
  Configuration,
  Entry,
  Message,
  RaftOptions,
  Ready,
  SnapshotMeta,
} from "../../src/raft/types.ts";
import { MemoryLog } from "./memory_log.ts";

export type NodeOptions = Omit<
  RaftOptions,
  "id" | "configuration" | "hardState" | "log" | "applied" | "random"
>;

export const OPTIONS: NodeOptions = {
  electionTimeoutMs: 1000,
  heartbeatMs: 100,
  inflightMax: 4,
  appendBytesMax: 64,
  uncommittedBytesMax: 1024,
  preVote: true,
  checkQuorum: true,
};

/** A state machine that keeps all it was given. */
export interface Machine {
  readonly entries: Entry[];
  configuration: Configuration;
}

/** A write under way: of a Ready, or of a snapshot (`install`). */
export interface Write {
  readonly ready: Ready;
  readonly install: SnapshotMeta | undefined;
}

/** What a node tells of itself while it runs. */
export interface NodeEvents {
  ready(node: ClusterNode, ready: Ready): void;
  applied(node: ClusterNode, entry: Entry): void;
  send(from: ClusterNode, message: Message): void;
  snapshotNeeded(node: ClusterNode, to: number): void;
}

/** A received snapshot's contents, as its stream would bring them. */
export interface SnapshotData {
  readonly meta: SnapshotMeta;
  readonly entries: readonly Entry[];
}

/** One node: the core, its disk and its state machine. All survive a crash but the core. */
export class ClusterNode {
  readonly id: number;
  readonly log = new MemoryLog();
  readonly options: NodeOptions;
  readonly #events: NodeEvents;
  readonly #random: Prng;
  raft: Raft | undefined;
  /** The cluster's first configuration. */
  baseConfiguration: Configuration = EMPTY_CONFIGURATION;
  machine: Machine = { entries: [], configuration: EMPTY_CONFIGURATION };
  /** The part of the machine that survives a crash for certain. */
  machineDurable = 0;
  disk: Write[] = [];
  /** Whether writes wait for `persist`. */
  isDiskManual = false;
  /** Whether what is handed out to be applied waits for `apply`. */
  isApplyManual = false;
  #toApply: Entry[] = [];
  nowMs = 0;
  /** Snapshots received, by index. */
  readonly received = new Map<number, SnapshotData>();

  constructor(id: number, options: NodeOptions, events: NodeEvents, seed: number) {
    this.id = id;
    this.options = options;
    this.#events = events;
    this.#random = new Prng(seed);
  }

  get applied(): number {
    return this.machine.entries.length;
  }

  start(): void {
    assert(this.raft === undefined, "runs already");
    this.raft = new Raft({
      ...this.options,
      id: this.id,
      configuration: this.log.snapshot.configuration,
      hardState: this.log.hardState,
      log: this.log,
      applied: this.applied,
      random: () => this.#random.next(),
    });
  }

  /** Loses what was not durable; the machine goes back to `machineAt`, which replay repeats. */
  crash(machineAt = this.applied): void {
    this.raft = undefined;
    this.disk = [];
    this.#toApply = [];
    const index = Math.min(Math.max(machineAt, this.machineDurable), this.applied);
    this.machine.entries.length = index;
    this.machine.configuration = this.configurationAt(index);
  }

  configurationAt(index: number): Configuration {
    for (let at = index - 1; at >= 0; at--) {
      const entry = this.machine.entries[at];
      if (entry.kind === "configuration") return decodeConfiguration(entry.data);
    }
    return this.baseConfiguration;
  }

  tick(stepMs: number): void {
    this.nowMs += stepMs;
    this.raft?.tick(this.nowMs);
  }

  /** Does all that is to be done; whether there was anything. */
  pump(): boolean {
    const { raft } = this;
    if (raft === undefined) return false;
    let any = false;
    for (let ready = raft.ready(); ready !== undefined; ready = raft.ready()) {
      any = true;
      this.#handle(ready);
      if (!this.isDiskManual) this.persist(this.disk.length);
    }
    return any;
  }

  #handle(ready: Ready): void {
    this.#events.ready(this, ready);
    for (const message of ready.messages) this.#events.send(this, message);
    if (ready.persistToken !== undefined) this.disk.push({ ready, install: undefined });
    else assert(ready.messagesAfterPersist.length === 0, "messages without their persist");
    if (ready.installSnapshot !== undefined) {
      this.disk.push({ ready, install: ready.installSnapshot });
    }
    for (const entry of ready.committed) {
      assert(this.log.term(entry.index) === entry.term, `${entry.index} is not durable`);
      this.#toApply.push(entry);
    }
    if (!this.isApplyManual) this.apply(this.#toApply.length);
    for (const to of ready.snapshotsNeeded) this.#events.snapshotNeeded(this, to);
  }

  /** Applies the first `count` entries that were handed out. */
  apply(count: number): void {
    const entries = this.#toApply.splice(0, count);
    if (entries.length === 0) return;
    for (const entry of entries) {
      assert(entry.index === this.applied + 1, `${this.id} applies ${entry.index} out of order`);
      this.machine.entries.push(entry);
      if (entry.kind === "configuration") {
        this.machine.configuration = decodeConfiguration(entry.data);
      }
      this.#events.applied(this, entry);
    }
    this.raft?.applied(this.applied);
  }

  /** Completes the first `count` writes. */
  persist(count: number): void {
    for (const write of this.disk.splice(0, count)) {
      if (write.install !== undefined) {
        this.#install(write.install);
        continue;
      }
      const { entries, hardState, persistToken, messagesAfterPersist } = write.ready;
      this.log.append(entries, hardState);
      for (const message of messagesAfterPersist) this.#events.send(this, message);
      this.raft?.persisted(persistToken!);
    }
  }

  #install(meta: SnapshotMeta): void {
    const received = this.received.get(meta.index);
    assert(received !== undefined, "installs what was received");
    this.log.reset(meta);
    this.#toApply = [];
    this.machine = { entries: [...received.entries], configuration: meta.configuration };
    this.machineDurable = meta.index;
    this.raft?.snapshotInstalled(meta.index);
  }

  snapshot(): SnapshotData {
    const index = this.applied;
    const term = this.log.term(index);
    assert(term !== undefined, "the applied index is in the log");
    const { configuration } = this.machine;
    return { meta: { index, term, configuration }, entries: [...this.machine.entries] };
  }

  /** Compacts the log up to `index`, at most what is applied. */
  compact(index: number): void {
    const to = Math.min(index, this.applied);
    const term = this.log.term(to);
    if (to <= this.log.snapshot.index || term === undefined) return;
    this.machineDurable = Math.max(this.machineDurable, this.applied);
    this.log.compact({ index: to, term, configuration: this.configurationAt(to) });
  }

  /** Takes a message from the wire. */
  receive(bytes: Uint8Array): void {
    this.raft?.step(decodeMessage(bytes));
  }
}

/** A configuration of voters and learners that have no addresses. */
export function configurationOf(voters: number[], learners: number[] = []): Configuration {
  return { voters, votersOutgoing: [], learners, learnersNext: [], addresses: {} };
}
