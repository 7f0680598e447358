import { parentPort, workerData } from "node:worker_threads";
import { toBuffer } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { makeSnapshot } from "./snapshot.ts";
import type { SnapshotTask, SnapshotTaskResult } from "./snapshot_maker.ts";
import { loadSqlite } from "./sqlite.ts";
import { readAppliedState } from "./state_tables.ts";

// The thread behind makeSnapshotAside: makes one snapshot, answers and ends.
const port = parentPort;
assert(port !== null, "the snapshot worker is started as a worker");
const { statePath, directory, driver, configuration } = workerData as SnapshotTask;

async function run(): Promise<SnapshotTaskResult> {
  try {
    const sqlite = await loadSqlite(driver);
    const info = makeSnapshot(sqlite, statePath, directory, (copy) => {
      const applied = readAppliedState(copy);
      const members = toBuffer(applied.configuration).toString("hex");
      const { index, term } = applied;
      return { index, term, configuration: members === "" ? configuration : members };
    });
    return { info };
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? "");
    return { code, message: error instanceof Error ? error.message : String(error) };
  }
}

port.postMessage(await run());
