import type { SnapshotInfo } from "./snapshot.ts";
import { type SqliteDriverName, SqliteError } from "./sqlite_types.ts";
import { startWorker } from "./start_worker.ts";

/** What a snapshot worker is started with. */
export interface SnapshotTask {
  readonly statePath: string;
  readonly directory: string;
  readonly driver: SqliteDriverName;
  /** The members, in hex, where the state does not know of any change of them. */
  readonly configuration: string;
}

/** Its answer: a snapshot, or what failed. */
export interface SnapshotTaskResult {
  readonly info?: SnapshotInfo;
  readonly code?: string;
  readonly message?: string;
}

/** `makeSnapshot` on a thread of its own. Rejects with a SqliteError, its code a system's too. */
export function makeSnapshotAside(task: SnapshotTask): Promise<SnapshotInfo> {
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
