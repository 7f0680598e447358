import { setPragma } from "./sqlite_open.ts";
import {
  type SqlDatabase,
  type SqliteDriver,
  SqliteError,
  type SqlStatement,
} from "./sqlite_types.ts";
import { LogCorruptError } from "./storage_errors.ts";

/** A WAL that one large batch made longer is cut back to this. */
const WAL_BYTES_MAX = 16 * 1024 * 1024;
/** Page cache of the connection: the log is read in rows, once. */
const PAGE_CACHE_BYTES = 2 * 1024 * 1024;

/** The statements around a transaction. */
export interface LogStatements {
  readonly begin: SqlStatement;
  readonly commit: SqlStatement;
  readonly rollback: SqlStatement;
  readonly checkpoint: SqlStatement;
}

/**
 * The connection that a RaftLog needs: a commit is durable, checkpoints are its own. One that is
 * not exclusive lets the connection of a LogWriter in.
 */
export function openLogDatabase(
  driver: SqliteDriver,
  path: string,
  exclusive = true,
): SqlDatabase {
  const database = readingFile(path, () =>
    driver.open(path, {
      synchronous: "full",
      exclusive,
      walAutocheckpointPages: 0,
      cacheBytes: PAGE_CACHE_BYTES,
    }));
  try {
    setPragma(database, "journal_size_limit", String(WAL_BYTES_MAX), WAL_BYTES_MAX);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

export function prepareStatements(database: SqlDatabase): LogStatements {
  return {
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
    checkpoint: database.prepare("PRAGMA wal_checkpoint(PASSIVE)"),
  };
}

/** Ends a transaction that failed, if one was left open. */
export function rollBack(sql: LogStatements): void {
  try {
    sql.rollback.run();
  } catch {
    // SQLite has ended it by itself, or none was begun.
  }
}

/**
 * Keeps other connections out, or lets them in, of a database that was not opened as exclusive:
 * without locks to take, a commit is a tenth faster.
 */
export function setExclusive(database: SqlDatabase, exclusive: boolean): void {
  setPragma(
    database,
    "locking_mode",
    exclusive ? "EXCLUSIVE" : "NORMAL",
    exclusive ? "exclusive" : "normal",
  );
  // Locks are taken and let go of with the next use.
  database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get();
}

/** SQLITE_ERROR: the statements are fixed, so a schema that they do not fit is damaged. */
const DAMAGE_CODES: readonly string[] = ["SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"];

/** Runs `read`; SQLite's own words for a damaged file become a LogCorruptError. */
export function readingFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SqliteError) || !DAMAGE_CODES.includes(error.code)) throw error;
    throw new LogCorruptError(path, "the file", error.message, { cause: error });
  }
}

/** Whether an error says that the disk is full. */
export function isFull(error: unknown): boolean {
  return error instanceof SqliteError && error.code === "SQLITE_FULL";
}
