import type { ClusterRequest } from "../../src/commands/cluster_view.ts";
import type { Configuration, Message } from "../../src/raft/types.ts";
import type { NodeStorage } from "../../src/server/node_storage.ts";
import type { Change } from "../../src/storage/changes_table.ts";
import { disorder } from "./garbage.ts";
import { wrongKey } from "./keys_truth.ts";
import { MemoryMachine } from "./machine.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimNetwork } from "./sim_net.ts";
import type { SimNode } from "./sim_node.ts";
import type { Trace } from "./trace.ts";
import type { Truth } from "./truth.ts";

const CLUSTER_ID = "5".repeat(32);

/** A connection of a client, as it matters at the end. */
export interface OpenSession {
  readonly isLive: boolean;
  readonly node: SimNode;
  readonly db: number;
  readonly blocked: object | undefined;
  /** What is to be answered first, and since when. */
  readonly oldest: { readonly text: string; readonly sinceMs: number } | undefined;
  /** Names what waits for data, if it does. */
  readonly waitsAs: string | undefined;
}

/** A connection of a client that is told of changes. */
interface Tracker {
  readonly isLive: boolean;
  readonly node: SimNode;
  changed(index: number, changes: readonly Change[]): void;
}

/** All of one simulated cluster: what its parts know of each other. */
export class World {
  readonly nodes: SimNode[] = [];
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly truth: Truth;
  readonly trace: Trace;
  /** How often each kind of fault, and of event, has come about. */
  readonly coverage = new Map<string, number>();
  /** Of the founders that are given their identity; empty: they found the cluster themselves. */
  founders: readonly SimNode[] = [];
  /** Clients send nothing before, so that whoever stands for election has all there is. */
  quietUntilMs = 0;
  electionTimeoutMs = 0;
  /** Whether all clocks run alike enough for leases to hold. */
  areClocksFair = true;
  /** Connections on which something is not answered yet. */
  readonly unanswered = new Set<OpenSession>();
  readonly trackers = new Set<Tracker>();
  onCrash: (node: SimNode) => void = () => {};
  /** Whether an operator would still have a member removed: it was asked for a while ago. */
  mayRemove: (id: number) => boolean = () => true;
  onEvent: (node: SimNode, event: string) => void = () => {};
  /** Whether the data of a node that runs are looked at now; most often amid a flush. */
  isLookedInto: (isFlushing: boolean) => boolean = () => false;
  /** A share of the states found at a start are compared with what they must be. */
  isStateChecked: () => boolean = () => true;
  readonly #touched = new Set<SimNode>();
  #answers: (() => void)[] = [];
  #sessions = 0;

  constructor(scheduler: Scheduler, network: SimNetwork, truth: Truth, trace: Trace) {
    this.scheduler = scheduler;
    this.network = network;
    this.truth = truth;
    this.trace = trace;
  }

  note(text: string): void {
    this.trace.note(this.scheduler.nowMs, text);
  }

  noteMessage(message: Message): void {
    const text = JSON.stringify(message, (key, value) => key === "entries" ? value.length : value);
    this.note(`message ${text}`);
  }

  count(kind: string): void {
    this.coverage.set(kind, (this.coverage.get(kind) ?? 0) + 1);
  }

  /** A request to the cluster was answered with success: then it is so, committed, for good. */
  carriedOut(request: ClusterRequest, id: number): void {
    this.count(`${request.kind} done`);
    if (request.kind === "transfer" && !this.truth.hasLed(id)) {
      this.truth.violate("who is said to lead does", `node ${id}`);
    }
    this.answered(() => {
      const isMember = "id" in request && this.truth.configuration?.addresses[request.id];
      if (request.kind !== "remove" || isMember === undefined) return;
      this.truth.violate("who was removed is no member", `node ${request.id}`);
    });
  }

  /** A line of a node's log, of which some tell what was covered. */
  counted(node: SimNode, message: string): void {
    if (!EVENTS.has(message)) return;
    this.count(message);
    if (message === "snapshot installed") node.snapshotsInstalled++;
    this.onEvent(node, message);
  }

  nextSession(): number {
    return ++this.#sessions;
  }

  /** Something happens on a node: it is looked at when that is over. */
  touch(node: SimNode): void {
    this.#touched.add(node);
  }

  /** A node has applied an entry that has changed something. */
  changed(node: SimNode, index: number, changes: readonly Change[]): void {
    for (const tracker of this.trackers) {
      if (!tracker.isLive) this.trackers.delete(tracker);
      else if (tracker.node === node) tracker.changed(index, changes);
    }
  }

  /** A reply: it is checked when what came with it is known. */
  answered(check: () => void): void {
    this.#answers.push(check);
  }

  crashed(node: SimNode): void {
    this.onCrash(node);
  }

  /** Looks at all nodes on which something has happened. */
  look(): void {
    for (const node of this.#touched) {
      const { server, process } = node;
      if (server !== undefined) {
        const status = server.driver.raft.status();
        this.truth.look(status);
        this.trace.mix(status.commit * 31 + status.term);
        if (this.isLookedInto(node.storage?.ops.flushing === true)) {
          process?.enter(() => this.checkState(node, "while it runs"));
        }
      }
      process?.settle();
    }
    this.#touched.clear();
    const answers = this.#answers;
    if (answers.length === 0) return;
    this.#answers = [];
    for (const check of answers) check();
  }

  /** Gives a founder its identity, as Founding would. */
  settle(node: SimNode, { log }: NodeStorage): void {
    const at = this.founders.indexOf(node);
    if (log.identity !== undefined || at < 0 || node.ids.length > 0) return;
    const ids = this.founders.map((_, i) => i + 1);
    const configuration: Configuration = {
      voters: ids,
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      addresses: Object.fromEntries(this.founders.map(({ address }, i) => [i + 1, address])),
    };
    log.reset({ index: 0, term: 0, configuration });
    log.setIdentity({ clusterId: CLUSTER_ID, nodeId: at + 1, incarnation: 1, runs: [at + 1] });
  }

  /** Compares the data of a node with what the log says they are. */
  checkState(node: SimNode, when: string): void {
    const { storage } = node;
    if (storage === undefined || !this.isStateChecked()) return;
    const { ops } = storage;
    this.truth.beside.found(node.id, storage);
    this.truth.free.found(node.id, storage);
    const state = node.machine instanceof MemoryMachine ? node.machine.state : undefined;
    const wrong = ops.flushing || state === undefined ? undefined : disorder(state);
    if (wrong !== undefined) {
      this.truth.violate("state.db is in order", `${node.name}, ${when}: ${wrong}`);
    }
    const { index, digest } = ops.applied;
    this.truth.applied(node.id, index, digest);
    const key = wrongKey(this.truth.reference, storage);
    if (key === undefined) return;
    const detail = `${node.name} (node ${node.id}), ${when}: ${key} differs at index ${index}`;
    this.truth.violate("state machine safety", detail);
  }
}

/** Lines of a node's log that are worth counting. */
const EVENTS: ReadonlySet<string> = new Set([
  "snapshot sent",
  "snapshot installed",
  "snapshot received",
  "snapshot made",
  "log purged",
  "joined as a learner",
  "cluster founded",
  "learner has caught up and becomes a voter",
  "replaced by a new node at its address",
  "disk full: state.db cannot be written",
  "disk full: another node is asked to lead",
  "a received snapshot is damaged, it starts over",
]);
