import type { Bytes } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import type { KeyRecord, RedisOperations } from "../storage/redis_operations.ts";

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

  constructor(ops: RedisOperations, prng: Prng) {
    this.ops = ops;
    this.prng = prng;
  }

  /** The record of a key of the connection's database that has not expired. */
  find(key: Bytes): KeyRecord | undefined {
    return this.findIn(this.db, key);
  }

  /** The record of a key that has not expired. */
  findIn(db: number, key: Bytes): KeyRecord | undefined {
    return this.#living(this.noTouch ? this.ops.peek(db, key) : this.ops.find(db, key));
  }

  /** `find` that does not count as a use of the key. */
  peek(key: Bytes): KeyRecord | undefined {
    return this.#living(this.ops.peek(this.db, key));
  }

  #living(record: KeyRecord | undefined): KeyRecord | undefined {
    if (record === undefined || record.expireAtMs > this.nowMs) return record;
    if (record.expireAtMs <= this.logTimeMs) return undefined;
    this.dueSeen = true;
    return record;
  }
}
