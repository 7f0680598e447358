import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { CheckpointResult, CheckpointWorkerData } from "./checkpointer.ts";
import { loadSqlite } from "./sqlite.ts";
import { SqliteError } from "./sqlite_types.ts";

// The thread behind WorkerCheckpointer: "checkpoint" moves all that is committed, "close" closes the file.
const port = parentPort;
assert(port !== null, "the checkpoint worker is started as a worker");
const { path, driver } = workerData as CheckpointWorkerData;
// NORMAL: a checkpoint fsyncs the -wal file before it, and the database after it.
const sql = (await loadSqlite(driver)).open(path, { synchronous: "normal" });
sql.exec("PRAGMA wal_autocheckpoint = 0");

function checkpoint(): CheckpointResult {
  try {
    sql.exec("PRAGMA wal_checkpoint(PASSIVE)");
    return {};
  } catch (error) {
    const code = error instanceof SqliteError ? error.code : "SQLITE_ERROR";
    return { code, message: String(error) };
  }
}

port.on("message", (message) => {
  if (message === "checkpoint") {
    port.postMessage(checkpoint());
    return;
  }
  sql.close();
  port.postMessage({ isClosed: true } satisfies CheckpointResult);
});
