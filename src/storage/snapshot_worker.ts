import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { makeSnapshotNow, type SnapshotTask, type SnapshotTaskResult } from "./snapshot_maker.ts";
import { loadSqlite } from "./sqlite.ts";

// The thread behind makeSnapshotAside: makes one snapshot, answers and ends.
assert(parentPort !== null, "the snapshot worker is started as a worker");
const port = parentPort;
// No await at the top: Bun's bytecode has none.
run(workerData as SnapshotTask).then((result) => port.postMessage(result));

async function run(task: SnapshotTask): Promise<SnapshotTaskResult> {
  try {
    return { info: makeSnapshotNow(await loadSqlite(task.driver), task) };
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? "");
    return { code, message: error instanceof Error ? error.message : String(error) };
  }
}
