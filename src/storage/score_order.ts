import type { Bytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { FIRST_MEMBER, type ScoreBlock } from "./score_blocks.ts";

/** What a ScoreOrder holds. */
export interface ScoredItem {
  readonly name: Bytes;
  /** Any number but NaN and -0. May change only while the item is not in the order. */
  score: number;
}

/** Items of a chunk: beyond, it is cut in two; with its neighbour below half, they are joined. */
const CHUNK_MAX = 512;
const CHUNK_FILL = 384;

interface Place {
  readonly chunk: number;
  readonly index: number;
}

/**
 * Items by score and then by the bytes of their names, with their ranks: an array of sorted chunks,
 * and a Fenwick tree of their lengths. Every question costs O(log n); a change moves at most
 * CHUNK_MAX items, and now and then makes the tree anew, n / CHUNK_MAX steps.
 */
export class ScoreOrder<T extends ScoredItem> {
  /** None is empty. */
  #chunks: T[][] = [];
  /** #tree[i] counts the items of the chunks i - (i & -i) … i - 1. */
  #tree: number[] = [0];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Takes the place of everything: `items` in any order. */
  fill(items: T[]): void {
    items.sort(compareScored);
    this.#chunks = [];
    for (let at = 0; at < items.length; at += CHUNK_FILL) {
      this.#chunks.push(items.slice(at, at + CHUNK_FILL));
    }
    this.#size = items.length;
    this.#makeTree();
  }

  /** Adds an item that is not there. */
  insert(item: T): void {
    this.#size += 1;
    if (this.#chunks.length === 0) {
      this.#chunks.push([item]);
      this.#makeTree();
      return;
    }
    let { chunk, index } = this.#placeOf(item);
    if (chunk === this.#chunks.length) {
      chunk -= 1;
      index = this.#chunks[chunk].length;
    }
    const items = this.#chunks[chunk];
    items.splice(index, 0, item);
    if (items.length <= CHUNK_MAX) {
      this.#count(chunk, 1);
      return;
    }
    // At the end items often come in order: leave the full chunk nearly as it is.
    const atEnd = chunk === this.#chunks.length - 1 && index === items.length - 1;
    this.#chunks.splice(chunk + 1, 0, items.splice(atEnd ? CHUNK_FILL : CHUNK_MAX >> 1));
    this.#makeTree();
  }

  /** Takes out an item that is there. */
  remove(item: T): void {
    const { chunk, index } = this.#placeOf(item);
    const items = this.#chunks[chunk];
    assert(items?.[index] === item, "the item is in the order");
    this.#size -= 1;
    if (index === 0) items.shift();
    else items.splice(index, 1);
    if (items.length * 2 < CHUNK_MAX && this.#join(chunk)) this.#makeTree();
    else this.#count(chunk, -1);
  }

  /** How many items stand before this one. */
  rankOf(item: T): number {
    const { chunk, index } = this.#placeOf(item);
    return this.#before(chunk) + index;
  }

  /** How many items, from the first on, fulfil a condition that all behind the first not to do fail. */
  countWhile(holds: (item: T) => boolean): number {
    const { chunk, index } = this.#search(holds);
    return this.#before(chunk) + index;
  }

  /** The items of the ranks `start` … `stop`, or backwards. Nothing may be changed meanwhile. */
  *range(start: number, stop: number, reverse = false): Iterable<T> {
    const last = Math.min(stop, this.#size - 1);
    if (start > last) return;
    let { chunk, index } = this.#seek(reverse ? last : start);
    for (let left = last - start + 1; left > 0; left--) {
      yield this.#chunks[chunk][index];
      if (reverse) {
        if (--index < 0 && --chunk >= 0) index = this.#chunks[chunk].length - 1;
      } else if (++index === this.#chunks[chunk].length) {
        chunk += 1;
        index = 0;
      }
    }
  }

  /** How many items each chunk has, from its first on. */
  blocks(): ScoreBlock[] {
    return this.#chunks.map(([{ name, score }], at) => {
      const first = at === 0 ? FIRST_MEMBER : { name, score };
      return { ...first, count: this.#chunks[at].length };
    });
  }

  #placeOf({ score, name }: ScoredItem): Place {
    return this.#search((item) => item.score < score || (item.score === score && item.name < name));
  }

  /** The place of the first item that does not fulfil the condition; behind the last chunk: none. */
  #search(holds: (item: T) => boolean): Place {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const items = this.#chunks[middle];
      if (holds(items[items.length - 1])) low = middle + 1;
      else high = middle;
    }
    const chunk = low;
    if (chunk === this.#chunks.length) return { chunk, index: 0 };
    const items = this.#chunks[chunk];
    low = 0;
    high = items.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(items[middle])) low = middle + 1;
      else high = middle;
    }
    return { chunk, index: low };
  }

  /** Items in the chunks before this one. */
  #before(chunk: number): number {
    let count = 0;
    for (let at = chunk; at > 0; at -= at & -at) count += this.#tree[at];
    return count;
  }

  /** The place of the item of a rank, which exists. */
  #seek(rank: number): Place {
    let chunk = 0;
    let left = rank;
    for (let step = 1 << (31 - Math.clz32(this.#chunks.length)); step > 0; step >>= 1) {
      const next = chunk + step;
      if (next <= this.#chunks.length && this.#tree[next] <= left) {
        chunk = next;
        left -= this.#tree[next];
      }
    }
    return { chunk, index: left };
  }

  #count(chunk: number, change: number): void {
    for (let at = chunk + 1; at < this.#tree.length; at += at & -at) this.#tree[at] += change;
  }

  #makeTree(): void {
    const tree = [0];
    for (const items of this.#chunks) tree.push(items.length);
    for (let at = 1; at < tree.length; at++) {
      const parent = at + (at & -at);
      if (parent < tree.length) tree[parent] += tree[at];
    }
    this.#tree = tree;
  }

  /** Drops a chunk that is empty, or joins it with a neighbour when both are small. */
  #join(chunk: number): boolean {
    const { length } = this.#chunks[chunk];
    if (length === 0) {
      this.#chunks.splice(chunk, 1);
      return true;
    }
    for (const first of [chunk - 1, chunk]) {
      const [left, right] = [this.#chunks[first], this.#chunks[first + 1]];
      if (left === undefined || right === undefined) continue;
      if (left.length + right.length > CHUNK_MAX >> 1) continue;
      this.#chunks.splice(first, 2, left.concat(right));
      return true;
    }
    return false;
  }
}

/** The order of a sorted set: by score, then by bytes. */
export function compareScored(a: Readonly<ScoredItem>, b: Readonly<ScoredItem>): number {
  if (a.score !== b.score) return a.score < b.score ? -1 : 1;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
