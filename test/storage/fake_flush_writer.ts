import { type Checkpointer, InlineCheckpointer } from "../../src/storage/checkpointer.ts";
import { FlushRunner } from "../../src/storage/flush_runner.ts";
import type { FlushBatch, FlushWriter } from "../../src/storage/flush_writer.ts";
import { WorkerOutcome } from "../../src/storage/worker_outcome.ts";
import type { SqlDatabase, SqlValue } from "../../src/storage/sqlite_types.ts";

/** The other thread of a flush without a thread: runs a batch whenever `isRunning` says so. */
class FakeFlushWriter implements FlushWriter {
  readonly rowsMin = 1;
  readonly #outcome = new WorkerOutcome();
  readonly #runner: FlushRunner;
  readonly #isRunning: () => boolean;
  readonly #batches: FlushBatch[] = [];
  #textsKnown = 0;

  constructor(sql: SqlDatabase, isRunning: () => boolean) {
    this.#runner = new FlushRunner(sql, this.#outcome);
    this.#isRunning = isRunning;
  }

  get pending(): number {
    if (this.#batches.length > 0 && this.#isRunning()) this.#runOne();
    return this.#batches.length;
  }

  write(texts: readonly string[], values: SqlValue[], place: { first: boolean; last: boolean }) {
    if (place.first) this.#outcome.begin();
    const added = texts.slice(this.#textsKnown);
    this.#batches.push({ kind: "write", texts: added, values, places: [], ...place });
    this.#textsKnown = texts.length;
  }

  isCommitted(): boolean {
    return this.#outcome.isCommitted();
  }

  abandon(): void {
    const nothing = { texts: [], values: [], places: [] };
    this.#batches.push({ kind: "abandon", ...nothing, first: false, last: false });
    this.wait();
  }

  wait(): void {
    while (this.#batches.length > 0) this.#runOne();
  }

  close(): void {
    this.#runner.rollback();
  }

  #runOne(): void {
    this.#runner.take(structuredClone(this.#batches.shift()!));
  }
}

/** Checkpoints on the loop; flushes go over `other`, a second connection. */
export class FakeFlushCheckpointer implements Checkpointer {
  readonly isBusy = false;
  readonly flushWriter: FakeFlushWriter;
  readonly #inline: InlineCheckpointer;
  readonly #other: SqlDatabase;

  constructor(sql: SqlDatabase, other: SqlDatabase, isRunning: () => boolean) {
    other.exec("PRAGMA wal_autocheckpoint = 0");
    this.#inline = new InlineCheckpointer(sql);
    this.#other = other;
    this.flushWriter = new FakeFlushWriter(other, isRunning);
  }

  afterCommit(): void {
    this.#inline.afterCommit();
  }

  close(): Promise<void> {
    this.flushWriter.close();
    this.#other.close();
    return Promise.resolve();
  }
}
