import { createHash, type Hash, randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { toBuffer, utf8Encode } from "../base/bytes.ts";
import { type Clock, sleep } from "../base/clock.ts";
import { crashPoint } from "./crash_point.ts";
import { type Disk, SYSTEM_DISK } from "./disk.ts";
import { syncFile, writeWhole } from "./files.ts";
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
  disk = SYSTEM_DISK,
): SnapshotInfo {
  disk.makeDirectory(directory);
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
    crashPoint("snapshot_copied");
    syncFile(disk, temporary);
    const { index, term, configuration } = applied;
    const { bytes, sha256 } = hashFile(temporary, disk);
    return publish(directory, temporary, { index, term, configuration, bytes, sha256 }, disk);
  } catch (error) {
    removeDatabase(disk, temporary);
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

/**
 * Gives a complete, durable file its name, and then its description. When that fails neither is
 * there, for nobody would know of the file until the next start.
 */
export function publish(
  directory: string,
  temporary: string,
  info: SnapshotInfo,
  disk: Disk,
): SnapshotInfo {
  const file = snapshotPath(directory, info);
  const description = descriptionPath(directory, info);
  // Of the same state there may be one already.
  const isKnown = disk.size(description) !== undefined;
  try {
    disk.rename(temporary, file);
    crashPoint("snapshot_named");
    writeWhole(disk, `${description}.tmp`, toBuffer(utf8Encode(JSON.stringify(info) + "\n")));
    disk.syncDirectory(directory);
    disk.rename(`${description}.tmp`, description);
    disk.syncDirectory(directory);
  } catch (error) {
    disk.remove(`${description}.tmp`);
    if (!isKnown) { for (const path of [description, file]) disk.remove(path); }
    throw error;
  }
  crashPoint("snapshot_described");
  return info;
}

/** Size and SHA-256 of a file, read piece by piece. */
export function hashFile(
  path: string,
  disk: Disk = SYSTEM_DISK,
): { bytes: number; sha256: string } {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(HASH_CHUNK_BYTES);
  const fd = disk.open(path, "r");
  let bytes = 0;
  try {
    for (let read; (read = disk.read(fd, chunk, 0, chunk.length, bytes)) > 0; bytes += read) {
      hash.update(chunk.subarray(0, read));
    }
  } finally {
    disk.close(fd);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/**
 * Hashes up to `bytes` of a file from its start, other work going on in between; `fd` gives
 * undefined once that is to end. Returns how many bytes were hashed.
 */
export async function hashAside(
  disk: Disk,
  fd: () => number | undefined,
  bytes: number,
  hash: Hash,
  clock: Clock,
): Promise<number> {
  const slice = new Uint8Array(HASH_CHUNK_BYTES);
  let offset = 0;
  for (let file; offset < bytes && (file = fd()) !== undefined; await sleep(clock, 0)) {
    const read = disk.read(file, slice, 0, Math.min(slice.length, bytes - offset), offset);
    if (read === 0) break;
    hash.update(slice.subarray(0, read));
    offset += read;
  }
  return offset;
}

/**
 * Puts a snapshot in place of state.db, on which no connection may be open; its file is used up.
 *
 * Call it after `LogStore.reset` made the snapshot's position durable. A crash before it ends
 * leaves a state behind the log's start: whoever opens both must then call it again.
 */
export function installSnapshot(
  directory: string,
  info: SnapshotInfo,
  statePath: string,
  disk: Disk = SYSTEM_DISK,
): void {
  // A WAL that outlived its database would be replayed into the new one.
  disk.remove(`${statePath}-wal`);
  disk.remove(`${statePath}-shm`);
  disk.syncDirectory(dirname(statePath));
  crashPoint("install_wal_removed");
  disk.rename(snapshotPath(directory, info), statePath);
  disk.syncDirectory(dirname(statePath));
  crashPoint("install_renamed");
  disk.remove(descriptionPath(directory, info));
  disk.syncDirectory(directory);
}

function removeDatabase(disk: Disk, path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) disk.remove(path + suffix);
}
