import { parentPort, workerData } from "node:worker_threads";
import { toBuffer } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { makeSnapshot } from "./snapshot.ts";
import type { SnapshotTask, SnapshotTaskResult } from "./snapshot_maker.ts";
import { loadSqlite } from "./sqlite.ts";
import { readAppliedState } from "./state_tables.ts";

// The thread behind makeSnapshotAside: makes one snapshot, answers and ends.
assert(parentPort !== null, "the snapshot worker is started as a worker");
const port = parentPort;
// No await at the top: Bun's bytecode has none.
run(workerData as SnapshotTask).then((result) => port.postMessage(result));

async function run(task: SnapshotTask): Promise<SnapshotTaskResult> {
  const { statePath, directory, driver, configuration, temporary } = task;
  try {
    const sqlite = await loadSqlite(driver);
    const info = makeSnapshot(sqlite, statePath, directory, (copy) => {
      const applied = readAppliedState(copy);
      const members = toBuffer(applied.configuration).toString("hex");
      const { index, term } = applied;
      return { index, term, configuration: members === "" ? configuration : members };
    }, temporary);
    return { info };
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? "");
    return { code, message: error instanceof Error ? error.message : String(error) };
  }
}
