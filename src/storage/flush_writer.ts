import { Buffer } from "node:buffer";
import type { Worker } from "node:worker_threads";
import { SqliteError, type SqlValue } from "./sqlite_types.ts";

/** Another thread that runs the statements of a flush in one transaction. */
export interface FlushWriter {
  /** Changed keys and collections from which on a flush is worth another thread. */
  readonly rowsMin: number;
  /** Statements sent and not yet run, in batches. */
  readonly pending: number;
  /**
   * Sends statements, as RecordedDatabase notes them; the first batch of a flush begins the
   * transaction, the last one commits it.
   */
  write(
    texts: readonly string[],
    values: SqlValue[],
    place: { first: boolean; last: boolean },
  ): void;
  /** Whether the transaction is committed. Throws what it failed with: it was rolled back then. */
  isCommitted(): boolean;
  /** Rolls back what was sent. */
  abandon(): void;
  /** Blocks until all that was sent has run. */
  wait(): void;
}

/** One message to the worker. */
export interface FlushBatch {
  readonly kind: "write" | "abandon";
  /** Texts of statements that the worker does not know yet; they follow those it knows. */
  readonly texts: readonly string[];
  readonly values: readonly SqlValue[];
  readonly first: boolean;
  readonly last: boolean;
}

/** Places in the memory that both threads see: 32-bit words, then the text of an error. */
const DONE = 0;
const OUTCOME = 1;
const ERROR_LENGTH = 2;
const WORDS = 4;
const ERROR_BYTES_MAX = 1000;

const OPEN = 0;
const COMMITTED = 1;
const FAILED = 2;
const FULL = 3;

const WAIT_MS_MAX = 60_000;

/** What the worker tells the loop, without messages: looked at when there is time. */
export class FlushOutcome {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #text: Uint8Array;

  constructor(memory = new SharedArrayBuffer(WORDS * 4 + ERROR_BYTES_MAX)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, WORDS);
    this.#text = new Uint8Array(memory, WORDS * 4);
  }

  get done(): number {
    return Atomics.load(this.#words, DONE);
  }

  /** A batch has run; `committed`: with its transaction. */
  advance(committed: boolean): void {
    if (committed) Atomics.store(this.#words, OUTCOME, COMMITTED);
    Atomics.add(this.#words, DONE, 1);
    Atomics.notify(this.#words, DONE);
  }

  fail(error: unknown): void {
    const bytes = Buffer.from(String(error)).subarray(0, ERROR_BYTES_MAX);
    this.#text.set(bytes);
    Atomics.store(this.#words, ERROR_LENGTH, bytes.length);
    const isFull = error instanceof SqliteError && error.code === "SQLITE_FULL";
    Atomics.store(this.#words, OUTCOME, isFull ? FULL : FAILED);
  }

  begin(): void {
    Atomics.store(this.#words, OUTCOME, OPEN);
  }

  isCommitted(): boolean {
    const outcome = Atomics.load(this.#words, OUTCOME);
    if (outcome < FAILED) return outcome === COMMITTED;
    const length = Atomics.load(this.#words, ERROR_LENGTH);
    const text = Buffer.from(this.#text.slice(0, length)).toString("utf8");
    throw new SqliteError(text, outcome === FULL ? "SQLITE_FULL" : "SQLITE_IOERR");
  }

  /** Blocks until `count` batches have run, or for a while; false when they have not. */
  wait(count: number): boolean {
    for (let waitedMs = 0; this.done !== count; waitedMs += 100) {
      if (waitedMs >= WAIT_MS_MAX) return false;
      Atomics.wait(this.#words, DONE, this.done === count ? count - 1 : this.done, 100);
    }
    return true;
  }
}

/** Sends a flush to a worker. */
export class WorkerFlushWriter implements FlushWriter {
  readonly #worker: () => Worker;
  readonly rowsMin: number;
  readonly #outcome: FlushOutcome;
  #sent = 0;
  /** How many statements' texts the worker knows. */
  #textsKnown = 0;

  /** `worker`: gives the worker, started with the memory of `outcome`. */
  constructor(worker: () => Worker, outcome: FlushOutcome, rowsMin: number) {
    this.rowsMin = rowsMin;
    this.#worker = worker;
    this.#outcome = outcome;
  }

  get pending(): number {
    return (this.#sent - this.#outcome.done) | 0;
  }

  write(
    texts: readonly string[],
    values: SqlValue[],
    { first, last }: { first: boolean; last: boolean },
  ): void {
    if (first) this.#outcome.begin();
    const added = texts.slice(this.#textsKnown);
    this.#textsKnown = texts.length;
    this.#send({ kind: "write", texts: added, values, first, last });
  }

  isCommitted(): boolean {
    return this.#outcome.isCommitted();
  }

  abandon(): void {
    this.#send({ kind: "abandon", texts: [], values: [], first: false, last: false });
    this.wait();
  }

  wait(): void {
    if (!this.#outcome.wait(this.#sent)) throw new Error("The writer of state.db does not answer");
  }

  #send(batch: FlushBatch): void {
    this.#worker().postMessage(batch);
    this.#sent = (this.#sent + 1) | 0;
  }
}
