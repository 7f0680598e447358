import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import type { DataCommand, RunnableCommand } from "../commands/command.ts";
import type { NodeView } from "../commands/local_context.ts";
import { resolve } from "../commands/table.ts";
import { PIPELINE_DEPTH_MAX } from "../constants.ts";
import type {
  Entry,
  MembershipChange,
  Message,
  NodeId,
  Proposed,
  Refusal,
  Role,
  RoleChange,
  SnapshotMeta,
} from "../raft/types.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { Identity } from "../storage/raft_log_types.ts";
import type { RedisOperations } from "../storage/redis_operations.ts";
import { Answers } from "./answers.ts";
import { AppliedWaiters } from "./applied_waiters.ts";
import { nextForgettingMs } from "./beside_keys.ts";
import { ClientFeatures } from "./client_features.ts";
import { ClientPause } from "./client_pause.ts";
import { DigestHistory, DivergenceError } from "./digest_check.ts";
import { DISK_FULL, NOT_AUTHENTICATED, STOPPING } from "./errors.ts";
import { type KeyFigures, keyFiguresOf } from "./key_figures.ts";
import type { Leadership } from "./leadership.ts";
import type { Metrics } from "./metrics.ts";
import { RaftDriver } from "./raft_driver.ts";
import { notForSubscriber } from "./subscriber_mode.ts";
import { Reads } from "./reads.ts";
import type { ServerOptions } from "./server_options.ts";
import { type Readiness, readinessOf } from "./readiness.ts";
import { makePending, type Pending, type Session } from "./session.ts";
import { asLogged, asReadOfScript } from "./script_reads.ts";
import type { SnapshotService } from "./snapshot_service.ts";
import { type LogPosition, StateMachine } from "./state_machine.ts";
import { withNodeLimits } from "./stream_limits.ts";
import { Writes } from "./writes.ts";

/**
 * The one loop of a node. Sessions hand requests to `execute`; what they ask of the data is
 * gathered until the end of the loop turn, so that all sessions share one log entry, one fsync and
 * one read point; then committed entries are applied and the replies delivered.
 */
export class Server {
  readonly answers: Answers;
  readonly features: ClientFeatures;
  readonly driver: RaftDriver;
  readonly ops: RedisOperations;
  readonly sessions = new Map<number, Session>();
  /** What local commands see of this node; set once it is made. */
  node!: NodeView;
  /** Sends and takes snapshots, in a cluster. */
  snapshots: SnapshotService | undefined;

  readonly #options: ServerOptions;
  readonly #digests = new DigestHistory();
  readonly #machine: StateMachine;
  readonly #waiters = new AppliedWaiters();
  readonly #reads: Reads;
  readonly #writes: Writes;
  #leadership: Leadership;
  #role: Role = "follower";
  #scheduled = false;
  #isFull: boolean | undefined; // As of this turn.
  #stopping = false;
  /** It lets go at the end of the turn: the command that ended it is answered first. */
  readonly pause = new ClientPause((session) => this.answers.touch(session));

  constructor(options: ServerOptions) {
    this.#options = options;
    const { raft, ops, clock, link, log } = options;
    const { identity } = log;
    this.ops = ops;
    assert(identity !== undefined, "a node that runs has an identity");
    this.#leadership = { isLeader: false, term: raft.status().term, leader: 0 };
    this.answers = new Answers({
      clock,
      schedule: () => this.#schedule(),
      fatal: options.fatal,
      node: () => this.node,
    });
    this.driver = new RaftDriver(raft, log, {
      committed: (entries) => this.#apply(entries),
      send: (messages) => link.send(messages),
      readable: (id, index) => this.#reads.confirmed(id, index),
      unreadable: (id) => this.#reads.failed(id),
      roleChanged: (change) => this.#roleChanged(change),
      snapshotsNeeded: (peers) => this.snapshots?.needed(peers),
      install: (snapshot) => this.snapshots?.install(snapshot),
    });
    log.onWritten = () => this.#schedule();
    const shared = {
      raft,
      ops,
      clock,
      link,
      prng: new Prng(options.seed),
      leadership: () => this.#leadership,
    };
    this.#writes = new Writes({
      ...shared,
      identity,
      advance: () => this.driver.advance(),
      isHeldBack: () => options.isBacklogged(),
      pieceBytes: options.pieceBytes,
      schedule: () => this.#schedule(),
      stillWaits: (...waiter) => this.features.blocking.waitsInSnapshot(...waiter),
      giveUp: (pending, reply) => {
        if (!pending.isAbandoned) pending.session.onGiveUp?.();
        this.#completeLogged(pending, reply, 0);
      },
    });
    this.#reads = new Reads({
      ...shared,
      incarnation: identity.incarnation,
      scripting: options.beside.scripting,
      complete: (pending, reply, durationMs) => this.answers.complete(pending, reply, durationMs),
      giveUp: (pending, reply) => {
        pending.session.onGiveUp?.();
        this.answers.complete(pending, reply, 0);
      },
      toLog: (pending) => this.#enqueue(pending),
      readWaiting: (...read) => this.features.blocking.read(...read),
      schedule: () => this.#schedule(),
    });
    this.features = new ClientFeatures({
      ...options,
      answers: this.answers,
      identity,
      writes: this.#writes,
      sessions: this.sessions,
      schedule: () => this.#schedule(),
      setNotifier: (notifier) => this.#machine.notifier = this.#reads.notifier = notifier,
      node: () => this.node,
      submit: (...request) => this.#submit(...request),
    });
    this.#machine = new StateMachine(ops, options.beside, this.features.waiters, {
      node: identity.nodeId,
      incarnation: identity.incarnation,
      blocking: this.features.blocking,
      tracking: this.features.tracking,
      settle: (sequence) => this.#writes.settle(sequence),
      reply: (pending, reply, durationMs) => this.#completeLogged(pending, reply, durationMs),
      expired: (durationMs) => this.answers.onExpiry?.(durationMs),
    }, () => clock.monotonicMs());
  }

  /** Whether this node can serve writes now, and why not. */
  readiness(): Readiness {
    return readinessOf(this, this.#stopping);
  }

  /** No room for more: writes must not be taken. */
  get isDiskFull(): boolean {
    return this.driver.diskFull || this.#options.noRoom(true);
  }

  get metrics(): Metrics {
    return this.answers.metrics;
  }

  /** Where in the log the command stands that was applied last, also while its reply is given. */
  get position(): LogPosition {
    return this.#machine.position;
  }

  /** Resolves to whether this node has applied an entry before the time of a request is up. */
  whenApplied(index: number): Promise<boolean> {
    if (index <= this.ops.applied.index) return Promise.resolve(true);
    return this.#waiters.wait(index, this.monotonicMs() + this.#options.requestTimeoutMs);
  }

  /** This node's part in the cluster, by Raft's words. */
  get role(): Role {
    return this.#role;
  }

  get leadership(): Leadership {
    return this.#leadership;
  }

  get identity(): Identity {
    return this.#options.log.identity as Identity;
  }

  /** Index of the log's snapshot: entries up to it are gone. */
  get snapshotIndex(): number {
    return this.#options.log.snapshot.index;
  }

  monotonicMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /** Unix time in milliseconds. */
  wallMs(): number {
    return this.#options.clock.wallMs();
  }

  /** Unix time in microseconds. */
  wallUs(): number {
    return this.#options.clock.wallUs();
  }

  get keyFigures(): KeyFigures {
    return keyFiguresOf(this.#machine, this.#reads);
  }

  /** Nothing of any client is under way, but for a SHUTDOWN, which waits for just that. */
  get quiet(): boolean {
    for (const session of this.sessions.values()) {
      const isStopper = session.localRunning && session.lastCommand === "shutdown";
      if (!session.idle && !isStopper && session.blocked === undefined) return false;
    }
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
  execute(session: Session, request: readonly Bytes[]): boolean {
    const command = resolve(request);
    if (command instanceof ErrorReply) return this.answers.unresolved(session, request, command);
    const prepared = command.path === "write" && command.prepare?.(request, this.node);
    const argv = withNodeLimits(command, prepared || request);
    if (!session.authenticated && !(command.path === "local" && command.noAuth === true)) {
      return this.answers.reject(session, command, NOT_AUTHENTICATED);
    }
    if (session.restriction === undefined) return this.#take(session, command, argv);
    const checked = this.features.access.checked(session, command, argv);
    return typeof checked === "boolean" ? checked : this.#take(session, ...checked);
  }

  #take(session: Session, command: RunnableCommand, argv: readonly Bytes[]): boolean {
    const refusal = notForSubscriber(session, command) ??
      this.features.memoryLimit.refusal(session, command, argv, this.answers.nowMs);
    if (refusal !== undefined) return this.answers.reject(session, command, refusal);
    if (this.pause.holdsBack(session, command)) return false;
    if (session.transaction !== undefined) {
      return this.features.transactions.take(session, command, argv);
    }
    const read = asReadOfScript(this.#options.beside.scripting, command, argv);
    if (read !== undefined) return this.#submit(session, ...read);
    if (command.path !== "local") return this.#submit(session, command, argv);
    if (command.name === "watch") return this.features.transactions.watch(session, argv);
    return this.answers.runLocal(session, command, argv);
  }

  #submit(session: Session, command: DataCommand, argv: readonly Bytes[]): boolean {
    if (session.localRunning) return false;
    // What may wait holds back all that follows, and the replies of what went before it.
    if (command.waiting?.mayWait(argv) && !session.idle) return false;
    if (command.path === "read" && session.pendingLog === 0) {
      if (session.pendingReads >= PIPELINE_DEPTH_MAX) return false;
      this.answers.begin(session, command, argv);
      const pending = this.#pending(session, command, argv);
      if (session.consistency !== "linearizable" && this.#reads.isReadableNow(session)) {
        this.#reads.runNow(pending);
        return true;
      }
      session.pendingReads++;
      this.#reads.add(pending);
      this.#schedule();
      return true;
    }
    if (session.pendingReads > 0 || session.pendingLog >= PIPELINE_DEPTH_MAX) return false;
    if (session.largeUnderWay) return false;
    const refusal = this.#refuseWrite(argv);
    if (refusal !== undefined) return this.answers.reject(session, command, refusal);
    this.answers.begin(session, command, argv);
    this.#enqueue(this.#pending(session, command, argv));
    return true;
  }

  /** Some of the data was written: commands that were held back may go on. */
  stateWritten(): void {
    if (this.#writes.hasUnsent) this.#schedule();
  }

  /** Runs timers of the core; call it every few milliseconds. */
  tick(): void {
    this.#guard(() => {
      const { clock, beside } = this.#options;
      const mayTick = this.#leadership.isLeader && !this.#stopping && !this.isDiskFull;
      const nextMs = Math.min(this.ops.nextExpiryMs(), nextForgettingMs(beside));
      this.answers.nowMs = clock.wallMs();
      const isDue = this.features.expiresActively && nextMs <= this.answers.nowMs;
      if (mayTick && isDue) this.#writes.proposeTick();
      const nowMs = clock.monotonicMs();
      this.#writes.abandonOverdue(nowMs);
      this.#reads.abandonOverdue(nowMs);
      this.#waiters.tick(nowMs);
      this.pause.tick(nowMs);
      this.metrics.sample(nowMs);
      this.driver.tick(nowMs);
      if (this.#leadership.isLeader) this.#announceDigest(nowMs);
      this.answers.flush();
    });
  }

  #announceDigest(nowMs: number): void {
    if (!this.#digests.isDue(nowMs)) return;
    const { index, digest } = this.ops.applied;
    for (const { id } of this.driver.raft.status().peers) {
      this.#options.link.announceDigest(id, index, digest);
    }
  }

  /** A loop turn's end: everything gathered goes on its way. */
  #turn(): void {
    this.#scheduled = false;
    this.#isFull = undefined;
    this.answers.lookAgain();
    this.#guard(() => {
      this.driver.poll();
      this.#reads.start();
      if (this.features.drops.propose()) this.#writes.send();
      this.driver.advance();
      this.features.tracking.flush();
      this.answers.flush();
    });
    // The next command may come after a long stall.
    this.answers.lookAgain();
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

  #pending(session: Session, command: DataCommand, argv: readonly Bytes[]): Pending {
    if (session.tracking !== undefined) {
      command = this.features.tracking.noting(session, command);
    }
    const startMs = this.answers.turnMs();
    const times = { startMs, deadlineMs: startMs + this.#options.requestTimeoutMs };
    const pending = makePending(session, command, argv, times);
    if (command.waiting?.mayWait(argv)) this.features.blocking.begins(pending);
    return pending;
  }

  // --- data ------------------------------------------------------------------------------------

  #refuseWrite(argv: readonly Bytes[]): ErrorReply | undefined {
    if (this.#stopping) return STOPPING;
    // A follower that cannot log cannot apply either, and so would never answer.
    this.#isFull ??= this.driver.diskFull || this.#options.noRoom(this.#leadership.isLeader);
    if (this.#isFull) return DISK_FULL;
    return this.#writes.refusal(argv);
  }

  #enqueue(pending: Pending): void {
    pending.session.pendingLog++;
    this.#writes.take(asLogged(pending));
    this.#schedule();
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#machine.apply(entry);
      this.#digests.applied(this.ops.applied);
      if (entry.kind === "normal") this.#writes.entryApplied();
    }
    this.#waiters.applied(this.ops.applied.index);
    this.#reads.runConfirmed();
  }

  #completeLogged(pending: Pending, reply: Reply, durationMs: number): void {
    if (pending.isAbandoned) return;
    pending.session.leftLog();
    this.answers.complete(pending, reply, durationMs);
  }

  /** A session's output has room again: its reads that waited for it go on. */
  resumeReads(session: Session): void {
    if (session.deferredReads.length === 0) return;
    const reads = session.deferredReads;
    session.deferredReads = [];
    this.#reads.addAgain(reads);
    this.#schedule();
  }

  #roleChanged(change: RoleChange): void {
    const { role, term, leader } = change;
    this.#leadership = { isLeader: role === "leader", term, leader };
    this.#role = role;
    this.#writes.leaderChanged();
    this.#reads.leaderChanged();
    this.features.drops.roleChanged(role === "leader");
    this.#options.logger.info("role changed", { role, term, leader });
    this.#schedule();
  }

  // --- peers -----------------------------------------------------------------------------------

  /** A Raft message of another node. */
  receive(message: Message): void {
    if (message.type === "install_snapshot" && !this.snapshots?.holds(message.snapshot)) return;
    this.#guard(() => this.driver.raft.step(message));
    this.#schedule();
  }

  /** Log and state stand at a snapshot's position now, as the core has asked for. */
  snapshotInstalled(index: number): void {
    this.#guard(() => {
      this.#digests.applied(this.ops.applied);
      this.features.snapshotInstalled();
      this.#writes.snapshotInstalled();
      this.#machine.snapshotInstalled();
      this.driver.snapshotInstalled(index);
      this.#waiters.applied(index);
      this.#reads.runConfirmed();
    });
    this.#schedule();
  }

  /** The transfer of a snapshot to a peer has ended; with `snapshot`, it is told to install it. */
  snapshotSent(to: NodeId, snapshot: SnapshotMeta | undefined): void {
    this.#guard(() => this.driver.snapshotSent(to, snapshot));
    this.#schedule();
  }

  /** Commands of another node's clients, for this leader of `term`. */
  receiveForward(from: NodeId, term: number, segment: Uint8Array): void {
    this.#writes.receive(from, term, segment);
    this.#schedule();
  }

  /** Another node asks this leader for a read point. */
  receiveReadRequest(from: NodeId, id: number): void {
    this.#reads.requested(from, id);
  }

  /** The leader's answer to such a request of this node. */
  receiveReadPoint(id: number, index: number): void {
    this.#guard(() => this.#reads.pointReceived(id, index));
    this.#schedule();
  }

  /** A connection to a node is up: what was lost with the one before is sent again. */
  peerConnected(id: NodeId, incarnation: number): void {
    this.features.peerConnected(id, incarnation);
    if (id !== this.#leadership.leader) return;
    this.#writes.outbox.resend();
    this.#reads.leaderChanged();
    this.#schedule();
  }

  /** Words on channels from another node. */
  receivePubSub(from: NodeId, words: Uint8Array): void {
    this.features.pubsubPeers.receive(from, words);
  }

  /** The leader's digest at an applied index: another one here means that this node is wrong. */
  receiveDigest(from: NodeId, index: number, digest: number): void {
    if (from !== this.#leadership.leader || !this.#digests.differs(index, digest)) return;
    this.#options.fatal(new DivergenceError(index));
  }

  /** Changes the members, on the leader. */
  changeMembership(change: MembershipChange): Proposed {
    const proposed = this.driver.raft.changeMembership(change);
    this.#schedule();
    return proposed;
  }

  /** Hands leadership to a voter (0: the most advanced one). */
  transferLeader(to: NodeId): Refusal | undefined {
    const refusal = this.driver.raft.transferLeader(to);
    this.#schedule();
    return refusal;
  }

  peerDisconnected(id: NodeId): void {
    this.features.peerDisconnected(id, this.#leadership.isLeader);
    this.driver.raft.reportUnreachable(id);
    if (id === this.#leadership.leader) this.#reads.leaderChanged();
    this.#schedule();
  }
}
