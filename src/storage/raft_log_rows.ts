import { assert } from "../base/assert.ts";
import type { Entry } from "../raft/types.ts";
import { decodeEntries, encodeEntries, rowChecksum, type RowHeader } from "./raft_log_codec.ts";
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from "./sqlite_types.ts";
import { LogCorruptError } from "./storage_errors.ts";

/** A verified and decoded row. */
export interface LogRow extends RowHeader {
  readonly entries: readonly Entry[];
  readonly dataBytes: number;
}

/** Rows ready to be written. */
export interface EncodedRows {
  readonly rows: readonly (readonly SqlValue[])[];
  /** Bytes of data since the log began, these included. */
  readonly endBytes: number;
}

/** Rows to delete: they begin and end no later than this. */
export interface PurgeRange {
  readonly firstMax: number;
  readonly endBytesMax: number;
}

/** A batch is split into rows of about this many bytes, so that a read loads no more. */
const ROW_BYTES_MAX = 1024 * 1024;
const COLUMNS = "first, last, first_term, last_term, commit_index, end_bytes, checksum, data";

/** The log table: one row a batch of entries. Each row that is read is verified. */
export class LogRows {
  readonly #path: string;
  readonly #salt: number;
  readonly #insert: SqlStatement;
  readonly #at: SqlStatement;
  readonly #next: SqlStatement;
  readonly #bounds: SqlStatement;
  readonly #deleteFrom: SqlStatement;
  readonly #deleteRange: SqlStatement;

  constructor(database: SqlDatabase, salt: number) {
    this.#path = database.path;
    this.#salt = salt;
    this.#insert = database.prepare(
      `INSERT INTO log(${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    const select = `SELECT ${COLUMNS} FROM log`;
    this.#at = database.prepare(`${select} WHERE first <= ? ORDER BY first DESC LIMIT 1`);
    this.#next = database.prepare(`${select} WHERE first >= ? ORDER BY first LIMIT 1`);
    this.#bounds = database.prepare(
      "SELECT first, end_bytes FROM log WHERE first < ? ORDER BY first LIMIT 1 OFFSET ?",
    );
    this.#deleteFrom = database.prepare("DELETE FROM log WHERE first >= ?");
    this.#deleteRange = database.prepare(
      "DELETE FROM log WHERE first <= ? AND end_bytes <= ?",
    );
  }

  /**
   * A batch as rows behind `startBytes` of the log: the parameters of `write` for each, and where
   * the log then ends.
   */
  encode(entries: readonly Entry[], startBytes: number, commit: number): EncodedRows {
    const rows: SqlValue[][] = [];
    let endBytes = startBytes;
    let from = 0;
    for (const to of rowEnds(entries)) {
      const data = encodeEntries(entries, from, to);
      endBytes += data.length;
      const header: RowHeader = {
        first: entries[from].index,
        last: entries[to - 1].index,
        firstTerm: entries[from].term,
        lastTerm: entries[to - 1].term,
        commit,
        endBytes,
      };
      const { first, last, firstTerm, lastTerm } = header;
      const checksum = rowChecksum(this.#salt, header, data);
      rows.push([first, last, firstTerm, lastTerm, commit, endBytes, checksum, data]);
      from = to;
    }
    return { rows, endBytes };
  }

  /** Writes a row that `encode` made. */
  write(row: readonly SqlValue[]): void {
    this.#insert.run(...row);
  }

  /** The last row that begins at or before `index`; undefined when there is none. */
  atOrBefore(index: number): LogRow | undefined {
    const row = this.#at.get(index);
    return row && this.#verified(row);
  }

  /** The row that holds `index`. Throws LogCorruptError when there is none. */
  holding(index: number): LogRow {
    const row = this.atOrBefore(index);
    if (row !== undefined && row.last >= index) return row;
    // A gap goes from the end of the row before it to the start of the one behind.
    const behind = this.#next.get(index);
    const end = behind === undefined ? "the end" : String(Number(behind.first) - 1);
    const start = row === undefined ? index : row.last + 1;
    throw new LogCorruptError(this.#path, `entries ${start}..${end}`, "they are missing");
  }

  /** Deletes the rows that begin at or after `index`. */
  deleteFrom(index: number): void {
    this.#deleteFrom.run(index);
  }

  /**
   * What `purge` is to delete of the oldest rows that begin before `index`: at most `rowsMax`, and
   * about `bytesMax` (at least one row). Undefined when there are none.
   */
  purgeRange(index: number, rowsMax: number, bytesMax: number): PurgeRange | undefined {
    const oldest = this.#bounds.get(index, 0);
    if (oldest === undefined) return undefined;
    const next = this.#bounds.get(index, rowsMax);
    // One upper bound: SQLite would seek by one of two, and read every row up to the other.
    const firstMax = (next === undefined ? index : Number(next.first)) - 1;
    return { firstMax, endBytesMax: Number(oldest.end_bytes) + bytesMax };
  }

  /** Deletes such a range. */
  purge({ firstMax, endBytesMax }: PurgeRange): void {
    this.#deleteRange.run(firstMax, endBytesMax);
  }

  #verified(row: SqlRow): LogRow {
    const header: RowHeader = {
      first: Number(row.first),
      last: Number(row.last),
      firstTerm: Number(row.first_term),
      lastTerm: Number(row.last_term),
      commit: Number(row.commit_index),
      endBytes: Number(row.end_bytes),
    };
    const { data } = row;
    if (
      !(data instanceof Uint8Array) || rowChecksum(this.#salt, header, data) !== row.checksum
    ) this.#corrupt(header, "the checksum does not match");
    try {
      return { ...header, entries: decodeEntries(data, header), dataBytes: data.length };
    } catch (error) {
      if (error instanceof RangeError) this.#corrupt(header, error.message);
      throw error;
    }
  }

  #corrupt(header: RowHeader, what: string): never {
    throw new LogCorruptError(this.#path, `entries ${header.first}..${header.last}`, what);
  }
}

/** Where each row of a batch ends: whole entries, about ROW_BYTES_MAX in a row. */
function rowEnds(entries: readonly Entry[]): number[] {
  const ends: number[] = [];
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    if (i > 0 && bytes + entries[i].data.length > ROW_BYTES_MAX) {
      ends.push(i);
      bytes = 0;
    }
    bytes += entries[i].data.length;
    if (i === 0) continue;
    assert(entries[i].term >= entries[i - 1].term, "terms never go back in the log");
  }
  ends.push(entries.length);
  return ends;
}
