import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { CheckpointResult, StateWorkerData } from "./checkpointer.ts";
import { FlushRunner } from "./flush_runner.ts";
import type { FlushBatch } from "./flush_writer.ts";
import { loadSqlite } from "./sqlite.ts";
import { type SqlDatabase, SqliteError } from "./sqlite_types.ts";
import { WorkerOutcome } from "./worker_outcome.ts";

// The thread behind WorkerCheckpointer: "checkpoint" moves all that is committed, "close" closes
// the file, a FlushBatch is a part of a flush, an array a long byte string for the next.
assert(parentPort !== null, "the state worker is started as a worker");
// No await at the top: Bun's bytecode has none.
void run(parentPort, workerData as StateWorkerData);

/** Flushes leave it to a later, longer step to write pages: a commit here stops nobody. */
const PAGE_CACHE_BYTES = 8 * 1024 * 1024;

async function run(port: MessagePort, { path, driver, memory }: StateWorkerData): Promise<void> {
  const received: unknown[] = [];
  const early = (message: unknown) => received.push(message);
  port.on("message", early);
  // NORMAL: a checkpoint fsyncs the -wal file before it, and the database after it.
  const sql = (await loadSqlite(driver)).open(path, {
    synchronous: "normal",
    cacheBytes: PAGE_CACHE_BYTES,
  });
  sql.exec("PRAGMA wal_autocheckpoint = 0");
  const flush = new FlushRunner(sql, new WorkerOutcome(memory));
  port.off("message", early);
  const take = (message: unknown) => {
    if (message === "checkpoint") return port.postMessage(checkpoint(sql));
    if (Array.isArray(message)) return flush.takeLong(message[0]);
    if (message !== "close") return flush.take(message as FlushBatch);
    flush.rollback();
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
