import type { Worker } from "node:worker_threads";
import { type SentValue, toSent } from "./sent_value.ts";
import { LONG_BYTES_MIN } from "./sql_bytes.ts";
import type { SqlValue } from "./sqlite_types.ts";
import type { WorkerOutcome } from "./worker_outcome.ts";

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
  readonly values: readonly SentValue[];
  /** Where in `values` the long byte strings belong that came before it, each in a message. */
  readonly places: readonly number[];
  readonly first: boolean;
  readonly last: boolean;
}

/** Sends a flush to a worker. */
export class WorkerFlushWriter implements FlushWriter {
  readonly #worker: () => Worker;
  readonly rowsMin: number;
  readonly #outcome: WorkerOutcome;
  #sent = 0;
  /** How many statements' texts the worker knows. */
  #textsKnown = 0;

  /** `worker`: gives the worker, started with the memory of `outcome`. */
  constructor(worker: () => Worker, outcome: WorkerOutcome, rowsMin: number) {
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
    const sent: SentValue[] = values;
    const places: number[] = [];
    for (let at = 0; at < values.length; at++) {
      const value = values[at];
      if (typeof value === "string" && value.length >= LONG_BYTES_MIN) {
        // Bun copies no string that comes in a plain array: 200 MB take 0 ms, else 240.
        this.#worker().postMessage([value]);
        places.push(at);
        sent[at] = null;
      } else if (value instanceof Uint8Array) sent[at] = toSent(value);
    }
    this.#send({ kind: "write", texts: added, values: sent, places, first, last });
  }

  isCommitted(): boolean {
    return this.#outcome.isCommitted();
  }

  abandon(): void {
    this.#send({ kind: "abandon", texts: [], values: [], places: [], first: false, last: false });
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
