import { type FileHandle, open } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { toBuffer } from "../base/bytes.ts";
import type { Disk } from "./disk.ts";
import { makeSnapshot, type SnapshotInfo, temporaryPath } from "./snapshot.ts";
import {
  type SqlDatabase,
  type SqliteDriver,
  type SqliteDriverName,
  SqliteError,
} from "./sqlite_types.ts";
import { startWorker } from "./start_worker.ts";
import { readAppliedState } from "./state_tables.ts";

/** What a snapshot worker is started with. */
export interface SnapshotTask {
  readonly statePath: string;
  readonly directory: string;
  readonly driver: SqliteDriverName;
  /** The members, in hex, where the state does not know of any change of them. */
  readonly configuration: string;
  /** The file that it writes to. */
  readonly temporary: string;
}

/**
 * Between two fsyncs of the growing file. Left to the end, one fsync of a gigabyte holds up those
 * of the log: at 600 MB by 150-260 ms, with this pause by 25 ms, in half as much time again.
 */
const SYNC_PAUSE_MS = 20;

/** Its answer: a snapshot, or what failed. */
export interface SnapshotTaskResult {
  readonly info?: SnapshotInfo;
  readonly code?: string;
  readonly message?: string;
}

/** `makeSnapshot` on a thread of its own. Rejects with a SqliteError, its code a system's too. */
export async function makeSnapshotAside(
  options: Omit<SnapshotTask, "temporary">,
): Promise<SnapshotInfo> {
  const temporary = temporaryPath(options.directory);
  const made = runWorker({ ...options, temporary });
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  made.then(over, over);
  await syncWhile(temporary, () => !isOver);
  return made;
}

/** The same on this thread: what the worker does. */
export function makeSnapshotNow(
  driver: SqliteDriver,
  task: SnapshotTask,
  disk?: Disk,
): SnapshotInfo {
  const { statePath, directory, configuration, temporary } = task;
  const readApplied = (copy: SqlDatabase) => {
    const applied = readAppliedState(copy);
    const members = toBuffer(applied.configuration).toString("hex");
    const { index, term } = applied;
    return { index, term, configuration: members === "" ? configuration : members };
  };
  return makeSnapshot(driver, statePath, directory, readApplied, temporary, disk);
}

/** Errors are left to the worker, which meets them too. */
async function syncWhile(path: string, isGrowing: () => boolean): Promise<void> {
  let file: FileHandle | undefined;
  while (isGrowing()) {
    try {
      file ??= await open(path, "r");
      await file.datasync();
    } catch {
      // It is not there yet.
    }
    await setTimeout(SYNC_PAUSE_MS);
  }
  await file?.close();
}

function runWorker(task: SnapshotTask): Promise<SnapshotInfo> {
  return new Promise((resolve, reject) => {
    const worker = startWorker("snapshot_worker.ts", task);
    worker.once("message", ({ info, code, message }: SnapshotTaskResult) => {
      // Its connections are closed: the thread holds nothing any more.
      worker.terminate();
      if (info !== undefined) resolve(info);
      else reject(new SqliteError(`Cannot make a snapshot: ${message}`, code ?? ""));
    });
    worker.once("error", (cause) => {
      reject(new Error(`Cannot make a snapshot of ${task.statePath}: the worker died`, { cause }));
    });
  });
}

/** Whether an error says that the disk is full. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT";
}
