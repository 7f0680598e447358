import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { crashPoint } from "./crash_point.ts";
import { fsyncDirectory, fsyncFile } from "./files.ts";
import type { SqlDatabase, SqliteDriver } from "./sqlite_types.ts";

const HASH_CHUNK_BYTES = 1024 * 1024;

/** What identifies a snapshot, on every node. */
export interface SnapshotInfo {
  /** Index and term of the last entry that the state holds. */
  readonly index: number;
  readonly term: number;
  /** The members as of that entry: an encoded Configuration, in hex. */
  readonly configuration: string;
  readonly bytes: number;
  /** SHA-256 of the file, in hex. */
  readonly sha256: string;
}

/** Reads from a copy of state.db what has been applied to it. */
export type ReadApplied = (
  copy: SqlDatabase,
) => Pick<SnapshotInfo, "index" | "term" | "configuration">;

/**
 * Makes a snapshot of the live state.db at `statePath` in `directory` and returns what it is. It
 * takes a second, read-only connection, so it may run in a worker or another process while the
 * state changes. The file is durable and complete when this returns. Synchronous and slow: some
 * seconds a gigabyte.
 */
export function makeSnapshot(
  driver: SqliteDriver,
  statePath: string,
  directory: string,
  readApplied: ReadApplied,
  temporary = temporaryPath(directory),
): SnapshotInfo {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    const source = driver.open(statePath, { synchronous: "normal", readOnly: true });
    try {
      source.prepare("VACUUM INTO ?").run(temporary);
    } finally {
      source.close();
    }
    // What the copy holds, not what the live state holds by now.
    const copy = driver.open(temporary, { synchronous: "normal", readOnly: true });
    let applied: ReturnType<ReadApplied>;
    try {
      applied = readApplied(copy);
    } finally {
      copy.close();
    }
    fsyncFile(temporary);
    const { index, term, configuration } = applied;
    const { bytes, sha256 } = hashFile(temporary);
    return publish(directory, temporary, { index, term, configuration, bytes, sha256 });
  } catch (error) {
    removeDatabase(temporary);
    throw error;
  }
}

/** A name for a snapshot that is being made. */
export function temporaryPath(directory: string): string {
  return join(directory, `make-${randomBytes(8).toString("hex")}.tmp`);
}

/** The file of a snapshot in `directory`. */
export function snapshotPath(directory: string, info: SnapshotInfo): string {
  return join(directory, `snapshot-${info.index}-${info.term}-${info.sha256.slice(0, 16)}.db`);
}

/** The description beside a snapshot's file: without it the file does not count. */
export function descriptionPath(directory: string, info: SnapshotInfo): string {
  return snapshotPath(directory, info).replace(/\.db$/, ".json");
}

/** Gives a complete, durable file its name, and then its description. */
export function publish(directory: string, temporary: string, info: SnapshotInfo): SnapshotInfo {
  renameSync(temporary, snapshotPath(directory, info));
  const description = descriptionPath(directory, info);
  const fd = openSync(`${description}.tmp`, "w", 0o600);
  try {
    writeSync(fd, JSON.stringify(info) + "\n");
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  fsyncDirectory(directory);
  renameSync(`${description}.tmp`, description);
  fsyncDirectory(directory);
  return info;
}

/** Size and SHA-256 of a file, read piece by piece. */
export function hashFile(path: string): { bytes: number; sha256: string } {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(HASH_CHUNK_BYTES);
  const fd = openSync(path, "r");
  let bytes = 0;
  try {
    for (let read; (read = readSync(fd, chunk, 0, chunk.length, bytes)) > 0; bytes += read) {
      hash.update(chunk.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/**
 * Puts a snapshot in place of state.db, on which no connection may be open; its file is used up.
 *
 * Call it after `LogStore.reset` made the snapshot's position durable. A crash before it ends
 * leaves a state behind the log's start: whoever opens both must then call it again.
 */
export function installSnapshot(directory: string, info: SnapshotInfo, statePath: string): void {
  // A WAL that outlived its database would be replayed into the new one.
  rmSync(`${statePath}-wal`, { force: true });
  rmSync(`${statePath}-shm`, { force: true });
  fsyncDirectory(dirname(statePath));
  crashPoint("install_wal_removed");
  renameSync(snapshotPath(directory, info), statePath);
  fsyncDirectory(dirname(statePath));
  crashPoint("install_renamed");
  rmSync(descriptionPath(directory, info), { force: true });
  fsyncDirectory(directory);
}

function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
