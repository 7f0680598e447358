import { statSync } from "node:fs";
import { CachedRedisOperations } from "../storage/cached_redis_operations.ts";
import { WorkerCheckpointer } from "../storage/checkpointer.ts";
import { type DataDirectory, openDataDirectory } from "../storage/data_directory.ts";
import { openRaftLog, type RaftLog } from "../storage/raft_log.ts";
import { STATE_PAGE_CACHE_BYTES } from "../storage/schema.ts";
import type { SqlDatabase, SqliteDriver } from "../storage/sqlite_types.ts";

/** What one node keeps on disk, open. */
export interface NodeStorage {
  readonly directory: DataDirectory;
  readonly log: RaftLog;
  readonly ops: CachedRedisOperations;
  /** Makes what is committed in state.db survive a power loss, not only a crash. */
  syncState(): void;
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
    state = driver.open(directory.statePath, {
      synchronous: "normal",
      cacheBytes: STATE_PAGE_CACHE_BYTES,
    });
    const ops = new CachedRedisOperations(state, {
      cacheBytes: options.cacheBytes,
      checkpointer: new WorkerCheckpointer(state, driver.name),
      now: () => performance.now(),
    });
    return assemble(directory, log, state, ops);
  } catch (error) {
    state?.close();
    log?.close();
    directory.close();
    throw error;
  }
}

function assemble(
  directory: DataDirectory,
  log: RaftLog,
  state: SqlDatabase,
  ops: CachedRedisOperations,
): NodeStorage {
  return {
    directory,
    log,
    ops,
    syncState: () => state.exec("PRAGMA wal_checkpoint(PASSIVE)"),
    stateBytes: () => fileBytes(directory.statePath) + fileBytes(directory.statePath + "-wal"),
    async close() {
      await ops.close();
      log.close();
      directory.close();
    },
  };
}

function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
