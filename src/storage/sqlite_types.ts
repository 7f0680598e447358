/** A value SQLite stores. BLOBs come back as a Uint8Array, integers as numbers. */
export type SqlValue = null | number | bigint | string | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

/** A prepared statement; parameters are positional (`?`). */
export interface SqlStatement {
  /** Runs it; returns how many rows changed. */
  run(...params: SqlValue[]): number;
  /** The first row, or undefined. */
  get(...params: SqlValue[]): SqlRow | undefined;
  all(...params: SqlValue[]): SqlRow[];
}

/** An open database: one connection, synchronous. Every failure throws SqliteError. */
export interface SqlDatabase {
  readonly path: string;
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

export type SqliteDriverName = "bun:sqlite" | "better-sqlite3" | "node:sqlite";

/** A loaded driver. */
export interface SqliteDriver {
  readonly name: SqliteDriverName;
  /** The library's version, "3.54.1". */
  readonly version: string;
  /** Whether TEXT that holds a NUL is read whole; see `textColumn` in sqlite.ts. */
  readonly textKeepsNul: boolean;
  /**
   * Opens or creates a database in WAL mode, sets `synchronous` and verifies that each pragma
   * took. `full` makes a commit durable; `normal` only its order.
   */
  open(path: string, options: SqliteOpenOptions): SqlDatabase;
}

export interface SqliteOpenOptions {
  readonly synchronous: "full" | "normal";
  readonly readOnly?: boolean;
  /** Kept in memory alone, and gone when closed; no other option counts then. */
  readonly memory?: boolean;
  /** Page cache of the connection, bytes. */
  readonly cacheBytes?: number;
  /**
   * Keeps every other connection out for as long as this one is open. There is no shared memory
   * file then, and no reader can hold back the reuse of the WAL.
   */
  readonly exclusive?: boolean;
  /** WAL pages after which a commit checkpoints; 0: only when asked to. Default 1000. */
  readonly walAutocheckpointPages?: number;
}

/** An SQLite failure: `code` is SQLite's name for it (SQLITE_FULL, SQLITE_IOERR, …). */
export class SqliteError extends Error {
  override name = "SqliteError";
  readonly code: string;
  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
