import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { SYSTEM_DISK } from "./disk.ts";
import { errnoOf } from "./files.ts";
import { checkFormatVersion } from "./raft_log_meta.ts";
import { type SqlDatabase, type SqliteDriver, SqliteError } from "./sqlite_types.ts";
import { StorageFormatError } from "./storage_errors.ts";

/** Grows when an older program could not read the directory any more. */
export const DIRECTORY_FORMAT_VERSION = 1;
/** Says that the directory is Balsa's, and of which format; a line of text. */
const MARKER = "format";
const LOCK = "lock.db";
const LOG = "log.db";
const STATE = "state.db";
/** What may lie in a directory that is still taken as an empty one. */
const IGNORED = /^(lost\+found|\.DS_Store|format\.\d+\.tmp)$/;

/** A data directory that this process alone holds, until `close`. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string;
  readonly logPath: string;
  readonly statePath: string;
  /** Snapshot files; created when there is one. */
  readonly snapshotsPath: string;
  /** Makes the names of the files in it durable. */
  sync(): void;
  /** Gives the directory free. */
  close(): void;
}

/** What a node has written there, in the order in which it may go. */
const OF_THE_NODE = [/^state\.db/, /^snapshots$/, /^log\.db/, /^founding\.json$/];

/** Removes what a node has written to a directory that no process holds: it is as if new. */
export function clearDataDirectory(path: string): void {
  for (const pattern of OF_THE_NODE) {
    const names = readdirSync(path).filter((name) => pattern.test(name));
    for (const name of names) rmSync(join(path, name), { recursive: true });
  }
  SYSTEM_DISK.syncDirectory(path);
}

/** A second lock of one process would succeed and release the first. */
const held = new Set<string>();

/**
 * Opens the data directory at `path` and locks it; creates it, readable by its owner only, when
 * it does not exist. The lock ends with the process, however that dies.
 *
 * Throws StorageFormatError with one line when the path is a file, cannot be written, holds
 * something that is not Balsa's, is of a newer format, or is in use by another process. Nothing
 * in the directory is changed then.
 */
export function openDataDirectory(driver: SqliteDriver, path: string): DataDirectory {
  const absolute = resolve(path);
  try {
    create(absolute);
    const real = realpathSync(absolute);
    if (held.has(real)) throw inUse(path);
    accessSync(real, constants.R_OK | constants.W_OK | constants.X_OK);
    prepare(real, path);
    const lock = takeLock(driver, real, path);
    held.add(real);
    removeLeftovers(real);
    return directoryOf(absolute, real, lock);
  } catch (error) {
    throw explained(error, path);
  }
}

function directoryOf(path: string, real: string, lock: SqlDatabase): DataDirectory {
  return {
    path,
    logPath: join(path, LOG),
    statePath: join(path, STATE),
    snapshotsPath: join(path, "snapshots"),
    sync: () => SYSTEM_DISK.syncDirectory(path),
    close: () => {
      if (held.delete(real)) lock.close();
    },
  };
}

function create(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) {
    if (!statSync(path).isDirectory()) throw new StorageFormatError("it is a file");
    return;
  }
  // Each directory that was made is a name in the one above it.
  for (let made = path;; made = dirname(made)) {
    SYSTEM_DISK.syncDirectory(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

/** Checks the marker, or writes it into an empty directory. */
function prepare(real: string, path: string): void {
  const names = readdirSync(real);
  if (names.includes(MARKER)) {
    const match = /^balsa data directory, format (\d{1,9})\n/.exec(readMarker(join(real, MARKER)));
    if (match === null) throw foreign(`its file "${MARKER}" is not Balsa's`);
    checkFormatVersion(path, Number(match[1]), DIRECTORY_FORMAT_VERSION);
    // The log is made first and goes last; a node without it would have forgotten who it is, its
    // votes and the latest writes.
    if (names.includes(STATE) && !names.includes(LOG)) {
      throw foreign(`it holds "${STATE}" and not the "${LOG}" that belongs to it`);
    }
    return;
  }
  const other = names.find((name) => !IGNORED.test(name));
  if (other !== undefined) {
    throw foreign(`it holds "${other}" and no file "${MARKER}" of Balsa`);
  }
  const temporary = join(real, `${MARKER}.${process.pid}.tmp`);
  const fd = openSync(temporary, "w", 0o600);
  try {
    writeSync(fd, `balsa data directory, format ${DIRECTORY_FORMAT_VERSION}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, join(real, MARKER));
  SYSTEM_DISK.syncDirectory(real);
}

function readMarker(path: string): string {
  try {
    return readFileSync(path, "latin1").slice(0, 1000);
  } catch (error) {
    if (errnoOf(error) === "EISDIR") return "";
    throw error;
  }
}

function takeLock(driver: SqliteDriver, real: string, path: string): SqlDatabase {
  let lock: SqlDatabase;
  try {
    lock = driver.open(join(real, LOCK), { synchronous: "normal", exclusive: true });
  } catch (error) {
    if (error instanceof SqliteError && error.code === "SQLITE_BUSY") throw inUse(path);
    throw error;
  }
  try {
    // With locking_mode EXCLUSIVE the connection keeps the lock that its first access took.
    lock.exec("BEGIN EXCLUSIVE; COMMIT");
    SYSTEM_DISK.syncDirectory(real);
    return lock;
  } catch (error) {
    lock.close();
    if (error instanceof SqliteError && error.code === "SQLITE_BUSY") throw inUse(path);
    throw error;
  }
}

/** Marker files that a crash left half written. */
function removeLeftovers(real: string): void {
  for (const name of readdirSync(real)) {
    if (name.startsWith(`${MARKER}.`) && IGNORED.test(name)) rmSync(join(real, name));
  }
}

function inUse(path: string): StorageFormatError {
  return new StorageFormatError(`${path} is in use by another Balsa process`);
}

function foreign(why: string): StorageFormatError {
  return new StorageFormatError(`${why}; it was left as it is`);
}

function explained(error: unknown, path: string): unknown {
  if (error instanceof StorageFormatError) {
    if (error.message.startsWith(path)) return error;
    return new StorageFormatError(`Cannot use ${path} as the data directory: ${error.message}`);
  }
  const why = WHY_BY_CODE[errnoOf(error) ?? ""];
  if (why === undefined) return error;
  const message = `Cannot use ${path} as the data directory: ${why}`;
  return new StorageFormatError(message, { cause: error });
}

const WHY_BY_CODE: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EEXIST: "it is a file",
  ENOTDIR: "a part of the path is a file",
  ENOENT: "it does not exist and cannot be created",
  ENAMETOOLONG: "the path is too long",
  ELOOP: "the path is a loop of links",
  SQLITE_READONLY: "its file lock.db cannot be written",
  SQLITE_CANTOPEN: "its file lock.db cannot be opened",
  SQLITE_NOTADB: "its file lock.db is not Balsa's",
  SQLITE_FULL: "the disk is full",
};
