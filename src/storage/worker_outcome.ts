import { Buffer } from "node:buffer";
import { SqliteError } from "./sqlite_types.ts";

/** Places in the memory that both threads see: 32-bit words, then the text of an error. */
const DONE = 0;
const OUTCOME = 1;
const ERROR_LENGTH = 2;
const TOOK_US = 3;
const WORDS = 4;
const ERROR_BYTES_MAX = 1000;

const OPEN = 0;
const COMMITTED = 1;
const FAILED = 2;
/** Errors that pass; any other is FAILED. */
const PASSING = new Map([["SQLITE_FULL", 3], ["SQLITE_BUSY", 4]]);

const WAIT_MS_MAX = 60_000;

/** What the worker tells the loop, without messages: looked at when there is time. */
export class WorkerOutcome {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #text: Uint8Array;

  constructor(memory = new SharedArrayBuffer(WORDS * 4 + ERROR_BYTES_MAX)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, WORDS);
    this.#text = new Uint8Array(memory, WORDS * 4);
  }

  /** How long the last transaction took, milliseconds. */
  get tookMs(): number {
    return Atomics.load(this.#words, TOOK_US) / 1000;
  }

  set tookMs(ms: number) {
    Atomics.store(this.#words, TOOK_US, Math.min(ms * 1000, 2 ** 31 - 1));
  }

  get done(): number {
    return Atomics.load(this.#words, DONE);
  }

  /** What was sent has run; `committed`: with its transaction. */
  advance(committed: boolean): void {
    if (committed) Atomics.store(this.#words, OUTCOME, COMMITTED);
    Atomics.add(this.#words, DONE, 1);
    Atomics.notify(this.#words, DONE);
  }

  fail(error: unknown): void {
    const bytes = Buffer.from(String(error)).subarray(0, ERROR_BYTES_MAX);
    this.#text.set(bytes);
    Atomics.store(this.#words, ERROR_LENGTH, bytes.length);
    const code = error instanceof SqliteError ? error.code : "";
    Atomics.store(this.#words, OUTCOME, PASSING.get(code) ?? FAILED);
  }

  begin(): void {
    Atomics.store(this.#words, OUTCOME, OPEN);
  }

  isCommitted(): boolean {
    const outcome = Atomics.load(this.#words, OUTCOME);
    if (outcome < FAILED) return outcome === COMMITTED;
    const length = Atomics.load(this.#words, ERROR_LENGTH);
    const text = Buffer.from(this.#text.slice(0, length)).toString("utf8");
    const passing = [...PASSING].find(([, word]) => word === outcome);
    throw new SqliteError(text, passing?.[0] ?? "SQLITE_IOERR");
  }

  /** Blocks until `count` things sent have run, or for a while; false when they have not. */
  wait(count: number): boolean {
    for (let waitedMs = 0; this.done !== count; waitedMs += 100) {
      if (waitedMs >= WAIT_MS_MAX) return false;
      Atomics.wait(this.#words, DONE, this.done === count ? count - 1 : this.done, 100);
    }
    return true;
  }
}
