import { type Clock, SYSTEM_CLOCK } from "../base/clock.ts";
import { drawRun, type Entropy, randomUint32, SYSTEM_ENTROPY } from "../base/entropy.ts";
import { CachedRedisOperations } from "../storage/cached_redis_operations.ts";
import type { WorkLimits } from "../storage/cached_options.ts";
import { type Checkpointer, WorkerCheckpointer } from "../storage/checkpointer.ts";
import { type DataDirectory, openDataDirectory } from "../storage/data_directory.ts";
import { type Disk, SYSTEM_DISK } from "../storage/disk.ts";
import { type LogWriter, WorkerLogWriter } from "../storage/log_writer.ts";
import { openRaftLog, type RaftLog } from "../storage/raft_log.ts";
import { type LogWriterMode, RUNS_KEPT } from "../storage/raft_log_types.ts";
import { STATE_PAGE_CACHE_BYTES } from "../storage/schema.ts";
import type { SnapshotInfo } from "../storage/snapshot.ts";
import { makeSnapshotAside, type SnapshotTask } from "../storage/snapshot_maker.ts";
import { SnapshotStore } from "../storage/snapshot_store.ts";
import { readAppliedState } from "../storage/state_tables.ts";
import { type SqlDatabase, type SqliteDriver, SqliteError } from "../storage/sqlite_types.ts";
import { type BesideKeys, makeBesideKeys } from "./beside_keys.ts";

/** What one node keeps on disk, open. */
export interface NodeStorage {
  readonly directory: DataDirectory;
  readonly disk: Disk;
  readonly log: RaftLog;
  readonly ops: CachedRedisOperations;
  /** The parts of the state that are no keys. */
  readonly beside: BesideKeys;
  readonly snapshots: SnapshotStore;
  /** Resolves when what is committed in state.db now survives a power loss, not only a crash. */
  syncState(): Promise<void>;
  /**
   * Puts the current snapshot in place of state.db, whose data `ops` then shows; the log must
   * stand at it already. An error is final: the next start installs it.
   */
  installSnapshot(): Promise<void>;
  /**
   * A new snapshot of what is durable; `configuration`: the members, in hex, where the state does
   * not know of any change of them.
   */
  makeSnapshot(configuration: string): Promise<SnapshotInfo>;
  /** Bytes of state.db and its WAL. */
  stateBytes(): number;
  /** Writes what is pending and closes all; resolves when no file is open any more. */
  close(): Promise<void>;
}

/** What storage asks of the world: the simulator in test/simulator puts its own in place. */
export interface StorageOutside {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly disk: Disk;
  openDirectory(driver: SqliteDriver, path: string): DataDirectory;
  checkpointer(state: SqlDatabase, driver: SqliteDriver): Checkpointer;
  logWriter(log: SqlDatabase, driver: SqliteDriver): LogWriter;
  makeSnapshot(task: Omit<SnapshotTask, "temporary">): Promise<SnapshotInfo>;
}

const SYSTEM: StorageOutside = {
  clock: SYSTEM_CLOCK,
  entropy: SYSTEM_ENTROPY,
  disk: SYSTEM_DISK,
  openDirectory: openDataDirectory,
  checkpointer: (state, driver) => new WorkerCheckpointer(state, driver.name),
  logWriter: (log, driver) => new WorkerLogWriter(log.path, driver.name),
  makeSnapshot: makeSnapshotAside,
};

export interface NodeStorageOptions {
  readonly path: string;
  readonly cacheBytes: number;
  readonly workLimits?: WorkLimits;
  /** Memory for recent entries of the log; its own default otherwise. */
  readonly logCacheBytes?: number;
  /** Who writes the log's appends; "inline" when absent. */
  readonly logWriter?: LogWriterMode;
  readonly outside?: StorageOutside;
  /** Of what the change feed offers; all is kept when absent. */
  readonly changesBytes?: number;
}

/** Opens or creates the data directory. In a new one the log has no identity yet. */
export function openNodeStorage(driver: SqliteDriver, options: NodeStorageOptions): NodeStorage {
  const outside = options.outside ?? SYSTEM;
  const { clock, disk } = outside;
  const directory = outside.openDirectory(driver, options.path);
  let log: RaftLog | undefined;
  let state: SqlDatabase | undefined;
  try {
    log = openRaftLog(driver, directory.logPath, {
      disk,
      cacheBytes: options.logCacheBytes,
      writer: options.logWriter,
      makeWriter: outside.logWriter,
    });
    const { identity } = log;
    if (identity !== undefined) {
      const runs = [drawRun(outside.entropy), ...identity.runs].slice(0, RUNS_KEPT);
      log.setIdentity({ ...identity, incarnation: identity.incarnation + 1, runs });
    }
    // A run before this one may have died as it renamed a snapshot over state.db: if that is what
    // is opened here, it must not be lost with the power later.
    directory.sync();
    const snapshots = new SnapshotStore(directory.snapshotsPath, disk, log.snapshot);
    state = openState(driver, directory.statePath);
    if (!reaches(state, log, snapshots)) {
      state.close();
      snapshots.install(directory.statePath);
      state = openState(driver, directory.statePath);
    }
    const beside = makeBesideKeys(options.changesBytes);
    const { idempotency, changes, waiters, scripts, libraries, pieces, users } = beside;
    const ops = new CachedRedisOperations(state, {
      cacheBytes: options.cacheBytes,
      ...options.workLimits,
      checkpointer: outside.checkpointer(state, driver),
      now: () => clock.monotonicMs(),
      hashSeed: randomUint32(outside.entropy),
      sideTables: [idempotency, changes, waiters, scripts, libraries, pieces, users],
      changes: changes.recorder,
    });
    return assemble(driver, outside, directory, { log, snapshots, ops, beside });
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
  outside: StorageOutside,
  directory: DataDirectory,
  open: Pick<NodeStorage, "log" | "ops" | "snapshots" | "beside">,
): NodeStorage {
  const { statePath, snapshotsPath } = directory;
  const { disk } = outside;
  const { log, ops, snapshots } = open;
  return {
    ...open,
    directory,
    disk,
    // A checkpoint fsyncs this file before it moves anything, and the other before it starts over.
    syncState: () => syncIfThere(disk, `${statePath}-wal`),
    installSnapshot: () =>
      ops.replace(() => {
        snapshots.install(statePath);
        const sql = openState(driver, statePath);
        return { sql, checkpointer: outside.checkpointer(sql, driver) };
      }),
    makeSnapshot: (configuration) =>
      outside.makeSnapshot({
        statePath,
        directory: snapshotsPath,
        driver: driver.name,
        configuration,
      }),
    stateBytes: () => (disk.size(statePath) ?? 0) + (disk.size(`${statePath}-wal`) ?? 0),
    async close() {
      await ops.close();
      await log.stopWriter();
      log.close();
      directory.close();
    },
  };
}

async function syncIfThere(disk: Disk, path: string): Promise<void> {
  if (disk.size(path) === undefined) return;
  const fd = disk.open(path, "r");
  try {
    await disk.syncAside(fd);
  } finally {
    disk.close(fd);
  }
}
