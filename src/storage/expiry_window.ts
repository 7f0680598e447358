import type { Bytes } from "../base/bytes.ts";
import type { StateTables, StoredExpiry } from "./state_tables.ts";

const ROWS_PER_READ = 64;

/**
 * The stored keys of a slot that expire, earliest first, read in portions. Those with a newer
 * record in memory are passed over for good: they stay there until the next `reset`.
 */
export class ExpiryWindow {
  readonly #tables: StateTables;
  readonly #slot: number;
  /** Whether memory, not SQL, has the say on a key. */
  readonly #isOverlaid: (key: Bytes) => boolean;
  #rows: StoredExpiry[] = [];
  #head = 0;
  #complete = false;

  constructor(tables: StateTables, slot: number, isOverlaid: (key: Bytes) => boolean) {
    this.#tables = tables;
    this.#slot = slot;
    this.#isOverlaid = isOverlaid;
  }

  /** The rows of SQL have changed. `empty` when none of them expires. */
  reset(empty: boolean): void {
    this.#rows = [];
    this.#head = 0;
    this.#complete = empty;
  }

  /** The earliest, or undefined. */
  get top(): StoredExpiry | undefined {
    for (;;) {
      while (this.#head < this.#rows.length) {
        const row = this.#rows[this.#head];
        if (!this.#isOverlaid(row.key)) return row;
        this.#head += 1;
      }
      if (!this.#readMore()) return undefined;
    }
  }

  /** Up to `limit` keys that expire at or before `timeMs`, in order. */
  due(timeMs: number, limit: number): StoredExpiry[] {
    const due: StoredExpiry[] = [];
    if (this.top === undefined) return due;
    for (let at = this.#head; due.length < limit; at++) {
      // A read drops the rows before the head, so positions are kept relative to it.
      if (at === this.#rows.length) {
        const passed = at - this.#head;
        if (!this.#readMore()) break;
        at = this.#head + passed;
      }
      const row = this.#rows[at];
      if (row.dueAtMs > timeMs) break;
      if (!this.#isOverlaid(row.key)) due.push(row);
    }
    return due;
  }

  #readMore(): boolean {
    if (this.#complete) return false;
    const last = this.#rows.at(-1);
    const more = this.#tables.expiries(
      this.#slot,
      last?.dueAtMs ?? -Infinity,
      last?.id ?? 0,
      ROWS_PER_READ,
    );
    if (more.length < ROWS_PER_READ) this.#complete = true;
    if (more.length === 0) return false;
    this.#rows = this.#rows.slice(this.#head).concat(more);
    this.#head = 0;
    return true;
  }
}
