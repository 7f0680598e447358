import { crc32 } from "node:zlib";
import { Prng } from "../base/prng.ts";
import type { DataCommand } from "../commands/command.ts";
import { DataContext } from "../commands/data_context.ts";
import { resolve } from "../commands/table.ts";
import { EXPIRE_KEYS_PER_ENTRY } from "../constants.ts";
import type { Entry } from "../raft/types.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { RedisOperations } from "../storage/redis_operations.ts";
import { type Batch, decodeBatch } from "./batch.ts";
import type { Pending } from "./session.ts";

/** What the proposing node keeps of a batch: its commands are the waiters. */
export interface LocalBatch extends Batch {
  readonly commands: readonly Pending[];
}

/** Takes the reply of a command that waits on this node. */
export type ReplySink = (pending: Pending, reply: Reply, durationMs: number) => void;

/**
 * Applies committed entries to the data. The same entries give the same data, replies and digest
 * on every node: time and randomness come from the entry alone.
 */
export class StateMachine {
  readonly #ops: RedisOperations;
  readonly #context: DataContext;
  readonly #sink: ReplySink;
  readonly #monotonicMs: () => number;
  /** Keys that expiry has deleted since the start. */
  expiredKeys = 0;

  constructor(ops: RedisOperations, sink: ReplySink, monotonicMs: () => number) {
    this.#ops = ops;
    this.#context = new DataContext(ops, new Prng(0));
    this.#sink = sink;
    this.#monotonicMs = monotonicMs;
  }

  /** Applies one entry; the replies of commands that wait here go to the sink, in order. */
  apply(entry: Entry): void {
    const { applied } = this.#ops;
    let logTimeMs = applied.logTimeMs;
    let digest = applied.digest;
    if (entry.kind === "normal") {
      const local = entry.local as LocalBatch | undefined;
      const batch = local ?? decodeBatch(entry.data);
      logTimeMs = Math.max(logTimeMs, batch.timeMs);
      digest = crc32(entry.data, digest);
      this.#applyBatch(batch, logTimeMs, local);
    }
    this.#ops.setApplied({ index: entry.index, term: entry.term, logTimeMs, digest });
  }

  #applyBatch(batch: Batch, logTimeMs: number, local: LocalBatch | undefined): void {
    const context = this.#context;
    context.logTimeMs = logTimeMs;
    context.nowMs = logTimeMs;
    context.prng = new Prng(batch.seed);
    this.#deleteExpired(logTimeMs);
    const { commands } = batch;
    let startMs = this.#monotonicMs();
    for (let i = 0; i < commands.length; i++) {
      const pending = local?.commands[i];
      const command = pending === undefined ? resolveData(commands[i].argv) : pending.command;
      if (command instanceof ErrorReply) continue;
      if (pending === undefined && command.path === "read") continue;
      context.db = commands[i].db;
      const reply = (command as DataCommand).run(context, commands[i].argv);
      if (pending === undefined) continue;
      const endMs = this.#monotonicMs();
      this.#sink(pending, reply, endMs - startMs);
      startMs = endMs;
    }
  }

  /** A bounded share of the keys whose time has come; the rest follows behind later entries. */
  #deleteExpired(logTimeMs: number): void {
    if (this.#ops.nextExpiryMs() > logTimeMs) return;
    for (const { db, key } of this.#ops.expired(logTimeMs, EXPIRE_KEYS_PER_ENTRY)) {
      this.#ops.del(db, key);
      this.expiredKeys++;
    }
  }
}

function resolveData(argv: readonly string[]): DataCommand | ErrorReply {
  const command = resolve(argv);
  if (command instanceof ErrorReply) return command;
  if (command.path === "local") return new ErrorReply("ERR not a data command");
  return command;
}
