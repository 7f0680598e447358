import type { ChangeRecorder } from "./change_recorder.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { SideTable } from "./side_table.ts";

/** How much is done at once: to read so many elements takes some 10 ms, to write so many rows 1. */
export const WORK_LIMITS: Required<WorkLimits> = { wholeElementsMax: 4096, rowsPerLook: 64 };

export interface WorkLimits {
  /** Larger hashes, sets and sorted sets are not read into memory to be used. */
  readonly wholeElementsMax?: number;
  /** Rows that a flush writes between two looks at the clock. */
  readonly rowsPerLook?: number;
}

export interface CachedRedisOperationsOptions extends WorkLimits {
  /** Memory for keys and values; changes not yet flushed may exceed it for a while. */
  readonly cacheBytes: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** A flush starts when no entry was applied for this long … */
  readonly flushIdleMs?: number;
  /** … or when the first unflushed change is this old … */
  readonly flushAgeMs?: number;
  /** … or at this many changed keys, fewer where commits are slow, or 55% of the cache. */
  readonly flushKeys?: number;
  /** Of the hash tables of names: 32 bits that clients do not know. */
  readonly hashSeed?: number;
  /** Bounds the -wal file; an InlineCheckpointer by default. */
  readonly checkpointer?: Checkpointer;
  /** What else is of the state: written in the same transactions. */
  readonly sideTables?: readonly SideTable[];
  /** Is told of each change of a key or database. */
  readonly changes?: ChangeRecorder;
}
