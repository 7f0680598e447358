/** Something that happens at a time; cancelled when `run` is undefined. */
export interface Happening {
  readonly timeMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** Virtual time: what is to happen, in the order of its time, and of its planning within one. */
export class Scheduler {
  nowMs = 0;
  readonly #heap: Happening[] = [];
  #order = 0;

  /** Plans `run` for a time, now at the earliest. */
  at(timeMs: number, run: () => void): Happening {
    const happening = { timeMs: Math.max(timeMs, this.nowMs), order: this.#order++, run };
    this.#push(happening);
    return happening;
  }

  after(delayMs: number, run: () => void): Happening {
    return this.at(this.nowMs + delayMs, run);
  }

  /** The time of the next happening; Infinity when there is none. */
  get nextMs(): number {
    while (this.#heap.length > 0 && this.#heap[0].run === undefined) this.#pop();
    return this.#heap.length === 0 ? Infinity : this.#heap[0].timeMs;
  }

  /** Goes to the next happening and takes it out. */
  take(): (() => void) | undefined {
    if (this.nextMs === Infinity) return undefined;
    const { timeMs, run } = this.#pop();
    this.nowMs = timeMs;
    return run;
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(happening, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = happening;
  }

  #pop(): Happening {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}
