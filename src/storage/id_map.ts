import { compareIds, type StreamId } from "./stream_id.ts";

/** Items of one chunk: few enough that moving them costs nothing. */
const CHUNK_MAX = 256;

/**
 * Items by their id, in its order. Both ends are reached in O(1), all else in O(log n); to put in
 * or take out moves at most a chunk.
 */
export class IdMap<T extends StreamId> {
  /** None is empty. */
  #chunks: T[][] = [];
  #size = 0;
  /** What `#seek` found: a chunk, and an index in it. */
  #chunk = 0;
  #offset = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#chunks[0]?.[0];
  }

  get last(): T | undefined {
    const chunk = this.#chunks[this.#chunks.length - 1];
    return chunk?.[chunk.length - 1];
  }

  get(id: StreamId): T | undefined {
    const found = this.ceiling(id);
    return found !== undefined && compareIds(found, id) === 0 ? found : undefined;
  }

  /** The first item with this id or a greater one. */
  ceiling(id: StreamId): T | undefined {
    return this.#seek(id) ? this.#chunks[this.#chunk][this.#offset] : undefined;
  }

  /** The last item with this id or a smaller one. */
  floor(id: StreamId): T | undefined {
    if (!this.#seek(id)) return this.last;
    const found = this.#chunks[this.#chunk][this.#offset];
    if (compareIds(found, id) === 0) return found;
    if (this.#offset > 0) return this.#chunks[this.#chunk][this.#offset - 1];
    return this.#chunks[this.#chunk - 1]?.at(-1);
  }

  /** Puts an item in its place, over one of the same id. */
  set(item: T): void {
    if (!this.#seek(item)) return this.#append(item);
    const chunk = this.#chunks[this.#chunk];
    if (compareIds(chunk[this.#offset], item) === 0) {
      chunk[this.#offset] = item;
      return;
    }
    chunk.splice(this.#offset, 0, item);
    this.#size += 1;
    if (chunk.length > CHUNK_MAX) {
      this.#chunks.splice(this.#chunk + 1, 0, chunk.splice(chunk.length >> 1));
    }
  }

  /** Takes out the item of this id, if there is one. */
  remove(id: StreamId): T | undefined {
    if (!this.#seek(id)) return undefined;
    const chunk = this.#chunks[this.#chunk];
    const item = chunk[this.#offset];
    if (compareIds(item, id) !== 0) return undefined;
    if (this.#offset === 0) chunk.shift();
    else chunk.splice(this.#offset, 1);
    if (chunk.length === 0) this.#chunks.splice(this.#chunk, 1);
    this.#size -= 1;
    return item;
  }

  /** Takes out the first items, as many as `count` or all. */
  takeFirst(count: number): T[] {
    const taken: T[] = [];
    let whole = 0;
    for (; whole < this.#chunks.length; whole++) {
      const chunk = this.#chunks[whole];
      if (taken.length + chunk.length > count) break;
      for (const item of chunk) taken.push(item);
    }
    if (whole > 0) this.#chunks.splice(0, whole);
    if (taken.length < count && this.#chunks.length > 0) {
      for (const item of this.#chunks[0].splice(0, count - taken.length)) taken.push(item);
    }
    this.#size -= taken.length;
    return taken;
  }

  /** Takes out the first items, as many as `limit` or those up to an id. */
  takeUpTo(id: StreamId, limit: number): T[] {
    let count = 0;
    for (const chunk of this.#chunks) {
      const isWhole = compareIds(chunk[chunk.length - 1], id) <= 0;
      count += isWhole ? chunk.length : chunk.findIndex((item) => compareIds(item, id) > 0);
      if (!isWhole || count >= limit) break;
    }
    return this.takeFirst(Math.min(count, limit));
  }

  /** The items from this id on, ascending. Nothing may be put in or taken out meanwhile. */
  *from(id: StreamId): Iterable<T> {
    if (!this.#seek(id)) return;
    let at = this.#offset;
    for (let c = this.#chunk; c < this.#chunks.length; c++, at = 0) {
      const chunk = this.#chunks[c];
      for (; at < chunk.length; at++) yield chunk[at];
    }
  }

  /** The items from this id back, descending. */
  *downFrom(id: StreamId): Iterable<T> {
    const isWithin = this.#seek(id);
    let c = isWithin ? this.#chunk : this.#chunks.length - 1;
    let at = isWithin ? this.#offset : Infinity;
    if (isWithin && compareIds(this.#chunks[c][at], id) > 0) at -= 1;
    for (; c >= 0; c--, at = Infinity) {
      const chunk = this.#chunks[c];
      for (at = Math.min(at, chunk.length - 1); at >= 0; at--) yield chunk[at];
    }
  }

  values(): Iterable<T> {
    return this.#chunks.flat();
  }

  #append(item: T): void {
    const chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.length >= CHUNK_MAX) this.#chunks.push([item]);
    else chunk.push(item);
    this.#size += 1;
  }

  /** Finds the first item with this id or a greater one; false when there is none. */
  #seek(id: StreamId): boolean {
    const chunks = this.#chunks;
    const last = this.last;
    if (last === undefined || compareIds(last, id) < 0) return false;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const chunk = chunks[middle];
      if (compareIds(chunk[chunk.length - 1], id) < 0) low = middle + 1;
      else high = middle;
    }
    this.#chunk = low;
    const chunk = chunks[low];
    let from = 0;
    let to = chunk.length - 1;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (compareIds(chunk[middle], id) < 0) from = middle + 1;
      else to = middle;
    }
    this.#offset = from;
    return true;
  }
}
