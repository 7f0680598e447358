import type { Prng } from "../base/prng.ts";
import type { DataCommand } from "../commands/command.ts";
import { DataContext, type Notifier } from "../commands/data_context.ts";
import type { ScriptSurroundings } from "../commands/script_surroundings.ts";
import type { NodeId, RaftCore } from "../raft/types.ts";
import type { ErrorReply, Reply } from "../resp/reply.ts";
import type { RedisOperations } from "../storage/redis_operations.ts";
import type { Clock } from "../base/clock.ts";
import { BEHIND, NOT_DONE } from "./errors.ts";
import { KeyPrefetcher } from "./key_prefetcher.ts";
import type { Leadership } from "./leadership.ts";
import { CallTimer } from "./call_timer.ts";
import { HeldCalls } from "./observed_calls.ts";
import type { PeerLink } from "./peer_link.ts";
import { isReadNoMore } from "./script_reads.ts";
import type { Pending, Session } from "./session.ts";

export interface ReadsOptions {
  readonly raft: RaftCore;
  readonly ops: RedisOperations;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly scripting: ScriptSurroundings;
  readonly link: PeerLink;
  /** Which run of this node's process: an answer to an earlier one must not pass for its own. */
  readonly incarnation: number;
  readonly leadership: () => Leadership;
  readonly complete: (pending: Pending, reply: Reply, durationMs: number) => void;
  readonly giveUp: (pending: Pending, reply: ErrorReply) => void;
  /** The read must go through the log instead. */
  readonly toLog: (pending: Pending) => void;
  /** Runs one that may wait for data; undefined when it does. */
  readonly readWaiting: (
    context: DataContext,
    pending: Pending,
    command: DataCommand,
  ) => Reply | undefined;
  readonly schedule: () => void;
}

/** Numbers of rounds stay exact, and differ from those of the runs before. */
const ROUNDS_PER_INCARNATION = 2 ** 40;
const INCARNATIONS = 2 ** 12;

/** Reads that share one read point. */
interface Round {
  reads: Pending[];
  /** Whom it was asked of; 0: this node's own core. */
  readonly askedOf: NodeId;
}

/**
 * Linearizable reads: all that come in one loop turn share a read point (thesis, section 6.4),
 * from this node's core or from the leader, and run once this node has applied that far.
 *
 * Reads run in the order in which they came, whatever becomes of single rounds: a session's replies
 * rest on it. So a point serves the rounds before its own too (it was taken later than those
 * reads came), and the reads of a round that failed go into the next one.
 */
export class Reads {
  readonly #options: ReadsOptions;
  readonly #context: DataContext;
  readonly #timer: CallTimer;
  readonly #prefetcher: KeyPrefetcher;
  readonly #calls: HeldCalls;
  #gathered: Pending[] = [];
  readonly #rounds = new Map<number, Round>();
  /** Other nodes' requests to this leader, by the id of the round here. */
  readonly #foreign = new Map<number, { readonly from: NodeId; readonly id: number }>();
  /** Rounds whose point is known, oldest first. */
  #confirmed: { reads: Pending[]; readonly index: number }[] = [];
  #nextId: number;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#nextId = (options.incarnation % INCARNATIONS) * ROUNDS_PER_INCARNATION + 1;
    this.#prefetcher = new KeyPrefetcher(options.ops);
    this.#timer = new CallTimer(() => options.clock.monotonicMs());
    const { scripting } = options;
    this.#context = new DataContext(options.ops, options.prng, { scripting });
    this.#context.isLocal = true;
    this.#calls = new HeldCalls(scripting, () => options.clock.monotonicMs());
    this.#context.callObserver = this.#calls;
  }

  add(pending: Pending): void {
    this.#gathered.push(pending);
  }

  /** Takes reads again that were to run before all others here. */
  addAgain(reads: readonly Pending[]): void {
    const [first] = this.#rounds.values();
    const next = this.#confirmed[0] ?? first;
    if (next === undefined) this.#gathered = reads.concat(this.#gathered);
    else next.reads = reads.concat(next.reads);
  }

  /** Asks for a read point for what was gathered, where there is somebody to ask. */
  start(): void {
    // One round at a time: what comes meanwhile shares the next, which costs each node less.
    if (this.#gathered.length === 0 || this.#rounds.size > 0) return;
    const { raft, link, leadership } = this.#options;
    const { isLeader, leader } = leadership();
    if (!isLeader && leader === 0) return;
    const id = this.#nextId++;
    const reads = this.#gathered;
    if (isLeader ? raft.readIndex(id) === undefined : link.requestReadPoint(leader, id)) {
      this.#gathered = [];
      this.#rounds.set(id, { reads, askedOf: isLeader ? 0 : leader });
    }
  }

  /** A point was confirmed by this node's core. */
  confirmed(id: number, index: number): void {
    const foreign = this.#foreign.get(id);
    if (foreign === undefined) return this.pointReceived(id, index);
    this.#foreign.delete(id);
    this.#options.link.answerReadPoint(foreign.from, foreign.id, index);
  }

  /** This node's core cannot confirm it any more. */
  failed(id: number): void {
    const foreign = this.#foreign.get(id);
    if (foreign === undefined) return this.#askAgain(id);
    this.#foreign.delete(id);
    this.#options.link.answerReadPoint(foreign.from, foreign.id, -1);
  }

  /** The leader's answer, or this node's core's; `index` -1: ask again. */
  pointReceived(id: number, index: number): void {
    if (!this.#rounds.has(id)) return;
    if (index < 0) return this.#askAgain(id);
    const reads: Pending[] = [];
    for (const [earlier, round] of this.#rounds) {
      for (const pending of round.reads) reads.push(pending);
      this.#rounds.delete(earlier);
      if (earlier === id) break;
    }
    this.#confirmed.push({ reads, index });
    if (this.#gathered.length > 0) this.#options.schedule();
    this.runConfirmed();
  }

  /** A node that follows this one asks for a point. */
  requested(from: NodeId, id: number): void {
    const { raft, link, leadership, schedule } = this.#options;
    if (!leadership().isLeader) return link.answerReadPoint(from, id, -1);
    const own = this.#nextId++;
    if (raft.readIndex(own) !== undefined) return link.answerReadPoint(from, id, -1);
    this.#foreign.set(own, { from, id });
    schedule();
  }

  /** The leader changed or came back: what it was asked is asked again. */
  leaderChanged(): void {
    for (const [id, { askedOf }] of this.#rounds) if (askedOf !== 0) this.#askAgain(id);
  }

  /** Where the events of keys go. */
  set notifier(notifier: Notifier | undefined) {
    this.#context.notifier = notifier;
  }

  /** How many keys that reads looked for were there, and were not. */
  get lookups(): DataContext["lookups"] {
    return this.#context.lookups;
  }

  /** Runs what waited for entries to be applied; call it after applying. */
  runConfirmed(): void {
    const { index } = this.#options.ops.applied;
    while (this.#confirmed.length > 0 && this.#confirmed[0].index <= index) {
      this.#run(this.#confirmed.shift()!.reads);
    }
  }

  /** Whether its read level lets a session read from this node's state as it is. */
  isReadableNow(session: Session): boolean {
    if (session.pendingReads > 0 || session.outputBlocked) return false;
    if (session.consistency === "stale") return true;
    const { raft, clock, leadership } = this.#options;
    if (!leadership().isLeader) return false;
    // A lease is as of the last tick: after a stall that may be long ago.
    raft.tick(clock.monotonicMs());
    const { leaseValid, applied, commit } = raft.status();
    // The commit is ahead of what is applied while the disk of this leader is full.
    return leaseValid && applied === commit;
  }

  /** Runs one read at once, on the state as it is here (read levels lease and stale). */
  runNow(pending: Pending): void {
    pending.session.pendingReads++;
    this.#run([pending]);
  }

  /** Answers those whose time is up with an error. */
  abandonOverdue(nowMs: number): void {
    for (const round of this.#confirmed) {
      round.reads = this.#dropOverdue(round.reads, nowMs, BEHIND);
    }
    for (const [id, round] of this.#rounds) {
      round.reads = this.#dropOverdue(round.reads, nowMs, NOT_DONE);
      if (round.reads.length === 0) this.#rounds.delete(id);
    }
    this.#gathered = this.#dropOverdue(this.#gathered, nowMs, NOT_DONE);
  }

  /** The reads that have time left; the others are answered. */
  #dropOverdue(reads: Pending[], nowMs: number, reply: ErrorReply): Pending[] {
    if (reads.length === 0 || reads[0].deadlineMs > nowMs) return reads;
    return reads.filter((pending) => {
      // One that went to the log before it is answered first.
      if (pending.deadlineMs > nowMs || pending.session.pendingLog > 0) return true;
      if (!this.#defer(pending)) {
        pending.session.pendingReads--;
        this.#options.giveUp(pending, reply);
      }
      return false;
    });
  }

  /** Puts off a read whose reply, or that of one before it, the client does not take yet. */
  #defer(pending: Pending): boolean {
    const { session } = pending;
    if (!session.outputBlocked && session.deferredReads.length === 0) return false;
    session.deferredReads.push(pending);
    return true;
  }

  #askAgain(id: number): void {
    const round = this.#rounds.get(id);
    if (round === undefined) return;
    const next = this.#roundAfter(id);
    this.#rounds.delete(id);
    if (next === undefined) this.#gathered = round.reads.concat(this.#gathered);
    else next.reads = round.reads.concat(next.reads);
    this.#options.schedule();
  }

  #roundAfter(id: number): Round | undefined {
    let isAfter = false;
    for (const [each, round] of this.#rounds) {
      if (isAfter) return round;
      isAfter = each === id;
    }
    return undefined;
  }

  #run(reads: readonly Pending[]): void {
    const { clock, ops, complete, toLog } = this.#options;
    const context = this.#context;
    context.logTimeMs = ops.applied.logTimeMs;
    context.nowMs = Math.max(context.logTimeMs, clock.wallMs());
    const timer = this.#timer;
    timer.start();
    for (let at = 0; at < reads.length; at++) {
      this.#prefetcher.before(reads, at);
      const pending = reads[at];
      const { session } = pending;
      if (session.closed) {
        session.pendingReads--;
        continue;
      }
      if (this.#defer(pending)) continue;
      context.db = pending.db;
      context.dueSeen = false;
      context.noTouch = session.noTouch;
      const command = pending.command as DataCommand;
      timer.before(command);
      const reply = session.pendingLog > 0
        ? null
        : command.waiting === undefined
        ? command.run(context, pending.argv)
        : this.#options.readWaiting(context, pending, command);
      session.pendingReads--;
      if (
        session.pendingLog > 0 || isUndecided(context, session) || isReadNoMore(command, reply)
      ) {
        this.#calls.drop();
        toLog(pending);
        continue;
      }
      this.#calls.release();
      if (reply !== undefined) complete(pending, reply, timer.after(command));
    }
  }
}

/**
 * Whether a read has met a key whose time has come by the clock but not in the log: the log
 * decides, in order. A stale read waits for nobody.
 */
export function isUndecided({ dueSeen }: DataContext, { consistency }: Session): boolean {
  return dueSeen && consistency !== "stale";
}
