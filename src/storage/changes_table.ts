import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import { type Change, type ChangeKind, ChangeRecorder, decodeChanges } from "./change_recorder.ts";
import type { SideTable } from "./side_table.ts";
import type { SqlDatabase, SqlStatement } from "./sqlite_types.ts";

export type { Change, ChangeKind };

/** What one log entry has changed. */
export interface EntryChanges {
  /** Index of the entry. */
  readonly index: number;
  /** Its log time, Unix milliseconds. */
  readonly timeMs: number;
  readonly changes: readonly Change[];
}

/** One that waits to be written: many readers ask for it, so it is decoded once. */
class Row implements EntryChanges {
  readonly index: number;
  readonly timeMs: number;
  readonly data: Bytes;
  /** Bytes of all rows from the first ever written to this one. */
  readonly endBytes: number;
  #changes: readonly Change[] | undefined;

  constructor(index: number, timeMs: number, data: Bytes, endBytes: number) {
    this.index = index;
    this.timeMs = timeMs;
    this.data = data;
    this.endBytes = endBytes;
  }

  get changes(): readonly Change[] {
    this.#changes ??= decodeChanges(this.data);
    return this.#changes;
  }
}

const TABLES = `
CREATE TABLE IF NOT EXISTS changes(
  log_index INTEGER PRIMARY KEY,
  log_time_ms INTEGER NOT NULL,
  end_bytes INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS changes_trimmed(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  log_index INTEGER NOT NULL
);
`;
/** What a row is reckoned to take beside its data. */
const ROW_BYTES = 32;
const ROWS_PER_WRITE = 64;
const ROWS_PER_READ = 64;

/**
 * The changes of the last entries, for the change feed: about `bytesMax` bytes of them. A part of
 * the state and of its snapshots, so every node offers the same; what is kept depends on no reader.
 */
export class ChangesTable implements SideTable {
  readonly recorder = new ChangeRecorder();
  /** Called when there is more to read. */
  onEntry: (() => void) | undefined;
  readonly #bytesMax: number;
  #dirty: Row[] = [];
  #frozen: Row[] = [];
  #written = 0;
  /** Entries up to this one are in SQL, durably. */
  #storedIndex = 0;
  #endBytes = 0;
  /** Changes of entries up to this one are gone; and as it is when the open transaction fails. */
  #trimmedIndex = 0;
  #trimmedBefore = 0;
  #isTrimmed = false;
  /** Rows in SQL up to this one are deleted, by the open transaction or before. */
  #deletedIndex = 0;
  #sql!: {
    readonly insert: SqlStatement;
    readonly read: SqlStatement;
    readonly oldest: SqlStatement;
    readonly trim: SqlStatement;
    readonly setTrimmed: SqlStatement;
  };

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The changes of entries up to this one are gone: none behind it are. */
  get trimmedIndex(): number {
    return this.#trimmedIndex;
  }

  /** An entry was applied: what was recorded meanwhile is its changes. */
  endEntry(index: number, timeMs: number): void {
    const data = this.recorder.take();
    if (data === "") return;
    this.#endBytes += data.length + ROW_BYTES;
    this.#dirty.push(new Row(index, timeMs, data, this.#endBytes));
    this.onEntry?.();
  }

  /**
   * The changes of the next entries behind `after`, oldest first: some, or none when there are no
   * more. What lies at or before `trimmedIndex` cannot be asked for.
   */
  read(after: number): EntryChanges[] {
    if (after < this.#storedIndex) {
      const rows = this.#sql.read.all(after, this.#storedIndex, ROWS_PER_READ);
      if (rows.length > 0) {
        return rows.map((row) => ({
          index: Number(row.log_index),
          timeMs: Number(row.log_time_ms),
          changes: decodeChanges(fromUint8Array(row.data as Uint8Array)),
        }));
      }
    }
    for (const rows of [this.#frozen, this.#dirty]) {
      const start = firstBehind(rows, after);
      if (start === rows.length) continue;
      return rows.slice(start, start + ROWS_PER_READ);
    }
    return [];
  }

  // --- state.db --------------------------------------------------------------------------------

  load(sql: SqlDatabase, appliedIndex: number): void {
    sql.exec(TABLES);
    this.#sql = {
      insert: sql.prepare("INSERT INTO changes VALUES (?, ?, ?, ?)"),
      read: sql.prepare(
        "SELECT log_index, CAST(log_time_ms AS REAL) AS log_time_ms, data FROM changes " +
          "WHERE log_index > ? AND log_index <= ? ORDER BY log_index LIMIT ?",
      ),
      oldest: sql.prepare(
        "SELECT log_index, end_bytes FROM changes WHERE log_index > ? ORDER BY log_index LIMIT ?",
      ),
      trim: sql.prepare("DELETE FROM changes WHERE log_index <= ?"),
      setTrimmed: sql.prepare("UPDATE changes_trimmed SET log_index = ?"),
    };
    // A state from before there was this table knows nothing of what it has applied.
    sql.exec(`INSERT OR IGNORE INTO changes_trimmed VALUES (1, ${appliedIndex})`);
    this.#trimmedIndex = Number(sql.prepare("SELECT * FROM changes_trimmed").get()?.log_index);
    this.#trimmedBefore = this.#trimmedIndex;
    this.#deletedIndex = 0;
    const last = sql.prepare(
      "SELECT log_index, end_bytes FROM changes ORDER BY log_index DESC LIMIT 1",
    ).get();
    this.#storedIndex = appliedIndex;
    this.#endBytes = Number(last?.end_bytes ?? 0);
    this.#dirty = [];
    this.#frozen = [];
    this.#written = 0;
    this.#isTrimmed = false;
    this.recorder.take();
    this.onEntry?.();
  }

  freeze(): void {
    this.#frozen = this.#dirty;
    this.#dirty = [];
    this.#written = 0;
    this.#isTrimmed = false;
    // What would be deleted at once is not written.
    const limit = this.#limit;
    const start = this.#frozen.findIndex(({ endBytes }) => endBytes > limit);
    if (start <= 0) return;
    this.#trimmedIndex = this.#trimmedBefore = this.#frozen[start - 1].index;
    this.#frozen = this.#frozen.slice(start);
  }

  writeSome(): boolean {
    const stop = Math.min(this.#frozen.length, this.#written + ROWS_PER_WRITE);
    for (; this.#written < stop; this.#written++) {
      const { index, timeMs, data, endBytes } = this.#frozen[this.#written];
      this.#sql.insert.run(index, timeMs, endBytes, toBuffer(data));
    }
    if (this.#written < this.#frozen.length) return false;
    if (!this.#isTrimmed) this.#isTrimmed = this.#trimSome();
    return this.#isTrimmed;
  }

  rewind(): void {
    this.#written = 0;
    this.#isTrimmed = false;
    this.#trimmedIndex = this.#trimmedBefore;
    this.#deletedIndex = 0;
  }

  committed(): void {
    const last = this.#frozen[this.#frozen.length - 1];
    if (last !== undefined) this.#storedIndex = last.index;
    this.#frozen = [];
    this.#written = 0;
    this.#trimmedBefore = this.#trimmedIndex;
  }

  /** Rows that end at or before this many bytes are too old, as of what is frozen. */
  get #limit(): number {
    const last = this.#frozen[this.#frozen.length - 1];
    return last === undefined ? 0 : last.endBytes - this.#bytesMax;
  }

  /**
   * Deletes some of the oldest rows, as far as there are too many; true when there are not. It sees
   * those of earlier transactions: another thread may run this one.
   */
  #trimSome(): boolean {
    const limit = this.#limit;
    if (limit <= 0) return true;
    const oldest = this.#sql.oldest.all(this.#deletedIndex, ROWS_PER_WRITE);
    const old = oldest.filter((row) => Number(row.end_bytes) <= limit);
    if (old.length > 0) {
      this.#deletedIndex = Number(old[old.length - 1].log_index);
      this.#sql.trim.run(this.#deletedIndex);
      this.#trimmedIndex = Math.max(this.#trimmedIndex, this.#deletedIndex);
    }
    if (old.length === ROWS_PER_WRITE) return false;
    this.#sql.setTrimmed.run(this.#trimmedIndex);
    return true;
  }
}

/** Where the first row with a larger index than `after` stands; the rows ascend. */
function firstBehind(rows: readonly Row[], after: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].index <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
