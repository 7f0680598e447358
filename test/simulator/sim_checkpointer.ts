import { sleep } from "../../src/base/clock.ts";
import type { Checkpointer } from "../../src/storage/checkpointer.ts";
import { FlushRunner } from "../../src/storage/flush_runner.ts";
import type { FlushWriter } from "../../src/storage/flush_writer.ts";
import { type SqlDatabase, SqliteError, type SqlValue } from "../../src/storage/sqlite_types.ts";
import { WorkerOutcome } from "../../src/storage/worker_outcome.ts";
import type { Process } from "./process.ts";

const ROWS_MIN_MAX = 12;
const BATCH_MS_MAX = 20;
const CLOSE_MS_MAX = 40;
/** Errors of a disk, not of a program. */
const OF_THE_DISK: ReadonlySet<string> = new Set(["SQLITE_FULL", "SQLITE_BUSY", "SQLITE_IOERR"]);

/** The twin of WorkerCheckpointer: there is no -wal file to move, and its thread is a timer. */
export class SimCheckpointer implements Checkpointer {
  readonly isBusy = false;
  readonly flushWriter: SimFlushWriter;
  readonly #process: Process;
  readonly #random: () => number;

  /** `random`: a number in [0, 1). */
  constructor(sql: SqlDatabase, process: Process, random: () => number) {
    this.#process = process;
    this.#random = random;
    this.flushWriter = new SimFlushWriter(sql, process, random);
  }

  afterCommit(): void {}

  /** What was sent to its end may run yet; a thread does not end at once. */
  close(): Promise<void> {
    this.flushWriter.close();
    return sleep(this.#process.clock, this.#random() * CLOSE_MS_MAX);
  }
}

interface Batch {
  readonly values: SqlValue[];
  readonly last: boolean;
}

/**
 * The twin of WorkerFlushWriter: a batch takes its time, and all of a flush runs with its last one,
 * as no other connection sees anything of it before.
 */
class SimFlushWriter implements FlushWriter {
  readonly rowsMin: number;
  readonly #process: Process;
  readonly #random: () => number;
  readonly #outcome = new Outcome();
  readonly #runner: FlushRunner;
  #batches: Batch[] = [];
  #texts: readonly string[] = [];
  #textsKnown = 0;
  #sent = 0;
  #done = 0;

  constructor(sql: SqlDatabase, process: Process, random: () => number) {
    this.#process = process;
    this.#random = random;
    this.rowsMin = 1 + Math.floor(random() * ROWS_MIN_MAX);
    this.#runner = new FlushRunner(sql, this.#outcome);
  }

  get pending(): number {
    return this.#sent - this.#done;
  }

  write(
    texts: readonly string[],
    values: SqlValue[],
    { first, last }: { readonly first: boolean; readonly last: boolean },
  ): void {
    if (first) this.#outcome.begin();
    this.#texts = texts;
    this.#batches.push({ values, last });
    const number = ++this.#sent;
    this.#process.clock.after(this.#random() * BATCH_MS_MAX, () => {
      if (number <= this.#done) return;
      this.#done = number;
      this.#run();
    });
  }

  isCommitted(): boolean {
    return this.#outcome.isCommitted();
  }

  abandon(): void {
    this.#batches = [];
    this.#done = this.#sent;
  }

  wait(): void {
    this.#done = this.#sent;
    this.#run();
  }

  close(): void {
    if (this.#random() < 0.5) this.wait();
    this.abandon();
  }

  /** Runs a flush that was sent to its end. */
  #run(): void {
    const batches = this.#batches;
    if (batches.length === 0 || !batches[batches.length - 1].last || this.pending > 0) return;
    this.#batches = [];
    for (const [at, { values, last }] of batches.entries()) {
      const texts = this.#texts.slice(this.#textsKnown);
      this.#textsKnown = this.#texts.length;
      this.#runner.take({ kind: "write", texts, values, places: [], first: at === 0, last });
    }
    if (this.#outcome.bug !== undefined) throw this.#outcome.bug;
  }
}

/** Keeps what failed for another reason than the disk. */
class Outcome extends WorkerOutcome {
  bug: unknown;

  override fail(error: unknown): void {
    if (!(error instanceof SqliteError && OF_THE_DISK.has(error.code))) this.bug ??= error;
    super.fail(error);
  }
}
