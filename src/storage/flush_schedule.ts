import { RECORD_OVERHEAD_BYTES } from "./cached_key.ts";
import type { Ledger } from "./keyspace.ts";

/** A flush is made smaller down to this while its commit takes longer than that. */
const FLUSH_KEYS_MIN = 4000;
const COMMIT_MS_MAX = 10;

/** Of the cache: a larger share makes fewer flushes, and leaves less to gather in meanwhile. */
const DIRTY_SHARE = 0.55;
/**
 * Of it, in bytes that go to the disk, and no more than so many: a larger flush may find no room
 * all at once, and the log cannot be purged before it is done.
 */
const WRITTEN_SHARE = 0.25;
const WRITTEN_BYTES_MAX = 16 * 1024 * 1024;

export interface FlushScheduleOptions {
  readonly cacheBytes: number;
  /** A flush starts when no entry was applied for this long … */
  readonly flushIdleMs: number;
  /** … or when the first unflushed change is this old … */
  readonly flushAgeMs: number;
  /** … or at this many changed keys, fewer where commits are slow, or 55% of the cache. */
  readonly flushKeys: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** When the working set starts to write what has changed. */
export class FlushSchedule {
  readonly #options: FlushScheduleOptions;
  /** Changed keys at which a flush starts, by the time that commits took. */
  #flushKeys: number;
  /** The applied index at the last look, and when looks found it changed, last and first. */
  #seenIndex: number;
  #lastChangeMs = 0;
  #firstChangeMs: number | undefined;

  constructor(options: FlushScheduleOptions, appliedIndex: number) {
    this.#options = options;
    this.#flushKeys = options.flushKeys;
    this.#seenIndex = appliedIndex;
  }

  /** Milliseconds until a flush is to start, when something has changed. */
  waitMs(ledger: Ledger, appliedIndex: number): number {
    const { cacheBytes, flushIdleMs, flushAgeMs, now } = this.#options;
    const { dirtyBytes, dirtyCount } = ledger;
    if (dirtyBytes >= cacheBytes * DIRTY_SHARE || dirtyCount >= this.#flushKeys) return 0;
    const writtenBytes = dirtyBytes - dirtyCount * RECORD_OVERHEAD_BYTES;
    if (writtenBytes >= Math.min(cacheBytes * WRITTEN_SHARE, WRITTEN_BYTES_MAX)) return 0;
    const nowMs = now();
    this.#firstChangeMs ??= nowMs;
    if (appliedIndex !== this.#seenIndex) {
      this.#seenIndex = appliedIndex;
      this.#lastChangeMs = nowMs;
    }
    const dueMs = Math.min(this.#lastChangeMs + flushIdleMs, this.#firstChangeMs + flushAgeMs);
    return Math.max(0, dueMs - nowMs);
  }

  /** A flush has taken on all that had changed. */
  started(): void {
    this.#firstChangeMs = undefined;
  }

  /**
   * The commit of a flush takes time in proportion to the pages it wrote (SQLite sums up again
   * those that were written twice), which only a smaller flush makes shorter.
   */
  committed(commitMs: number): void {
    const slow = commitMs > COMMIT_MS_MAX;
    const next = Math.max(FLUSH_KEYS_MIN, this.#flushKeys * (slow ? 0.5 : 1.1));
    this.#flushKeys = Math.min(this.#options.flushKeys, next);
  }
}
