import type { Bytes } from "../base/bytes.ts";
import { bytesToSql, LONG_BYTES_MIN } from "./sql_bytes.ts";
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from "./sqlite_types.ts";

/** What to store for a byte string through a connection; one that records takes it as it is. */
export function bytesFor(sql: SqlDatabase, bytes: Bytes): SqlValue {
  const isRecorded = bytes.length >= LONG_BYTES_MIN && sql instanceof RecordedDatabase && sql.isOn;
  return isRecorded ? bytes : bytesToSql(bytes);
}

/**
 * A connection whose statements can be written down, to be run by another thread: while `isOn`,
 * `run` notes the statement and its parameters (long byte strings as such) and says that one row changed. Reads always run, and
 * see what is committed.
 */
export class RecordedDatabase implements SqlDatabase {
  isOn = false;
  /** The text of each statement; its place is its number. */
  readonly texts: string[] = [];
  readonly #inner: SqlDatabase;
  #values: SqlValue[] = [];

  constructor(inner: SqlDatabase) {
    this.#inner = inner;
  }

  get path(): string {
    return this.#inner.path;
  }

  exec(sql: string): void {
    this.#inner.exec(sql);
  }

  prepare(sql: string): SqlStatement {
    return new RecordedStatement(this, this.#inner.prepare(sql), this.texts.push(sql) - 1);
  }

  close(): void {
    this.#inner.close();
  }

  /** Notes a statement: its number, the number of its parameters, and those. */
  note(statement: number, params: readonly SqlValue[]): void {
    const values = this.#values;
    values.push(statement, params.length);
    for (let i = 0; i < params.length; i++) values.push(params[i]);
  }

  /** What was noted since the last call. */
  take(): SqlValue[] {
    const values = this.#values;
    this.#values = [];
    return values;
  }
}

class RecordedStatement implements SqlStatement {
  readonly #database: RecordedDatabase;
  readonly #inner: SqlStatement;
  readonly #number: number;

  constructor(database: RecordedDatabase, inner: SqlStatement, number: number) {
    this.#database = database;
    this.#inner = inner;
    this.#number = number;
  }

  run(...params: SqlValue[]): number {
    if (!this.#database.isOn) return this.#inner.run(...params);
    this.#database.note(this.#number, params);
    return 1;
  }

  get(...params: SqlValue[]): SqlRow | undefined {
    return this.#inner.get(...params);
  }

  all(...params: SqlValue[]): SqlRow[] {
    return this.#inner.all(...params);
  }
}
