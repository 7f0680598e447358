import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { type LogWorkerData, runLogJob, type SentLogJob } from "./log_writer.ts";
import { isFull, openLogDatabase, prepareStatements, rollBack } from "./raft_log_database.ts";
import { LogRows } from "./raft_log_rows.ts";
import { fromSent } from "./sent_value.ts";
import { loadSqlite } from "./sqlite.ts";
import { WorkerOutcome } from "./worker_outcome.ts";

// The thread behind WorkerLogWriter: a LogJob is run, "close" closes the file.
assert(parentPort !== null, "the log worker is started as a worker");
// No await at the top: Bun's bytecode has none.
void run(parentPort, workerData as LogWorkerData);

async function run(port: MessagePort, { path, driver, memory }: LogWorkerData): Promise<void> {
  const received: unknown[] = [];
  const early = (message: unknown) => received.push(message);
  port.on("message", early);
  const database = openLogDatabase(await loadSqlite(driver), path, false);
  // Rows come with their checksums: the salt is not needed.
  const rows = new LogRows(database, 0);
  const sql = prepareStatements(database);
  const outcome = new WorkerOutcome(memory);
  port.off("message", early);
  const runJob = (sent: SentLogJob): void => {
    const job = { ...sent, rows: sent.rows.map((row) => row.map(fromSent)) };
    const startMs = performance.now();
    let isCommitted = false;
    try {
      runLogJob(rows, sql, job);
      outcome.tookMs = performance.now() - startMs;
      isCommitted = true;
    } catch (error) {
      rollBack(sql);
      outcome.fail(error);
    }
    outcome.advance(isCommitted);
    port.postMessage("done");
    if (isCommitted && job.checkpoints) checkpoint();
  };
  const checkpoint = (): void => {
    try {
      sql.checkpoint.get();
    } catch (error) {
      // No room in the file: a later checkpoint copies it. Anything else ends the worker, and so
      // the node.
      if (!isFull(error)) throw error;
    }
  };
  const take = (message: unknown): void => {
    if (message !== "close") return runJob(message as SentLogJob);
    database.close();
    port.postMessage("closed");
  };
  port.on("message", take);
  for (const message of received) take(message);
}
