import { assert } from "../../src/base/assert.ts";
import { type LogJob, type LogWriter, runLogJob } from "../../src/storage/log_writer.ts";
import {
  type LogStatements,
  prepareStatements,
  rollBack,
} from "../../src/storage/raft_log_database.ts";
import { LogRows } from "../../src/storage/raft_log_rows.ts";
import type { SqlDatabase } from "../../src/storage/sqlite_types.ts";
import type { Process } from "./process.ts";

const USUAL_MS_MAX = 3;
const SLOW_MS_MAX = 60;
const SLOW_SHARE = 0.1;
const STEP_MS = SLOW_MS_MAX;

/**
 * The twin of WorkerLogWriter: a job runs some time after it was handed over, when much else has
 * happened, unless its process is dead by then.
 */
export class SimLogWriter implements LogWriter {
  onDone = (): void => {};
  readonly #process: Process;
  readonly #random: () => number;
  readonly #stallMs: () => number;
  readonly #rows: LogRows;
  readonly #sql: LogStatements;
  #job: LogJob | undefined;
  #failure: unknown;

  /** `random`: a number in [0, 1); `stallMs`: how long a write may take, where that is long. */
  constructor(
    database: SqlDatabase,
    process: Process,
    random: () => number,
    stallMs: () => number,
  ) {
    this.#process = process;
    this.#random = random;
    this.#stallMs = stallMs;
    this.#rows = new LogRows(database, 0);
    this.#sql = prepareStatements(database);
  }

  begin(job: LogJob): void {
    assert(this.#job === undefined, "one job at a time");
    this.#job = job;
    this.#failure = undefined;
    const msMax = this.#random() < SLOW_SHARE ? SLOW_MS_MAX : USUAL_MS_MAX;
    this.#endLater(job, this.#random() * Math.max(msMax, this.#stallMs()));
  }

  /** The job takes so long, or until the disk does not stall any more. */
  #endLater(job: LogJob, ms: number): void {
    this.#process.clock.after(Math.min(ms, STEP_MS), () => {
      if (this.#job !== job) return;
      if (ms > STEP_MS && this.#stallMs() > 0) return this.#endLater(job, ms - STEP_MS);
      this.#run(job);
      this.onDone();
    });
  }

  tookMs(): number | undefined {
    if (this.#job !== undefined) return undefined;
    if (this.#failure !== undefined) throw this.#failure;
    return 1;
  }

  wait(): void {
    if (this.#job === undefined) return;
    this.#run(this.#job);
    // The thread has told of its end all the same.
    this.#process.clock.after(0, () => this.onDone());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #run(job: LogJob): void {
    this.#job = undefined;
    try {
      runLogJob(this.#rows, this.#sql, job);
    } catch (error) {
      rollBack(this.#sql);
      this.#failure = error;
    }
  }
}
