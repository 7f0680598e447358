import {
  type SqlDatabase,
  SqliteError,
  type SqliteOpenOptions,
  type SqlValue,
} from "./sqlite_types.ts";

/** How long a call waits for a lock that another process holds, before it fails. */
const BUSY_TIMEOUT_MS = 1000;
const CACHE_BYTES_DEFAULT = 2 * 1024 * 1024;
const WAL_AUTOCHECKPOINT_PAGES_DEFAULT = 1000;

/** A pragma, the value to set and the value that it must read back as. */
type Pragma = readonly [name: string, value: string, readBack: SqlValue];

/**
 * Sets the pragmas of a connection and reads each back, since SQLite ignores what it does not
 * know and a build may differ in its defaults. Throws SqliteError when one did not take.
 */
export function configure(database: SqlDatabase, options: SqliteOpenOptions): void {
  if (options.memory) return;
  for (const [name, value, readBack] of pragmas(options)) {
    setPragma(database, name, value, readBack);
  }
}

/** Sets a pragma; throws SqliteError unless it reads back as `readBack` afterwards. */
export function setPragma(
  database: SqlDatabase,
  name: string,
  value: string,
  readBack: SqlValue,
): void {
  database.exec(`PRAGMA ${name} = ${value}`);
  const found = readPragma(database, name);
  if (found === readBack) return;
  throw new SqliteError(
    `${database.path}: Cannot set ${name} to ${value}: it is ${String(found)}`,
    "SQLITE_ERROR",
  );
}

/** The value a pragma has now. */
export function readPragma(database: SqlDatabase, name: string): SqlValue | undefined {
  const row = database.prepare(`PRAGMA ${name}`).get();
  return row === undefined ? undefined : Object.values(row)[0];
}

function pragmas(options: SqliteOpenOptions): Pragma[] {
  const full = options.synchronous === "full";
  const cacheKib = Math.ceil((options.cacheBytes ?? CACHE_BYTES_DEFAULT) / 1024);
  const checkpointPages = options.walAutocheckpointPages ?? WAL_AUTOCHECKPOINT_PAGES_DEFAULT;
  const list: Pragma[] = [["busy_timeout", String(BUSY_TIMEOUT_MS), BUSY_TIMEOUT_MS]];
  // Before the first access, or WAL mode would create the shared memory file.
  if (options.exclusive) list.push(["locking_mode", "EXCLUSIVE", "exclusive"]);
  if (!options.readOnly) list.push(["journal_mode", "WAL", "wal"]);
  list.push(
    // FULL: each commit is fsynced. NORMAL: in WAL mode only checkpoints are.
    ["synchronous", full ? "FULL" : "NORMAL", full ? 2 : 1],
    // macOS: fsync alone does not reach the platter there. No effect elsewhere.
    ["fullfsync", full ? "1" : "0", full ? 1 : 0],
    ["checkpoint_fullfsync", "1", 1],
    ["foreign_keys", "0", 0],
    ["trusted_schema", "0", 0],
    ["temp_store", "MEMORY", 2],
    ["cache_size", String(-cacheKib), -cacheKib],
    // A mapped file turns an I/O error into a SIGBUS that kills the process.
    ["mmap_size", "0", 0],
    ["wal_autocheckpoint", String(checkpointPages), checkpointPages],
  );
  return list;
}
