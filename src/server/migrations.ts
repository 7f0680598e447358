import type { Bytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { DataCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { errQuoting, quoted } from "../commands/help.ts";
import type { MigrateRequest } from "../commands/migrate.ts";
import { ErrorReply, OK, type Reply, Status } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import { STOPPING } from "./errors.ts";
import { type InnerCall, InnerSession, type Submit } from "./inner_session.ts";
import type { Exchange, MigrationConnection } from "./migration_connection.ts";
import { MigrationConnections } from "./migration_connections.ts";
import { DELETE_MOVED, type DumpedKey, dumpKey, encodeMoved } from "./moved_key.ts";
import { encodeTransaction } from "./transaction_entry.ts";

/** MIGRATEs at a time; others wait for their turn. */
const RUNNING_MAX = 32;
/** Keys are dumped and sent until they have this size, and then the next ones. */
const BATCH_BYTES = 8 * 1024 * 1024;

const NO_KEY = new Status("NOKEY");
const CANNOT_CONNECT = new ErrorReply("IOERR error or timeout connecting to the client");

export interface MigrationsOptions {
  readonly clock: Clock;
  readonly submit: Submit;
}

/** The MIGRATEs of this node's clients. */
export class Migrations {
  readonly connections = new MigrationConnections();
  readonly #options: MigrationsOptions;
  #running = 0;
  #isStopped = false;
  readonly #waiting: (() => void)[] = [];

  constructor(options: MigrationsOptions) {
    this.#options = options;
  }

  /** Moves keys of a database to another server. */
  async run(db: number, request: MigrateRequest): Promise<Reply> {
    if (this.#running < RUNNING_MAX) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const isStopped = () => this.#isStopped;
      return await new Migration(this.#options, this.connections, isStopped, db, request).run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** The node ends: what is under way goes no further. */
  stop(): void {
    this.#isStopped = true;
    this.connections.closeAll();
  }
}

/**
 * One MIGRATE. A key is deleted once the target has answered that it has it, and only if it is
 * still what was sent: other clients go on meanwhile.
 */
class Migration {
  readonly #clock: Clock;
  readonly #connections: MigrationConnections;
  readonly #isStopped: () => boolean;
  readonly #session: InnerSession;
  readonly #request: MigrateRequest;
  /** The first of the keys that were not looked at. */
  #next = 0;
  #error: ErrorReply | undefined;

  constructor(
    { clock, submit }: MigrationsOptions,
    connections: MigrationConnections,
    isStopped: () => boolean,
    db: number,
    request: MigrateRequest,
  ) {
    this.#clock = clock;
    this.#connections = connections;
    this.#isStopped = isStopped;
    this.#session = new InnerSession(submit, db, clock.wallMs());
    this.#request = request;
  }

  async run(): Promise<Reply> {
    let hasFound = false;
    while (this.#next < this.#request.keys.length) {
      if (this.#isStopped()) return STOPPING;
      const dumped = await this.#dumpSome();
      if (dumped instanceof ErrorReply) return dumped;
      if (dumped.length === 0) continue;
      hasFound = true;
      if (!await this.#move(dumped)) break;
    }
    return this.#error ?? (hasFound ? OK : NO_KEY);
  }

  /** The next of the keys that are there, by a linearizable read. */
  async #dumpSome(): Promise<readonly DumpedKey[] | ErrorReply> {
    const { keys } = this.#request;
    let dumped: DumpedKey[] = [];
    let end = this.#next;
    const run = (context: DataContext) => {
      // It runs again where a key's time has come by the clock alone.
      dumped = [];
      let bytes = 0;
      for (end = this.#next; end < keys.length && bytes < BATCH_BYTES; end++) {
        const record = context.find(keys[end]);
        if (record === undefined) continue;
        const each = dumpKey(context, keys[end], record);
        dumped.push(each);
        bytes += each.payload.length;
      }
      return OK;
    };
    const command: DataCommand = { name: "dump", arity: -1, path: "read", run };
    const [reply] = await this.#session.run([[command, encodeTransaction("read", [], [])]]);
    if (reply instanceof ErrorReply) return reply;
    this.#next = end;
    return dumped;
  }

  /** Sends keys and deletes those that the target has; false: it is no use to go on. */
  async #move(dumped: readonly DumpedKey[]): Promise<boolean> {
    const { replies, failed } = await this.#restore(dumped) ?? { replies: [], failed: undefined };
    const taken = dumped.filter((_, i) => i < replies.length && isOk(replies[i]));
    const refusal = replies.find((reply) => !isOk(reply));
    if (refusal !== undefined) this.#fail(refusedBy(refusal));
    if (failed !== undefined) this.#fail(ioError(failed));
    if (!this.#request.copy && taken.length > 0) await this.#delete(taken);
    return failed === undefined && replies.length > 0;
  }

  /** The replies to RESTORE; undefined when it has failed before the first was sent. */
  async #restore(dumped: readonly DumpedKey[]): Promise<Exchange | undefined> {
    const kept = this.#connections.takeIdle(this.#request);
    // One that was kept may be gone on the other side.
    const attempt = kept && await this.#restoreOver(kept, dumped);
    if (attempt !== "gone" && kept !== undefined) return attempt;
    const fresh = await this.#connections.open(this.#request);
    if (fresh === undefined) {
      this.#fail(CANNOT_CONNECT);
      return undefined;
    }
    const last = await this.#restoreOver(fresh, dumped);
    if (last !== "gone") return last;
    return { replies: [], failed: "reading", isTimeout: false };
  }

  /** The same over a connection; "gone" when that was closed before it answered anything. */
  async #restoreOver(
    connection: MigrationConnection,
    dumped: readonly DumpedKey[],
  ): Promise<Exchange | undefined | "gone"> {
    const { timeoutMs } = this.#request;
    const prelude = this.#preludeOf(connection);
    const opened = await connection.exchange(prelude, timeoutMs);
    if (isGone(opened)) return "gone";
    if (opened.failed !== undefined) {
      this.#fail(ioError(opened.failed));
      return undefined;
    }
    const refusal = opened.replies.find((reply) => !isOk(reply));
    if (refusal !== undefined) {
      connection.close();
      this.#fail(refusedBy(refusal));
      return undefined;
    }
    connection.db = this.#request.targetDb;
    const done = await connection.exchange(dumped.map((each) => this.#restoreOf(each)), timeoutMs);
    this.#connections.give(this.#request, connection);
    return isGone(done) && prelude.length === 0 ? "gone" : done;
  }

  #preludeOf(connection: MigrationConnection): Bytes[][] {
    const { credentials, targetDb } = this.#request;
    const prelude: Bytes[][] = [];
    // Each time, as in Redis: the password may have changed.
    if (credentials.length > 0) prelude.push(["AUTH", ...credentials]);
    if (connection.db !== targetDb) prelude.push(["SELECT", targetDb]);
    return prelude;
  }

  #restoreOf({ key, expireAtMs, payload }: DumpedKey): Bytes[] {
    const leftMs = Math.max(1, expireAtMs - Math.floor(this.#clock.wallMs()));
    const ttl = expireAtMs === NO_EXPIRY ? "0" : String(leftMs);
    return ["RESTORE", key, ttl, payload, ...this.#request.replace ? ["REPLACE"] : []];
  }

  /** Deletes keys, each for itself, that are as they were. */
  async #delete(taken: readonly DumpedKey[]): Promise<void> {
    const calls = taken.map((each): InnerCall => [DELETE_MOVED, encodeMoved(each)]);
    const replies = await this.#session.run(calls);
    const at = replies.findIndex((reply) => reply !== 1);
    if (at >= 0) this.#error = notDeleted(taken[at].key, replies[at]);
  }

  /** Notes what is answered; the first counts. */
  #fail(error: ErrorReply): void {
    this.#error ??= error;
  }
}

function isOk(reply: Reply): boolean {
  return reply instanceof Status && reply.text === "OK";
}

/** Closed by the other side before it answered: not by a time-out of ours. */
function isGone({ replies, failed, isTimeout }: Exchange): boolean {
  return failed !== undefined && replies.length === 0 && !isTimeout;
}

function refusedBy(reply: Reply): ErrorReply {
  const text = reply instanceof ErrorReply ? reply.text : "the reply is not OK";
  return errQuoting(`Target instance replied with error: ${text}`);
}

function ioError(failed: "writing" | "reading"): ErrorReply {
  return new ErrorReply(`IOERR error or timeout ${failed} to target instance`);
}

/** The target has a key that is still here as well. */
function notDeleted(key: Bytes, reply: Reply): ErrorReply {
  const name = quoted(key, 128);
  const reason = reply instanceof ErrorReply
    ? `deleting it here failed: ${reply.text}`
    : "it has changed here meanwhile and was not deleted";
  return errQuoting(`The target instance has key '${name}' as it was sent, ${reason}`);
}
