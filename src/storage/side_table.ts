import type { SqlDatabase } from "./sqlite_types.ts";

/**
 * A table of state.db beside the keys: what changes in it waits in memory and is written in the
 * transaction that writes the keys and the applied index, so all of them are of one entry.
 */
export interface SideTable {
  /** Takes up what a state.db holds, in place of all it had; makes its tables in a new one. */
  load(sql: SqlDatabase, appliedIndex: number): void;
  /** What has changed so far belongs to the transaction that comes next. */
  freeze(): void;
  /** Bytes of values that are frozen, where they may be many. */
  readonly frozenBytes?: number;
  /** Writes a bounded part of what is frozen, in the open transaction; true when all is written. */
  writeSome(): boolean;
  /** The transaction was rolled back: it will be written from its start. */
  rewind(): void;
  /** The transaction is durable. */
  committed(): void;
}
