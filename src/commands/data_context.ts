import type { Bytes } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { type ErrorReply, WRONG_TYPE } from "../resp/reply.ts";
import type { Collections, CollectionType } from "../storage/collections.ts";
import type { Denial } from "./acl_check.ts";
import type { IdempotencyTable } from "../storage/idempotency_table.ts";
import type { CallObserver, ScriptSurroundings } from "./script_surroundings.ts";
import type { User, UsersTable } from "../storage/users_table.ts";
import type { KeyRecord, KeyType, RedisOperations } from "../storage/redis_operations.ts";

/** What kind of change a keyspace event tells of: the classes of notify-keyspace-events. */
export type EventClass = "generic" | KeyType | "expired" | "miss" | "new";

/** Takes keyspace events. */
export type Notifier = (eventClass: EventClass, event: Bytes, key: Bytes, db: number) => void;

/** What a command on data runs with. One object serves many commands; keep no reference. */
export class DataContext {
  readonly ops: RedisOperations;
  /** The database of the connection. */
  db = 0;
  /** Log time, Unix milliseconds: decides whether a key has expired. */
  logTimeMs = 0;
  /**
   * The time for what is computed, Unix milliseconds: remaining TTLs, new expiries. In a write it
   * is the log time; in a read the node's clock, when that is later.
   */
  nowMs = 0;
  /** Randomness: from the entry's seed in a write, so equal on every node. */
  prng: Prng;
  /**
   * Set when a read met a key whose expiry has come by the clock, but not yet by log time. The
   * server then runs the read again behind a newer log entry.
   */
  dueSeen = false;
  /** CLIENT NO-TOUCH: what it looks at does not count as used. */
  noTouch = false;
  /** The reply goes to one client alone, so it may tell what only this node knows. */
  isLocal = false;
  /** For what only reads, and so runs on one node alone; `prng` must not be drawn from then. */
  readonly readPrng = new Prng(1);
  /** Called when databases were emptied, even of nothing. */
  onFlush: () => void = () => {};
  /** A script has called a command that reads. */
  scriptHasRead = false;
  /** The key whose change has woken the command that waited for it; undefined at its first run. */
  wokenBy: Bytes | undefined;
  /** Takes keyspace events; undefined while this node has none to tell. */
  notifier: Notifier | undefined;
  /** How many keys that reads of this node looked for were there, and were not. */
  readonly lookups = { hits: 0, misses: 0 };
  /** The replies remembered by idempotency key: in a write. */
  readonly idempotency: IdempotencyTable | undefined;
  /** Whom a script runs for, if that is one who is held to rules, and who is told of refusals. */
  scriptUser: { readonly user: User; readonly refused?: (denial: Denial) => void } | undefined;
  /** The command is one that a script calls. */
  isInScript = false;
  /** Is told of what scripts call; undefined when the client is not one of this node. */
  callObserver: CallObserver | undefined;
  /** What scripts run with. */
  readonly scripting: ScriptSurroundings | undefined;
  /** The users: in a write. */
  readonly users: UsersTable | undefined;

  constructor(
    ops: RedisOperations,
    prng: Prng,
    beside: {
      readonly idempotency?: IdempotencyTable;
      readonly scripting?: ScriptSurroundings;
      readonly users?: UsersTable;
    } = {},
  ) {
    this.ops = ops;
    this.prng = prng;
    this.idempotency = beside.idempotency;
    this.scripting = beside.scripting;
    this.users = beside.users;
  }

  /**
   * Tells of a change of a key, once it is made, by the name that Redis gives the event
   * (redis.io/docs/manual/keyspace-notifications). `db`: the connection's database by default.
   */
  notify(eventClass: EventClass, event: Bytes, key: Bytes, db = this.db): void {
    if (this.notifier !== undefined) this.notifier(eventClass, event, key, db);
  }

  /** Whether a command that may have waited takes from this key now. */
  mayServe(key: Bytes): boolean {
    return this.wokenBy === undefined || this.wokenBy === key;
  }

  /** The record of a key of the connection's database that has not expired. */
  find(key: Bytes): KeyRecord | undefined {
    return this.findIn(this.db, key);
  }

  /** The record of a key that has not expired. */
  findIn(db: number, key: Bytes): KeyRecord | undefined {
    return this.#told(db, key, this.noTouch ? this.ops.peek(db, key) : this.ops.find(db, key));
  }

  /** `find` that does not count as a use of the key. */
  look(key: Bytes): KeyRecord | undefined {
    return this.#told(this.db, key, this.ops.peek(this.db, key));
  }

  /** The record, if the key has not expired; a read is counted, and the key it misses told of. */
  #told(db: number, key: Bytes, record: KeyRecord | undefined): KeyRecord | undefined {
    const found = this.#living(record);
    if (!this.isLocal) return found;
    if (found !== undefined) {
      this.lookups.hits++;
    } else {
      this.lookups.misses++;
      if (this.notifier !== undefined) this.notifier("miss", "keymiss", key, db);
    }
    return found;
  }

  /** `look` that nobody hears of. */
  peek(key: Bytes): KeyRecord | undefined {
    return this.#living(this.ops.peek(this.db, key));
  }

  #living(record: KeyRecord | undefined): KeyRecord | undefined {
    if (record === undefined || record.expireAtMs > this.nowMs) return record;
    if (record.expireAtMs <= this.logTimeMs) return undefined;
    this.dueSeen = true;
    return record;
  }

  /** The collection of this type at a key, for reading; undefined when the key is absent. */
  read<T extends CollectionType>(key: Bytes, type: T): Collections[T] | undefined | ErrorReply {
    const record = this.find(key);
    if (record === undefined) return undefined;
    if (record.type !== type) return WRONG_TYPE;
    return this.ops.collection(this.db, key, type, record);
  }

  /**
   * The collection of this type at a key, to be changed; empty when the key is absent, which it
   * stays until an element is added. See RedisOperations.edit.
   */
  edit<T extends CollectionType>(key: Bytes, type: T): Collections[T] | ErrorReply {
    const record = this.find(key);
    if (record === undefined) this.ops.del(this.db, key);
    else if (record.type !== type) return WRONG_TYPE;
    return this.ops.edit(this.db, key, type);
  }
}
