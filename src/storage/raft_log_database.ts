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

/** The connection that a RaftLog needs: a commit is durable, checkpoints are its own. */
export function openLogDatabase(driver: SqliteDriver, path: string): SqlDatabase {
  const database = readingFile(path, () =>
    driver.open(path, {
      synchronous: "full",
      exclusive: true,
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

/**
 * Makes the WAL file large in advance: what a transaction spilled to it stays allocated when it
 * is rolled back, and an fsync of bytes that only overwrite others takes about half the time.
 */
export function presizeWal(database: SqlDatabase, bytes: number): void {
  if (bytes === 0) return;
  try {
    database.exec("BEGIN IMMEDIATE; CREATE TABLE presize(data)");
    // As much as the page cache holds is not spilled.
    database.exec(`INSERT INTO presize VALUES (zeroblob(${bytes + PAGE_CACHE_BYTES}))`);
  } catch (error) {
    if (!isFull(error)) throw error;
  }
  try {
    database.exec("ROLLBACK");
  } catch {
    // A full disk has rolled it back already.
  }
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
