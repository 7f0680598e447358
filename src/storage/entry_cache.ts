import { assert } from "../base/assert.ts";
import type { Entry } from "../raft/types.ts";

/** What an entry is reckoned to cost in memory beside its data. */
const ENTRY_OVERHEAD_BYTES = 256;
/** Stands where an entry was evicted, so that its bytes can be freed. */
const GONE: Entry = { index: 0, term: 0, kind: "noop", data: new Uint8Array(0) };
/** The places of evicted entries are dropped when they are this many and half of the array. */
const SHIFT_MIN = 1024;

/**
 * The last entries of the log, without a gap up to its end, bounded by bytes. Entries are kept as
 * they were handed in, `local` included.
 */
export class EntryCache {
  readonly #bytesMax: number;
  /** Entries before `#head` were evicted. */
  #entries: Entry[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Index of the first cached entry; Infinity when there is none. */
  get firstIndex(): number {
    return this.#head < this.#entries.length ? this.#entries[this.#head].index : Infinity;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The entry at `index`, which is cached (firstIndex..last). */
  at(index: number): Entry {
    return this.#entries[this.#head + index - this.firstIndex];
  }

  /** Adds entries behind the last one. The newest is kept even if it alone exceeds the bound. */
  push(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const last = this.#entries[this.#entries.length - 1];
      assert(last === undefined || entry.index === last.index + 1, "cached entries are contiguous");
      this.#entries.push(entry);
      this.#bytes += costOf(entry);
    }
    while (this.#bytes > this.#bytesMax && this.#head < this.#entries.length - 1) this.#evict();
    this.#shift();
  }

  /** Drops entries at or after `index`. */
  truncate(index: number): void {
    if (index <= this.firstIndex) return this.clear();
    while (this.#entries[this.#entries.length - 1].index >= index) {
      this.#bytes -= costOf(this.#entries.pop() as Entry);
    }
  }

  /** Drops entries up to `index`. */
  compact(index: number): void {
    while (this.firstIndex <= index) this.#evict();
    this.#shift();
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /** Entries [from, to), all cached: at least one, else as many as fit in `bytesMax`. */
  slice(from: number, to: number, bytesMax: number): Entry[] {
    const start = this.#head + from - this.firstIndex;
    const limit = start + to - from;
    let end = start + 1;
    let bytes = this.#entries[start].data.length;
    while (end < limit && (bytes += this.#entries[end].data.length) <= bytesMax) end++;
    return this.#entries.slice(start, end);
  }

  #evict(): void {
    this.#bytes -= costOf(this.#entries[this.#head]);
    this.#entries[this.#head++] = GONE;
  }

  #shift(): void {
    if (this.#head === this.#entries.length) this.clear();
    else if (this.#head >= SHIFT_MIN && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

function costOf(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}
