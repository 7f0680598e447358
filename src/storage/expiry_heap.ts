import { assert } from "../base/assert.ts";

/** What an ExpiryHeap holds. */
export interface ExpiryItem {
  readonly dueAtMs: number;
  /** Where it stands in the heap; -1 when in none. */
  heapIndex: number;
  /** Ascending in the order of creation. */
  readonly id: number;
}

/** A binary heap of what expires, earliest first, then by creation. */
export class ExpiryHeap<T extends ExpiryItem> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The earliest, or undefined. */
  get top(): T | undefined {
    return this.#items[0];
  }

  push(record: T): void {
    this.#items.push(record);
    this.#rise(this.#items.length - 1, record);
  }

  pop(): T | undefined {
    const top = this.#items[0];
    if (top !== undefined) this.remove(top);
    return top;
  }

  remove(record: T): void {
    const at = record.heapIndex;
    assert(this.#items[at] === record, "the record to remove is in this heap");
    record.heapIndex = -1;
    const last = this.#items.pop() as T;
    if (last === record) return;
    this.#rise(this.#sink(at, last), last);
  }

  /** Up to `limit` records that expire at or before `timeMs`, in order. */
  due(timeMs: number, limit: number): T[] {
    const due: T[] = [];
    while (due.length < limit && this.#items.length > 0) {
      if (this.#items[0].dueAtMs > timeMs) break;
      due.push(this.pop() as T);
    }
    for (const record of due) this.push(record);
    return due;
  }

  /** Moves `record` up from the hole at `at`. */
  #rise(at: number, record: T): void {
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#items[parentAt];
      if (!isBefore(record, parent)) break;
      this.#items[at] = parent;
      parent.heapIndex = at;
      at = parentAt;
    }
    this.#items[at] = record;
    record.heapIndex = at;
  }

  /** Moves the hole at `at` down to where `record` may stand or rise from; returns it. */
  #sink(at: number, record: T): number {
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= this.#items.length) return at;
      const right = this.#items[childAt + 1];
      if (right !== undefined && isBefore(right, this.#items[childAt])) childAt += 1;
      const child = this.#items[childAt];
      if (!isBefore(child, record)) return at;
      this.#items[at] = child;
      child.heapIndex = at;
      at = childAt;
    }
  }
}

function isBefore(a: ExpiryItem, b: ExpiryItem): boolean {
  return a.dueAtMs < b.dueAtMs || (a.dueAtMs === b.dueAtMs && a.id < b.id);
}
