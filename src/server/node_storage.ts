import { statSync } from "node:fs";
import { open } from "node:fs/promises";
import { CachedRedisOperations } from "../storage/cached_redis_operations.ts";
import { WorkerCheckpointer } from "../storage/checkpointer.ts";
import { type DataDirectory, openDataDirectory } from "../storage/data_directory.ts";
import { openRaftLog, type RaftLog } from "../storage/raft_log.ts";
import { errnoOf } from "../storage/files.ts";
import { STATE_PAGE_CACHE_BYTES } from "../storage/schema.ts";
import { SnapshotStore } from "../storage/snapshot_store.ts";
import { readAppliedState } from "../storage/state_tables.ts";
import { type SqlDatabase, type SqliteDriver, SqliteError } from "../storage/sqlite_types.ts";

/** What one node keeps on disk, open. */
export interface NodeStorage {
  readonly directory: DataDirectory;
  readonly log: RaftLog;
  readonly ops: CachedRedisOperations;
  readonly snapshots: SnapshotStore;
  /** Resolves when what is committed in state.db now survives a power loss, not only a crash. */
  syncState(): Promise<void>;
  /**
   * Puts the current snapshot in place of state.db, whose data `ops` then shows; the log must
   * stand at it already. An error is final: the next start installs it.
   */
  installSnapshot(): Promise<void>;
  /** Bytes of state.db and its WAL. */
  stateBytes(): number;
  /** Writes what is pending and closes all; resolves when no file is open any more. */
  close(): Promise<void>;
}

export interface NodeStorageOptions {
  readonly path: string;
  readonly cacheBytes: number;
}

/** Opens or creates the data directory. In a new one the log has no identity yet. */
export function openNodeStorage(driver: SqliteDriver, options: NodeStorageOptions): NodeStorage {
  const directory = openDataDirectory(driver, options.path);
  let log: RaftLog | undefined;
  let state: SqlDatabase | undefined;
  try {
    log = openRaftLog(driver, directory.logPath);
    const { identity } = log;
    if (identity !== undefined) {
      log.setIdentity({ ...identity, incarnation: identity.incarnation + 1 });
    }
    const snapshots = new SnapshotStore(directory.snapshotsPath);
    state = openState(driver, directory.statePath);
    if (!reaches(state, log, snapshots)) {
      state.close();
      snapshots.install(directory.statePath);
      state = openState(driver, directory.statePath);
    }
    const ops = new CachedRedisOperations(state, {
      cacheBytes: options.cacheBytes,
      checkpointer: new WorkerCheckpointer(state, driver.name),
      now: () => performance.now(),
    });
    return assemble(driver, directory, log, snapshots, ops);
  } catch (error) {
    state?.close();
    log?.close();
    directory.close();
    throw error;
  }
}

function openState(driver: SqliteDriver, path: string): SqlDatabase {
  return driver.open(path, { synchronous: "normal", cacheBytes: STATE_PAGE_CACHE_BYTES });
}

/**
 * Whether the state goes at least as far as the log's start. If not, a crash has cut short the
 * installation of the snapshot that the log stands at. Throws when that is not there either.
 */
function reaches(state: SqlDatabase, log: RaftLog, snapshots: SnapshotStore): boolean {
  const { index } = log.snapshot;
  try {
    const applied = readAppliedState(state);
    if (applied.index >= index) return true;
    if (snapshots.holds(log.snapshot)) return false;
    throw new Error(
      `${state.path} ends at entry ${applied.index}, the log begins behind ${index}, and there ` +
        "is no snapshot between them: wipe the data directory and let the node join again",
    );
  } catch (error) {
    if (error instanceof SqliteError && snapshots.holds(log.snapshot)) return false;
    throw error;
  }
}

function assemble(
  driver: SqliteDriver,
  directory: DataDirectory,
  log: RaftLog,
  snapshots: SnapshotStore,
  ops: CachedRedisOperations,
): NodeStorage {
  const { statePath } = directory;
  return {
    directory,
    log,
    ops,
    snapshots,
    // A checkpoint fsyncs this file before it moves anything, and the other before it starts over.
    syncState: () => syncFile(`${statePath}-wal`),
    installSnapshot: () =>
      ops.replace(() => {
        snapshots.install(statePath);
        const sql = openState(driver, statePath);
        return { sql, checkpointer: new WorkerCheckpointer(sql, driver.name) };
      }),
    stateBytes: () => fileBytes(statePath) + fileBytes(statePath + "-wal"),
    async close() {
      await ops.close();
      log.close();
      directory.close();
    },
  };
}

async function syncFile(path: string): Promise<void> {
  try {
    const file = await open(path, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
