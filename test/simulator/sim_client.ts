import type { Bytes } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";
import {
  DoubleReply,
  ErrorReply,
  MapReply,
  NilArray,
  PairsReply,
  PushReply,
  type Reply,
  SetReply,
  Status,
  TransactionReply,
} from "../../src/resp/reply.ts";
import { Session } from "../../src/server/session.ts";
import type { Change } from "../../src/storage/changes_table.ts";
import { COMMANDS_MAX, endOf, type Position } from "./reference.ts";
import { waitName } from "./reference_waiters.ts";
import type { Operation, Workload } from "./workload.ts";
import type { Process } from "./process.ts";
import type { SimNode } from "./sim_node.ts";
import type { World } from "./world.ts";

export interface ClientRules {
  readonly thinkMsMax: number;
  readonly depthMax: number;
  readonly consistencies: readonly Session["consistency"][];
  /** A connection uses one of these. */
  readonly dbs: readonly number[];
}

/** A client: one connection at a time, requests one after the other, or a few at once. */
export class SimClient {
  readonly #world: World;
  readonly #workload: Workload;
  readonly #random: Prng;
  readonly #rules: ClientRules;
  #session: SimSession | undefined;
  /** What follows what was sent last. */
  #rest: Operation[] = [];
  #isStopped = false;

  constructor(world: World, workload: Workload, random: Prng, rules: ClientRules) {
    this.#world = world;
    this.#workload = workload;
    this.#random = random;
    this.#rules = rules;
    this.#plan();
  }

  /** Sends one write to a node; calls `done` when it was carried out. */
  static probe(
    world: World,
    workload: Workload,
    node: SimNode,
    done: () => void,
    lifeMs?: number,
  ): void {
    const { process } = node;
    if (node.server === undefined || process === undefined) return;
    const session = new SimSession(world, workload, node, process);
    session.onReply = (text) => {
      if (text === "+OK") done();
    };
    process.enter(() => session.send([workload.probe(lifeMs)]));
  }

  /** Sends one request on a connection of its own, and never mind when it is answered. */
  static once(
    world: World,
    workload: Workload,
    node: SimNode,
    operation: Operation,
    answered: (text: string) => void = () => {},
  ): void {
    const { process } = node;
    if (node.server === undefined || process === undefined) return;
    const session = new SimSession(world, workload, node, process);
    session.onReply = answered;
    session.consistency = operation.consistency;
    session.db = operation.db;
    process.enter(() => session.send([operation]));
  }

  /** A connection of its own on which requests are sent, each behind those before it; with
   * `isTracking` it keeps what it reads. */
  static stream(
    world: World,
    workload: Workload,
    node: SimNode,
    consistency: Session["consistency"],
    isTracking = false,
  ): (operation: Operation) => void {
    const { process } = node;
    if (node.server === undefined || process === undefined) return () => {};
    const session = new SimSession(world, workload, node, process);
    session.consistency = consistency;
    if (isTracking) session.track();
    return (operation) => process.enter(() => session.send([operation]));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Requests that were sent and not answered yet, on a connection that lives. */
  get waiting(): number {
    return this.#session?.isLive ? this.#session.operations.length : 0;
  }

  /** What keeps it waiting. */
  get standing(): string {
    const { id, node, oldest } = this.#session ?? {};
    return `client ${id} at ${node?.name} waits for ${this.waiting}: ${oldest?.text} first`;
  }

  /** Where its command waits for data; undefined when none does. */
  get blockedAt(): SimNode | undefined {
    const session = this.#session;
    return session?.isLive && session.blocked !== undefined ? session.node : undefined;
  }

  #plan(): void {
    this.#world.scheduler.after(1 + this.#random.next() * this.#rules.thinkMsMax, () => {
      if (this.#isStopped) return;
      if (this.#world.scheduler.nowMs >= this.#world.quietUntilMs) this.#turn();
      this.#plan();
    });
  }

  #turn(): void {
    const { depthMax } = this.#rules;
    let session = this.#session;
    if (session !== undefined && (!session.isLive || this.#random.next() < 0.01)) {
      session.abandon();
      this.#session = session = undefined;
    }
    if (session === undefined) this.#rest = [];
    session ??= this.#connect();
    if (session === undefined || session.operations.length >= depthMax) return;
    let operations = this.#rest;
    this.#rest = [];
    if (operations.length === 0) {
      const count = 1 + this.#random.below(depthMax - session.operations.length);
      const next = () => this.#workload.next(session.db, session.consistency);
      operations = Array.from({ length: count }, next).flat();
      // What is watched may change before the transaction begins.
      const at = operations.findIndex(({ argv }) => argv[0] === "MULTI");
      if (at > 0 && this.#random.next() < 0.7) this.#rest = operations.splice(at);
    }
    session.process.enter(() => session.send(operations));
  }

  #connect(): SimSession | undefined {
    const { nodes } = this.#world;
    const node = nodes[this.#random.below(nodes.length)];
    if (node.server === undefined || node.process === undefined) return undefined;
    const { consistencies, dbs } = this.#rules;
    const session = new SimSession(this.#world, this.#workload, node, node.process);
    session.consistency = consistencies[this.#random.below(consistencies.length)];
    session.db = dbs.length === 1 ? dbs[0] : dbs[this.#random.below(dbs.length)];
    if (session.consistency !== "stale" && this.#random.next() < 0.3) session.track();
    this.#session = session;
    return session;
  }
}

/** What a client keeps of a key, and the entry in or behind which it was read. */
interface Kept {
  readonly text: string;
  readonly at: number;
}

/** A change is told of within so many looks. */
const HEARING_MS = 50;
const HEARING_LOOKS = 3;

/** One connection of a client to a process. */
class SimSession extends Session {
  readonly queryBufferBytes = 0;
  readonly outputBufferBytes = 0;
  outputBlocked = false;
  readonly process: Process;
  onReply: (text: string) => void = () => {};
  /** Sent, oldest first. */
  readonly operations: Operation[] = [];
  readonly #world: World;
  readonly #workload: Workload;
  readonly node: SimNode;
  /** Sent, and not taken by the server yet. */
  readonly #untaken: Operation[] = [];
  /** What was watched so far: "db/key version". */
  readonly #watched = new Set<string>();
  /** What the next EXEC is held against: since when each key is watched. */
  #held = new Map<Bytes, Position>();
  #snapshots = 0;
  /** By key, what it was told last; and how often it was told to forget. */
  readonly #kept = new Map<Bytes, Kept>();
  #told = 0;
  /** When the oldest request came to be that. */
  #oldestMs = 0;
  /** The place in the log that a stale read may not be older than. */
  #staleFloor = 0;

  constructor(world: World, workload: Workload, node: SimNode, process: Process) {
    super({
      id: world.nextSession(),
      nowMs: process.clock.wallMs(),
      remoteAddress: "client",
      localAddress: node.name,
      passwordRequired: () => false,
    });
    this.#world = world;
    this.#workload = workload;
    this.node = node;
    this.process = process;
  }

  get isLive(): boolean {
    return this.process.isAlive && !this.closed;
  }

  /** Its node does what it can; one that closes its storage has closed its connections. */
  get #isServed(): boolean {
    return this.isLive && !this.process.isBlocked && this.node.server !== undefined;
  }

  get oldest(): { readonly text: string; readonly sinceMs: number } | undefined {
    const argv = this.operations[0]?.argv;
    return argv && { text: argv.join(" "), sinceMs: this.#oldestMs };
  }

  get waitsAs(): string | undefined {
    const argv = this.operations[0]?.argv ?? [];
    return argv[0] === "BLPOP" ? waitName(argv) : undefined;
  }

  send(operations: readonly Operation[]): void {
    this.#world.unanswered.add(this);
    if (this.operations.length === 0) this.#oldestMs = this.#world.scheduler.nowMs;
    for (const operation of operations) {
      this.#workload.invoked(operation);
      this.#world.note(`client ${this.id} at ${this.node.name}: ${operation.argv.join(" ")}`);
      this.operations.push(operation);
      this.#untaken.push(operation);
    }
    this.#pump();
  }

  /** The connection is gone: what became of what was sent is not known. */
  abandon(): void {
    if (this.closed) return;
    this.closed = true;
    this.process.enter(() => this.release());
  }

  /** It keeps what it reads, and has itself told when that changes. */
  track(): void {
    const rules = { bcast: false, optin: false, optout: false, noloop: false };
    this.node.server?.features.tracking.enable(this, { ...rules, redirect: 0, prefixes: [] });
    this.protocol = 3;
    this.#world.trackers.add(this);
  }

  /** Its node has applied an entry: it is told of what it keeps of that. */
  changed(index: number, changes: readonly Change[]): void {
    for (const { kind, key } of changes) {
      if (kind === "swap") continue;
      for (const each of kind === "flush" ? this.#kept.keys() : [key]) {
        const kept = this.#kept.get(each);
        if (kept !== undefined && kept.at < index) this.#mustHear(each, kept, HEARING_LOOKS);
      }
    }
  }

  #mustHear(key: Bytes, kept: Kept, looks: number): void {
    this.#world.scheduler.after(HEARING_MS, () => {
      if (!this.#isServed || this.#kept.get(key) !== kept) return;
      if (looks > 1) return this.#mustHear(key, kept, looks - 1);
      const what = `client ${this.id} has ${kept.text} of ${key} as of ${kept.at}`;
      this.#world.truth.violate("a client is told of what changes", what);
    });
  }

  /** A value that it keeps may not have changed without a word. */
  #keep(key: Bytes, text: string): void {
    const kept = this.#kept.get(key)?.text;
    const { server } = this.node;
    // What comes behind it in the same entry is not looked at.
    const at = Math.max(server?.position.index ?? 0, server?.ops.applied.index ?? 0);
    this.#kept.set(key, { text, at });
    if (kept === undefined || kept === text) return;
    const told = this.#told;
    // What is due may follow the reply.
    this.#world.scheduler.after(50, () => {
      if (!this.#isServed || this.#told > told) return;
      const what = `client ${this.id} has ${kept} of ${key}, and reads ${text}`;
      this.#world.truth.violate("a client is told of what changes", what);
    });
  }

  #forget(keys: Reply): void {
    this.#told++;
    if (!Array.isArray(keys)) this.#kept.clear();
    else for (const key of keys) this.#kept.delete(key as Bytes);
  }

  deliver(reply: Reply): void {
    if (reply instanceof PushReply) return this.#forget(reply.items[1]);
    const operation = this.operations.shift();
    this.#oldestMs = this.#world.scheduler.nowMs;
    if (this.operations.length === 0) this.#world.unanswered.delete(this);
    if (operation === undefined) {
      this.#world.truth.violate("a reply for a request", `${replyText(reply)} answers nothing`);
      return;
    }
    if (this.closed) return;
    if (operation.argv[0] === "WATCH") {
      // It may take place yet: what would be watched then nobody can tell.
      if (reply instanceof ErrorReply) return this.close();
      this.#watches(operation);
    }
    const isKept = this.tracking !== undefined && operation.argv[0] === "GET";
    if (isKept && !operation.isPart && !(reply instanceof ErrorReply)) {
      this.#keep(operation.argv[1], replyText(reply));
    }
    if (this.tracking !== undefined && reply instanceof TransactionReply) {
      for (const [i, key] of (operation.reads ?? []).entries()) {
        this.#keep(key, replyText(reply.replies[i]));
      }
    }
    const isExec = operation.argv[0] === "EXEC";
    const held = this.#held;
    if (isExec || operation.argv[0] === "UNWATCH" || operation.argv[0] === "DISCARD") {
      this.#held = new Map();
    }
    this.#world.answered(() => {
      const text = replyText(reply);
      // A node that was given a snapshot has not seen what has changed.
      const isBlind = this.node.snapshotsInstalled !== this.#snapshots;
      if (isExec && text === "nil" && !isBlind) this.#workload.mustHaveChanged(operation, held);
      if (isExec && text.startsWith("[") && !isBlind) {
        this.#workload.mustBeUnchanged(operation, held);
      }
      if (operation.argv[0] === "WAIT") this.#workload.holds(this.node.id, operation.takenAt, text);
      this.#world.note(`client ${this.id} gets ${text.slice(0, 60)}`);
      this.#staleFloor = Math.max(
        this.#staleFloor,
        this.#workload.answered(operation, text, this.#staleFloor),
      );
      this.onReply(text);
    });
  }

  /** Notes what is watched from now on; at once, for EXEC may be applied in the same turn. */
  #watches(operation: Operation): void {
    const { server, storage } = this.node;
    if (server === undefined || storage === undefined) return;
    const { index } = storage.ops.applied;
    const { position } = server;
    const at = position.index > index
      ? position.index + position.position / COMMANDS_MAX
      : endOf(index);
    if (this.#held.size === 0) this.#snapshots = this.node.snapshotsInstalled;
    for (const key of operation.argv.slice(1)) {
      if (!this.#held.has(key)) this.#held.set(key, at);
    }
    for (const watched of this.watches?.keys ?? []) {
      // One that an EXEC that was refused has left stays as it was.
      const name = `${watched.db}/${watched.key} ${watched.version}`;
      if (this.#watched.has(name)) continue;
      this.#watched.add(name);
      this.#workload.watches(operation, watched, at);
    }
  }

  resume(): void {
    this.#pump();
  }

  flush(): void {}

  close(): void {
    this.closed = true;
  }

  #pump(): void {
    const server = this.node.server;
    if (server === undefined || !this.isLive) return;
    for (let next; (next = this.#untaken[0]) !== undefined;) {
      next.takenAt = server.ops.applied.index;
      if (!server.execute(this, next.argv as Bytes[])) return;
      this.#untaken.shift();
    }
  }
}

/** A reply in one line: "+OK", ":5", "$value", "nil", "-ERR …", "[a,b]". */
export function replyText(reply: Reply): string {
  if (reply === null) return "nil";
  if (typeof reply === "string") return `$${reply}`;
  if (typeof reply === "number" || typeof reply === "bigint") return `:${reply}`;
  if (Array.isArray(reply)) return `[${reply.map(replyText).join()}]`;
  if (reply instanceof Status) return `+${reply.text}`;
  if (reply instanceof NilArray) return "nil";
  if (reply instanceof DoubleReply) return `$${reply.text}`;
  if (reply instanceof SetReply) return `[${reply.items.map(replyText).join()}]`;
  if (reply instanceof MapReply) return `[${reply.entries.flat().map(replyText).join()}]`;
  if (reply instanceof PairsReply) return `[${reply.pairs.flat().map(replyText).join()}]`;
  if (reply instanceof TransactionReply) return `[${reply.replies.map(replyText).join()}]`;
  return reply instanceof ErrorReply ? `-${reply.text}` : "?";
}
