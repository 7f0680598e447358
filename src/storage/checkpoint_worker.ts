import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { CheckpointResult, CheckpointWorkerData } from "./checkpointer.ts";
import { loadSqlite } from "./sqlite.ts";
import { type SqlDatabase, SqliteError } from "./sqlite_types.ts";

// The thread behind WorkerCheckpointer: "checkpoint" moves all that is committed, "close" closes the file.
assert(parentPort !== null, "the checkpoint worker is started as a worker");
// No await at the top: Bun's bytecode has none.
void run(parentPort, workerData as CheckpointWorkerData);

async function run(port: MessagePort, { path, driver }: CheckpointWorkerData): Promise<void> {
  const received: unknown[] = [];
  const early = (message: unknown) => received.push(message);
  port.on("message", early);
  // NORMAL: a checkpoint fsyncs the -wal file before it, and the database after it.
  const sql = (await loadSqlite(driver)).open(path, { synchronous: "normal" });
  sql.exec("PRAGMA wal_autocheckpoint = 0");
  port.off("message", early);
  const take = (message: unknown) => {
    if (message === "checkpoint") return port.postMessage(checkpoint(sql));
    sql.close();
    port.postMessage({ isClosed: true } satisfies CheckpointResult);
  };
  port.on("message", take);
  for (const message of received) take(message);
}

function checkpoint(sql: SqlDatabase): CheckpointResult {
  try {
    sql.exec("PRAGMA wal_checkpoint(PASSIVE)");
    return {};
  } catch (error) {
    const code = error instanceof SqliteError ? error.code : "SQLITE_ERROR";
    return { code, message: String(error) };
  }
}
