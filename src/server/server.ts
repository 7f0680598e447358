import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { Prng } from "../base/prng.ts";
import type { LocalCommand, RunnableCommand } from "../commands/command.ts";
import { DataContext } from "../commands/data_context.ts";
import type { NodeView } from "../commands/local_context.ts";
import { resolve } from "../commands/table.ts";
import { ENTRY_BYTES_MAX, PIPELINE_DEPTH_MAX, UNCOMMITTED_BYTES_MAX } from "../constants.ts";
import type { Entry, RaftCore, RoleChange } from "../raft/types.ts";
import { err, ErrorReply, type Reply } from "../resp/reply.ts";
import type { Identity, LogStore } from "../storage/raft_log_types.ts";
import type { RedisOperations } from "../storage/redis_operations.ts";
import { type Batch, commandBytes, encodeBatch, encodeSegment, type Segment } from "./batch.ts";
import type { Clock } from "./clock.ts";
import { Metrics } from "./metrics.ts";
import { RaftDriver } from "./raft_driver.ts";
import type { Pending, Session } from "./session.ts";
import { StateMachine } from "./state_machine.ts";
import { Outbox, type OutboxBatch } from "./outbox.ts";

export interface ServerOptions {
  readonly raft: RaftCore;
  readonly log: LogStore;
  readonly ops: RedisOperations;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Seeds the entries' randomness; unsigned 32 bits. */
  readonly seed: number;
  /** Asks to be called back (`turn`) once the sockets that are ready now have been read. */
  schedule(turn: () => void): void;
  /** A defect or an I/O failure: the node must stop. */
  fatal(error: unknown): void;
  /** How long a command may wait for a leader or for its commit. */
  readonly requestTimeoutMs: number;
  /** Whether the data directory's file system is too full to take more writes. */
  lowOnDisk(): boolean;
}

const NOT_AUTHENTICATED = new ErrorReply("NOAUTH Authentication required.");
const DISK_FULL = new ErrorReply(
  "MISCONF The disk is full: writes are refused until there is room, reads are served.",
);
const TOO_LARGE = err(`command exceeds the limit of ${ENTRY_BYTES_MAX} bytes for one log entry`);
const OVERLOADED = new ErrorReply("BUSY Too many writes are waiting to be made durable, try again");
const OUTCOME_UNKNOWN = new ErrorReply(
  "UNKNOWN The outcome is unknown: the command was sent but not confirmed in time, " +
    "it may or may not be carried out",
);
const NOT_DONE = new ErrorReply(
  "CLUSTERDOWN No leader could be reached in time: the command was not carried out",
);
const STOPPING = new ErrorReply("SHUTDOWN The server is stopping, the command was not carried out");

/**
 * The one loop of a node. Sessions hand requests to `execute`; what they ask of the data is
 * gathered until the end of the loop turn, so that all sessions share one log entry, one fsync and
 * one read point; then committed entries are applied and the replies delivered.
 */
export class Server {
  readonly metrics = new Metrics();
  readonly driver: RaftDriver;
  readonly ops: RedisOperations;
  readonly sessions = new Map<number, Session>();
  /** What local commands see of this node; set once it is made. */
  node!: NodeView;
  /** Called with each command that ran: the slow log, and later monitors. */
  onCommand: ((session: Session, argv: readonly Bytes[], durationMs: number) => void) | undefined;

  readonly #options: ServerOptions;
  readonly #machine: StateMachine;
  readonly #readContext: DataContext;
  readonly #prng: Prng;
  readonly #outbox = new Outbox();
  readonly #identity: Identity;
  #isLeader = false;
  /** The monotonic clock as of the last tick. */
  #nowMs = 0;
  /** Reads of this turn, and those whose read point was asked for, by its id. */
  #reads: Pending[] = [];
  readonly #readRounds = new Map<number, Pending[]>();
  #nextRound = 1;
  /** Sessions that were delivered something since the last flush. */
  #touched: Session[] = [];
  #scheduled = false;
  #tickProposed = false;
  #stopping = false;
  /** On the monotonic clock; 0 when no pause is on. */
  #pausedUntilMs = 0;
  #pauseMode: "write" | "all" = "all";

  constructor(options: ServerOptions) {
    this.#options = options;
    this.ops = options.ops;
    this.#prng = new Prng(options.seed);
    this.#readContext = new DataContext(options.ops, new Prng(options.seed));
    assert(options.log.identity !== undefined, "a node that runs has an identity");
    this.#identity = options.log.identity;
    this.#machine = new StateMachine(options.ops, {
      node: this.#identity.nodeId,
      incarnation: this.#identity.incarnation,
      settle: (sequence) => this.#outbox.settle(sequence),
      reply: (pending, reply, durationMs) => this.#completeLogged(pending, reply, durationMs),
    }, () => options.clock.monotonicMs());
    this.driver = new RaftDriver(options.raft, options.log, {
      committed: (entries) => this.#apply(entries),
      readable: (id) => this.#runReads(id),
      unreadable: (id) => this.#retryReads(id),
      roleChanged: (change) => this.#roleChanged(change),
    });
  }

  /** Whether this node can serve writes now, and why not. */
  readiness(): { ready: boolean; reason: string } {
    if (this.#stopping) return { ready: false, reason: "stopping" };
    if (this.driver.diskFull || this.#options.lowOnDisk()) {
      return { ready: false, reason: "disk full" };
    }
    const { role, applied, commit } = this.driver.raft.status();
    if (role !== "leader") return { ready: false, reason: "no leader" };
    if (applied < commit) return { ready: false, reason: "applying the log" };
    return { ready: true, reason: "" };
  }

  /** Unix time in milliseconds. */
  wallMs(): number {
    return this.#options.clock.wallMs();
  }

  /** Unix time in microseconds. */
  wallUs(): number {
    return this.#options.clock.wallUs();
  }

  /** Holds back the writes, or all commands, of every client for a time; 0 lets them go. */
  pause(timeoutMs: number, mode: "write" | "all"): void {
    this.#pauseMode = mode;
    this.#pausedUntilMs = this.#options.clock.monotonicMs() + timeoutMs;
    if (timeoutMs === 0) this.#endPause();
  }

  get expiredKeys(): number {
    return this.#machine.expiredKeys;
  }

  /** Nothing of any client is under way. */
  get quiet(): boolean {
    for (const session of this.sessions.values()) if (!session.idle) return false;
    return true;
  }

  /** From now on new data commands are refused. */
  beginStop(): void {
    this.#stopping = true;
  }

  /**
   * Takes one request of a session. The reply goes to session.deliver, now or later. False: it
   * cannot be taken before what the session has under way is done; try again at session.resume().
   */
  execute(session: Session, argv: readonly Bytes[]): boolean {
    const command = resolve(argv);
    if (command instanceof ErrorReply) return this.#reject(session, undefined, command);
    if (!session.authenticated && !(command.path === "local" && command.noAuth === true)) {
      return this.#reject(session, command, NOT_AUTHENTICATED);
    }
    if (this.#pausedUntilMs > 0 && this.#isPaused(command)) return false;
    if (command.path === "local") return this.#runLocal(session, command, argv);
    if (session.localRunning) return false;
    if (command.path === "read" && session.pendingLog === 0) {
      if (session.pendingReads >= PIPELINE_DEPTH_MAX) return false;
      this.#begin(session, command);
      session.pendingReads++;
      this.#reads.push(this.#pending(session, command, argv));
      this.#schedule();
      return true;
    }
    if (session.pendingReads > 0 || session.pendingLog >= PIPELINE_DEPTH_MAX) return false;
    const refusal = this.#refuseWrite(argv);
    if (refusal !== undefined) return this.#reject(session, command, refusal);
    this.#begin(session, command);
    this.#enqueue(this.#pending(session, command, argv));
    return true;
  }

  /** Runs timers of the core; call it every few milliseconds. */
  tick(): void {
    this.#guard(() => {
      const { clock } = this.#options;
      if (this.ops.nextExpiryMs() <= clock.wallMs()) this.#proposeTick();
      const nowMs = clock.monotonicMs();
      this.#nowMs = nowMs;
      this.#abandonOverdue();
      if (this.#pausedUntilMs > 0 && nowMs >= this.#pausedUntilMs) this.#endPause();
      this.metrics.sample(nowMs);
      this.driver.tick(nowMs);
      this.#flushSessions();
    });
  }

  /** CLIENT stays possible, so that a pause can be ended. */
  #isPaused(command: RunnableCommand): boolean {
    if (this.#pauseMode === "write") return command.path === "write";
    return !command.name.startsWith("client|");
  }

  #endPause(): void {
    this.#pausedUntilMs = 0;
    for (const session of this.sessions.values()) if (session.idle) session.resume();
  }

  /** A loop turn's end: everything gathered goes on its way. */
  #turn(): void {
    this.#scheduled = false;
    this.#guard(() => {
      this.#startReads();
      this.#proposeWrites();
      this.driver.advance();
      this.#flushSessions();
    });
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.fatal(error);
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.schedule(() => this.#turn());
  }

  #begin(session: Session, command: RunnableCommand): void {
    session.lastActiveMs = this.#options.clock.wallMs();
    session.lastCommand = command.name;
  }

  #pending(session: Session, command: RunnableCommand, argv: readonly Bytes[]): Pending {
    const silent = session.replyMode !== "on";
    if (session.replyMode === "skip") session.replyMode = "on";
    return {
      session,
      command: command as Pending["command"],
      db: session.db,
      argv,
      silent,
      deadlineMs: this.#nowMs + this.#options.requestTimeoutMs,
      isAbandoned: false,
    };
  }

  // --- answers at once -------------------------------------------------------------------------

  #reject(session: Session, command: RunnableCommand | undefined, reply: ErrorReply): boolean {
    if (!session.idle) return false;
    session.lastActiveMs = this.#options.clock.wallMs();
    this.metrics.countRejected(command, reply);
    const silent = session.replyMode !== "on";
    if (session.replyMode === "skip") session.replyMode = "on";
    this.touch(session);
    if (!silent) session.deliver(reply);
    return true;
  }

  #runLocal(session: Session, command: LocalCommand, argv: readonly Bytes[]): boolean {
    if (!session.idle) return false;
    this.#begin(session, command);
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    const modeBefore = session.replyMode;
    const reply = command.run({ client: session, node: this.node }, argv);
    const silent = session.replyMode !== "on";
    if (modeBefore === "skip" && session.replyMode === "skip") session.replyMode = "on";
    const finish = (value: Reply) => {
      const durationMs = clock.monotonicMs() - startMs;
      this.metrics.countCall(command, durationMs, value);
      this.onCommand?.(session, argv, durationMs);
      this.touch(session);
      if (!silent) session.deliver(value);
    };
    if (!(reply instanceof Promise)) {
      finish(reply);
      return true;
    }
    session.localRunning = true;
    reply.then((value) => {
      session.localRunning = false;
      finish(value);
    }).catch((error) => this.#options.fatal(error));
    return true;
  }

  /** Has a session flushed at the end of this turn. */
  touch(session: Session): void {
    if (session.touched) return;
    session.touched = true;
    this.#touched.push(session);
    this.#schedule();
  }

  /** Sends what was delivered, then lets sessions go on that waited for it. */
  #flushSessions(): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const session of touched) {
      session.touched = false;
      session.flush();
    }
    for (const session of touched) if (session.idle) session.resume();
  }

  // --- writes ----------------------------------------------------------------------------------

  #refuseWrite(argv: readonly Bytes[]): ErrorReply | undefined {
    if (this.#stopping) return STOPPING;
    if (this.driver.diskFull || this.#options.lowOnDisk()) return DISK_FULL;
    const bytes = commandBytes(argv);
    if (bytes > ENTRY_BYTES_MAX) return TOO_LARGE;
    if (this.#outbox.length > 0 && this.#outbox.bytes + bytes > UNCOMMITTED_BYTES_MAX) {
      return OVERLOADED;
    }
    return undefined;
  }

  #enqueue(pending: Pending): void {
    pending.session.pendingLog++;
    this.#outbox.push(pending);
    this.#schedule();
  }

  #proposeWrites(): void {
    if (!this.#isLeader) return;
    while (this.#outbox.hasUnsent) {
      const own = this.#outbox.takeUnsent();
      if (!this.#propose(own)) return this.#outbox.untake(own);
      this.driver.advance();
    }
  }

  /** False when the core does not take it: nothing was appended. */
  #propose(own: OutboxBatch | undefined): boolean {
    const segments: Segment[] = own === undefined
      ? []
      : [{ node: this.#identity.nodeId, incarnation: this.#identity.incarnation, ...own }];
    const batch: Batch = {
      timeMs: Math.max(this.ops.applied.logTimeMs, this.#options.clock.wallMs()),
      seed: this.#prng.nextUint32(),
      segments,
    };
    const data = encodeBatch(batch.timeMs, batch.seed, segments.map(encodeSegment));
    return this.driver.raft.propose(data, batch).ok;
  }

  /** An entry without commands moves log time, so that keys expire on an idle node too. */
  #proposeTick(): void {
    if (this.#tickProposed || this.#stopping || this.driver.diskFull || !this.#isLeader) return;
    this.#tickProposed = this.#propose(undefined);
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#machine.apply(entry);
      if (entry.kind === "normal") this.#tickProposed = false;
    }
  }

  #completeLogged(pending: Pending, reply: Reply, durationMs: number): void {
    if (pending.isAbandoned) return;
    pending.session.pendingLog--;
    this.#complete(pending, reply, durationMs);
  }

  #complete(pending: Pending, reply: Reply, durationMs: number): void {
    const { session, command } = pending;
    this.metrics.countCall(command, durationMs, reply);
    this.onCommand?.(session, pending.argv, durationMs);
    this.touch(session);
    if (!pending.silent) session.deliver(reply);
  }

  /** Answers those that have waited too long; the error tells whether it may still happen. */
  #abandonOverdue(): void {
    for (const { pending, sent } of this.#outbox.held()) {
      if (pending.deadlineMs > this.#nowMs) break;
      if (pending.isAbandoned) continue;
      this.#completeLogged(pending, sent ? OUTCOME_UNKNOWN : NOT_DONE, 0);
      pending.isAbandoned = true;
      if (!sent) pending.argv = [];
    }
    const overdue = (pending: Pending) => pending.deadlineMs <= this.#nowMs;
    if (this.#reads.length === 0 || !overdue(this.#reads[0])) return;
    const late = this.#reads.filter(overdue);
    this.#reads = this.#reads.filter((pending) => !overdue(pending));
    for (const pending of late) {
      pending.session.pendingReads--;
      this.#complete(pending, NOT_DONE, 0);
    }
  }

  // --- reads -----------------------------------------------------------------------------------

  #startReads(): void {
    if (this.#reads.length === 0 || !this.#isLeader) return;
    const id = this.#nextRound++;
    this.#readRounds.set(id, this.#reads);
    this.#reads = [];
    if (this.driver.raft.readIndex(id) !== undefined) this.#retryReads(id);
  }

  #runReads(id: number): void {
    const reads = this.#readRounds.get(id) ?? [];
    this.#readRounds.delete(id);
    const { clock } = this.#options;
    const context = this.#readContext;
    context.logTimeMs = this.ops.applied.logTimeMs;
    context.nowMs = Math.max(context.logTimeMs, clock.wallMs());
    let startMs = clock.monotonicMs();
    for (const pending of reads) {
      const { session, command } = pending;
      if (session.outputBlocked) {
        session.deferredReads.push(pending);
        continue;
      }
      context.db = pending.db;
      context.dueSeen = false;
      const reply = session.pendingLog > 0 || command.path !== "read"
        ? null
        : command.run(context, pending.argv) as Reply;
      session.pendingReads--;
      if (session.pendingLog > 0 || context.dueSeen) {
        // Behind a key whose time has come but not in the log: the log decides, in order.
        this.#enqueue(pending);
        continue;
      }
      const endMs = clock.monotonicMs();
      this.#complete(pending, reply, endMs - startMs);
      startMs = endMs;
    }
  }

  /** A session's output has room again: its reads that waited for it go on. */
  resumeReads(session: Session): void {
    if (session.deferredReads.length === 0) return;
    for (const pending of session.deferredReads) this.#reads.push(pending);
    session.deferredReads = [];
    this.#schedule();
  }

  /** The round was lost with the leadership: its reads ask again. */
  #retryReads(id: number): void {
    const reads = this.#readRounds.get(id) ?? [];
    this.#readRounds.delete(id);
    this.#reads = reads.concat(this.#reads);
  }

  #roleChanged({ role, term, leader }: RoleChange): void {
    this.#isLeader = role === "leader";
    this.#outbox.resend();
    this.#options.logger.info("role changed", { role, term, leader });
    if (this.#outbox.hasUnsent || this.#reads.length > 0) this.#schedule();
  }
}
