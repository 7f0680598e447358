import type { Worker } from "node:worker_threads";
import { crashPoint } from "./crash_point.ts";
import type { LogStatements } from "./raft_log_database.ts";
import type { EncodedRows, LogRows, PurgeRange } from "./raft_log_rows.ts";
import { type SentValue, toSent } from "./sent_value.ts";
import type { SqliteDriverName } from "./sqlite_types.ts";
import { startWorker } from "./start_worker.ts";
import { WorkerOutcome } from "./worker_outcome.ts";

/** What an append writes, in one transaction. */
export interface LogJob {
  readonly rows: EncodedRows["rows"];
  /** Compacted rows to delete with it. */
  readonly purge: PurgeRange | undefined;
  /** Whether the -wal file is long enough to be moved into the database afterwards. */
  readonly checkpoints: boolean;
}

/** A job as it is sent to the worker, which takes over the bytes of its rows. */
export interface SentLogJob extends Omit<LogJob, "rows"> {
  readonly rows: readonly (readonly SentValue[])[];
}

/** Runs jobs beside the loop, one at a time. */
export interface LogWriter {
  /** Called when a job has ended, or the writer. */
  onDone: () => void;
  begin(job: LogJob): void;
  /**
   * How many milliseconds the job took, once it is durable; undefined while it runs. Throws what
   * it failed with: nothing was written then.
   */
  tookMs(): number | undefined;
  /** Blocks until the job has ended. */
  wait(): void;
  /** Resolves when the file is closed. */
  close(): Promise<void>;
}

/** What the worker is started with. */
export interface LogWorkerData {
  readonly path: string;
  readonly driver: SqliteDriverName;
  /** Of its WorkerOutcome. */
  readonly memory: SharedArrayBuffer;
}

/** Runs a job: it is durable when this returns. */
export function runLogJob(rows: LogRows, sql: LogStatements, job: LogJob): void {
  crashPoint("append_before");
  // One INSERT is a transaction of its own: the usual case takes one statement.
  if (job.rows.length === 1 && job.purge === undefined) rows.write(job.rows[0]);
  else {
    sql.begin.run();
    for (const row of job.rows) rows.write(row);
    if (job.purge !== undefined) rows.purge(job.purge);
    crashPoint("append_in_transaction");
    sql.commit.run();
  }
  crashPoint("append_after");
}

/** Has a worker run the jobs, on a connection of its own. It starts with the first. */
export class WorkerLogWriter implements LogWriter {
  onDone = (): void => {};
  readonly #data: LogWorkerData;
  readonly #outcome = new WorkerOutcome();
  #worker: Worker | undefined;
  #sent = 0;
  #error: Error | undefined;
  #isClosing = false;

  constructor(path: string, driver: SqliteDriverName) {
    this.#data = { path, driver, memory: this.#outcome.memory };
  }

  begin(job: LogJob): void {
    if (this.#error !== undefined) throw this.#error;
    const worker = this.#worker ??= this.#start();
    this.#outcome.begin();
    this.#sent = (this.#sent + 1) | 0;
    const rows = job.rows.map((row) => row.map(toSent));
    const message: SentLogJob = { ...job, rows };
    worker.postMessage(message, rows.map((row) => row[row.length - 1] as ArrayBuffer));
  }

  tookMs(): number | undefined {
    if (this.#error !== undefined) throw this.#error;
    return this.#outcome.isCommitted() ? this.#outcome.tookMs : undefined;
  }

  wait(): void {
    if (!this.#outcome.wait(this.#sent)) throw new Error("The writer of log.db does not answer");
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined || this.#error !== undefined) return;
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => {
      worker.on("message", (message) => message === "closed" && resolve());
      worker.on("exit", () => resolve());
    });
    worker.ref();
    worker.postMessage("close");
    await closed;
    await worker.terminate();
  }

  #start(): Worker {
    const worker = startWorker("log_worker.ts", this.#data);
    worker.on("message", () => this.onDone());
    const died = (cause: unknown) => {
      if (this.#isClosing) return;
      this.#error ??= new Error(`Cannot write ${this.#data.path}: the worker died`, { cause });
      this.onDone();
    };
    worker.on("error", died);
    worker.on("exit", died);
    // Last: a listener would hold the process again.
    worker.unref();
    return worker;
  }
}
