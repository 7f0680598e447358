import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { type Bytes, fromUint8Array } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { Waiting } from "../commands/blocking.ts";
import type { DataCommand } from "../commands/command.ts";
import { DataContext, type Notifier } from "../commands/data_context.ts";
import { resolve } from "../commands/table.ts";
import { EXPIRE_KEYS_PER_ENTRY, FORGET_REPLIES_PER_ENTRY } from "../constants.ts";
import { decodeConfiguration, memberIds } from "../raft/membership.ts";
import type { Entry } from "../raft/types.ts";
import { err, ErrorReply, type Reply } from "../resp/reply.ts";
import type { OriginState, RedisOperations } from "../storage/redis_operations.ts";
import type { BesideKeys } from "./beside_keys.ts";
import { type Batch, type BatchCommand, decodeBatch, type Segment } from "./batch.ts";
import { CallTimer } from "./call_timer.ts";
import { digestReply } from "./digest.ts";
import { NOT_DONE } from "./errors.ts";
import { KeyPrefetcher } from "./key_prefetcher.ts";
import { DELETE_MOVED, MOVED_NAME } from "./moved_key.ts";
import { Pieces } from "./pieces.ts";
import { AS_NAME, resolveAs, withoutUser } from "./run_as.ts";
import type { Pending, Session } from "./session.ts";
import { EXEC_NAME, resolveTransaction } from "./transaction_entry.ts";
import type { Waiters } from "./waiters.ts";
import { type LocalBlocking, resolveWaiting, WaitingCommands } from "./waiting_commands.ts";

/** Where the replies of commands go that came in through this node. */
export interface LocalReplies {
  readonly node: number;
  readonly incarnation: number;
  readonly blocking: LocalBlocking;
  /** Is told whose command is being applied, when somebody wants to know of its changes. */
  readonly tracking: { current: Session | undefined; flushed(): void };
  /** The command of this number is being applied: who waits for it, if anyone still does. */
  settle(sequence: number): Pending | undefined;
  reply(pending: Pending, reply: Reply, durationMs: number): void;
  /** A pass of expiry took as long. */
  expired(durationMs: number): void;
}

/** A command's place in the log. */
export interface LogPosition {
  readonly index: number;
  /** Counts the commands of the entry. */
  readonly position: number;
}

/**
 * Applies committed entries to the data. The same entries give the same data, replies and digest
 * on every node: time and randomness come from the entry alone.
 */
export class StateMachine {
  readonly #ops: RedisOperations;
  readonly #context: DataContext;
  readonly #local: LocalReplies;
  readonly #monotonicMs: () => number;
  readonly #timer: CallTimer;
  readonly #waiters: Waiters;
  readonly #waiting: WaitingCommands;
  /** The chance of the entry being applied. */
  #prng = new Prng(0);
  readonly #prefetcher: KeyPrefetcher;
  readonly #beside: BesideKeys;
  readonly #pieces: Pieces;
  #index = 0;
  #position = 0;
  /** Of the entry being applied: its bytes and what its writes answered. */
  #digest = 0;
  /** Keys that expiry has deleted since the start. */
  expiredKeys = 0;
  /** Fields of hashes that expiry has deleted since the start. */
  expiredFields = 0;

  constructor(
    ops: RedisOperations,
    beside: BesideKeys,
    waiters: Waiters,
    local: LocalReplies,
    monotonicMs: () => number,
  ) {
    this.#ops = ops;
    this.#beside = beside;
    this.#pieces = new Pieces(beside.pieces);
    this.#context = new DataContext(ops, new Prng(0), beside);
    this.#local = local;
    this.#context.onFlush = () => local.tracking.flushed();
    this.#prefetcher = new KeyPrefetcher(ops);
    this.#monotonicMs = monotonicMs;
    this.#timer = new CallTimer(monotonicMs);
    this.#waiters = waiters;
    this.#waiting = new WaitingCommands(waiters, this.#context, local.blocking);
  }

  /** Where the events of keys go. */
  set notifier(notifier: Notifier | undefined) {
    this.#context.notifier = notifier;
  }

  /** How many keys were there, and were not, that reads among the entries of this node looked for. */
  get lookups(): DataContext["lookups"] {
    return this.#context.lookups;
  }

  /** Where in the log the command stands that was applied last, also while its reply is given. */
  get position(): LogPosition {
    return { index: this.#index, position: this.#position };
  }

  /** Applies one entry; replies of commands that wait on this node are given on the way. */
  apply(entry: Entry): void {
    const { applied } = this.#ops;
    assert(entry.index === applied.index + 1, "entries are applied in order, each once");
    this.#index = entry.index;
    this.#position = 0;
    let { logTimeMs, digest, origins, configuration } = applied;
    this.#digest = digest;
    if (entry.kind === "normal") {
      const batch = entry.local as Batch | undefined ?? decodeBatch(entry.data);
      logTimeMs = Math.max(logTimeMs, batch.timeMs);
      this.#digest = crc32(entry.data, digest);
      this.#begin(batch, logTimeMs);
      for (const segment of batch.segments) origins = this.#applySegment(segment, origins);
      digest = this.#digest;
    }
    // Recent entries are kept in memory for peers; what hangs on them for us is not needed now.
    (entry as { local?: unknown }).local = undefined;
    if (entry.kind === "configuration") {
      configuration = fromUint8Array(entry.data);
      this.#pieces.keep(new Set(memberIds(decodeConfiguration(entry.data))));
    }
    const { index, term } = entry;
    this.#beside.changes.endEntry(index, logTimeMs);
    this.#ops.setApplied({ index, term, logTimeMs, digest, origins, configuration });
  }

  /** The state is now that of a snapshot: what waits on this node alone may be there. */
  snapshotInstalled(): void {
    const context = this.#context;
    context.logTimeMs = context.nowMs = this.#ops.applied.logTimeMs;
    if (this.#local.blocking.hasReadyReads) this.#local.blocking.serveReads(context);
  }

  #begin(batch: Batch, logTimeMs: number): void {
    const context = this.#context;
    context.logTimeMs = logTimeMs;
    context.nowMs = logTimeMs;
    this.#prng = new Prng(batch.seed);
    if (this.#ops.nextExpiryMs() <= logTimeMs) this.#deleteExpired(logTimeMs);
    if (this.#beside.changes.recorder.listener !== undefined) this.#serveWoken();
    this.#beside.idempotency.expire(logTimeMs, FORGET_REPLIES_PER_ENTRY);
  }

  /** Applies what of a segment was not applied before; returns the origins as they are then. */
  #applySegment(
    segment: Segment,
    origins: readonly OriginState[],
  ): readonly OriginState[] {
    const { node, incarnation, firstSequence, commands } = segment;
    const known = origins.find((origin) => origin.node === node);
    if (known !== undefined && known.incarnation > incarnation) return origins;
    const isSameRun = known !== undefined && known.incarnation === incarnation;
    if (!isSameRun) this.#pieces.startedAnew(node);
    const seen = isSameRun ? known.sequence : 0;
    const lastSequence = firstSequence + commands.length - 1;
    // Behind a gap: what was lost before it is sent again, and this with it, in their order.
    if (lastSequence <= seen || firstSequence > seen + 1) return origins;
    const skip = Math.max(0, seen + 1 - firstSequence);
    if (node === this.#local.node && incarnation === this.#local.incarnation) {
      this.#applyLocal(commands, firstSequence, skip);
    } else {
      for (let i = skip; i < commands.length; i++) {
        this.#position++;
        this.#prefetcher.before(commands, i);
        const applied = this.#pieces.complete(node, commands[i]);
        if (applied === undefined) continue;
        this.#applyForeign(applied, node, incarnation, firstSequence + i);
      }
    }
    const others = origins.filter((origin) => origin !== known);
    return [...others, { node, incarnation, sequence: lastSequence }];
  }

  /** Commands of this node's clients: each has somebody waiting, unless given up. */
  #applyLocal(commands: readonly BatchCommand[], firstSequence: number, skip: number): void {
    const context = this.#context;
    const timer = this.#timer;
    timer.start();
    const { node, incarnation } = this.#local;
    const { changes: { recorder }, scripting: { outlets: { calls } } } = this.#beside;
    for (let i = skip; i < commands.length; i++) {
      this.#position++;
      this.#prefetcher.before(commands, i);
      const sequence = firstSequence + i;
      const pending = this.#local.settle(sequence);
      const applied = this.#pieces.complete(node, commands[i], pending?.argv);
      if (applied === undefined && pending !== undefined) this.#lost(pending);
      if (applied === undefined || applied.argv.length === 0) continue;
      if (pending === undefined) {
        this.#applyForeign(applied, node, incarnation, sequence);
        continue;
      }
      context.db = applied.db;
      const command = pending.command as DataCommand;
      timer.before(command);
      context.isLocal = command.path === "read";
      context.callObserver = calls;
      // Other nodes leave out what only reads: it must not draw from the entry's chance.
      context.prng = context.isLocal ? context.readPrng : this.#prng;
      if (recorder.listener !== undefined) this.#local.tracking.current = pending.session;
      const reply = command.waiting === undefined
        ? command.run(context, applied.argv)
        : this.#runWaiting(pending, sequence, applied);
      this.#endCommand(command, applied.argv);
      if (reply !== undefined) {
        if (command.path === "write") this.#digest = digestReply(this.#digest, reply);
        this.#local.reply(pending, reply, timer.after(command));
      }
      if (recorder.listener !== undefined) this.#serveWoken();
      // Where nobody listens any more it stays that of no later one.
      this.#local.tracking.current = undefined;
    }
  }

  /** The pieces before its last one were dropped as this node was removed. */
  #lost(pending: Pending): void {
    if (pending.isAbandoned) return;
    pending.session.onGiveUp?.();
    this.#local.reply(pending, NOT_DONE, 0);
  }

  /** A command of this node's client that may wait: its reply, or undefined when it does. */
  #runWaiting(pending: Pending, sequence: number, applied: BatchCommand): Reply | undefined {
    const { blocking, node, incarnation } = this.#local;
    const command = pending.command as DataCommand;
    if (command.path === "read") return this.#readWaiting(pending, command);
    const origin = { node, incarnation, sequence };
    const reply = this.#waiting.run(command, origin, applied);
    if (reply instanceof Waiting) {
      blocking.waits(sequence, pending, reply);
      return undefined;
    }
    if (!pending.isAbandoned) blocking.answered(pending);
    return reply;
  }

  /** A read that may wait, which it does on this node alone: no more in the log. */
  #readWaiting(pending: Pending, command: DataCommand): Reply | undefined {
    // Nobody is there to wait.
    if (pending.isAbandoned || pending.session.closed) return null;
    const reply = this.#local.blocking.read(this.#context, pending, command);
    if (reply === undefined) pending.session.leftLog();
    return reply;
  }

  /** Serves those that wait for what the last command has changed. */
  #serveWoken(): void {
    const context = this.#context;
    this.#local.tracking.current = undefined;
    if (this.#waiters.hasReady) {
      context.isLocal = false;
      context.prng = this.#prng;
      this.#waiting.serve((reply) => this.#digest = digestReply(this.#digest, reply));
      this.#beside.changes.recorder.endCommand("waiting");
    }
    if (this.#local.blocking.hasReadyReads) this.#local.blocking.serveReads(context);
  }

  /** A command nobody waits for here; reads were logged only for the sake of their order. */
  #applyForeign(
    applied: BatchCommand,
    node: number,
    incarnation: number,
    sequence: number,
  ): void {
    const { db, argv } = applied;
    if (argv.length === 0) return;
    const command = resolveData(argv);
    if (command instanceof ErrorReply || command.path === "read") return;
    this.#context.db = db;
    this.#context.isLocal = false;
    this.#context.callObserver = undefined;
    this.#context.prng = this.#prng;
    const reply = command.waiting === undefined
      ? command.run(this.#context, argv)
      : this.#waiting.run(command, { node, incarnation, sequence }, applied);
    if (!(reply instanceof Waiting)) this.#digest = digestReply(this.#digest, reply);
    this.#endCommand(command, argv);
    if (this.#beside.changes.recorder.listener !== undefined) this.#serveWoken();
  }

  #endCommand({ name }: DataCommand, argv: readonly Bytes[]): void {
    const isWrapped = name === "idempotent";
    const inner = isWrapped ? withoutUser(argv)[3].toLowerCase() : name;
    this.#beside.changes.recorder.endCommand(inner);
  }

  /** A bounded share of what has expired; the rest follows behind later entries. */
  #deleteExpired(logTimeMs: number): void {
    const { recorder } = this.#beside.changes;
    const startMs = this.#monotonicMs();
    let left = EXPIRE_KEYS_PER_ENTRY;
    for (const { db, key } of this.#ops.expired(logTimeMs, EXPIRE_KEYS_PER_ENTRY)) {
      const record = this.#ops.find(db, key);
      if (record !== undefined && record.expireAtMs > logTimeMs) {
        left -= this.#deleteExpiredFields(db, key, logTimeMs, left);
      } else {
        this.#ops.del(db, key);
        this.#context.notify("expired", "expired", key, db);
        recorder.touch("expired", db, key);
        this.expiredKeys++;
        left--;
      }
      if (left <= 0) break;
    }
    recorder.endCommand("");
    this.#local.expired(this.#monotonicMs() - startMs);
  }

  /** The number of deleted fields of a hash. */
  #deleteExpiredFields(db: number, key: Bytes, logTimeMs: number, limit: number): number {
    const hash = this.#ops.edit(db, key, "hash");
    const fields = hash.expired(logTimeMs, limit);
    for (const field of fields) hash.remove(field);
    this.expiredFields += fields.length;
    if (fields.length > 0) this.#context.notify("hash", "hexpired", key, db);
    if (hash.size === 0) this.#context.notify("generic", "del", key, db);
    return fields.length;
  }
}

const NOT_A_DATA_COMMAND = err("not a data command");

function resolveData(argv: readonly string[]): DataCommand | ErrorReply {
  if (argv[0].charCodeAt(0) === 0) {
    if (argv[0] === EXEC_NAME) return resolveTransaction(argv);
    if (argv[0] === MOVED_NAME) return DELETE_MOVED;
    return argv[0] === AS_NAME ? resolveAs(argv) : resolveWaiting(argv[0]) ?? NOT_A_DATA_COMMAND;
  }
  const command = resolve(argv);
  if (command instanceof ErrorReply) return command;
  return command.path === "local" ? NOT_A_DATA_COMMAND : command;
}
