import type { Bytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import type { ElementPage } from "./collections.ts";
import { NameMap } from "./name_map.ts";
import { PlaceCounts } from "./place_counts.ts";

/** What an OrderedMap holds. */
export interface OrderedItem {
  readonly name: Bytes;
  /** Its place: ascending in the order of the map, stored with it. */
  readonly n: number;
  /** Where it stands in the map's array. */
  index: number;
}

/** Places of the array whose items are counted together: 2^9. */
const BLOCK_BITS = 9;
/** Gaps that are always left. */
const GAPS_MIN = 32;

/**
 * Items by name, and in the order of their places. A new item gets the place behind the last one
 * that is there, so what `random` and `scan` answer depends on the items alone and not on those
 * that are gone.
 */
export class OrderedMap<T extends OrderedItem> {
  readonly #byName = new NameMap<T>();
  /** Ascending by place; a number is the place of an item that is gone. */
  #order: (T | number)[] = [];
  /** Numbers in #order. The last element never is one. */
  #gaps = 0;
  /** How many items each block of #order has. */
  #counts: number[] = [];

  get size(): number {
    return this.#byName.size;
  }

  /** The last item by place; there must be one. */
  get last(): T {
    return this.#order[this.#order.length - 1] as T;
  }

  /** The place for a new item. */
  get nextPlace(): number {
    const last = this.#order.at(-1);
    return last === undefined ? 1 : placeOf(last) + 1;
  }

  get(name: Bytes): T | undefined {
    return this.#byName.get(name);
  }

  /** Adds a new item, whose place is behind all others. */
  add(item: T): void {
    item.index = this.#order.length;
    this.#order.push(item);
    this.#count(item.index);
    this.#byName.add(item.name, item);
  }

  remove(item: T): void {
    assert(this.#order[item.index] === item, "an item stands where it says");
    this.#byName.delete(item.name);
    this.#order[item.index] = item.n;
    this.#gaps += 1;
    this.#counts[item.index >> BLOCK_BITS] -= 1;
    while (this.#order.length > 0 && typeof this.#order.at(-1) === "number") {
      this.#order.pop();
      this.#gaps -= 1;
    }
    this.#counts.length = (this.#order.length + (1 << BLOCK_BITS) - 1) >> BLOCK_BITS;
    if (this.#gaps > GAPS_MIN && this.#gaps * 2 > this.#order.length) this.#close();
  }

  /** Every item, by place. Nothing may be changed meanwhile. */
  *values(): Iterable<T> {
    for (const item of this.#order) if (typeof item !== "number") yield item;
  }

  /** A page of up to `count` items with a place behind `cursor`. */
  scan(cursor: number, count: number): ElementPage {
    const elements: Bytes[] = [];
    let at = this.#search(cursor + 1);
    for (; at < this.#order.length && elements.length < count; at++) {
      const item = this.#order[at];
      if (typeof item !== "number") elements.push(item.name);
    }
    const isEnd = at >= this.#order.length;
    return { cursor: isEnd ? 0 : placeOf(this.#order[at - 1]), elements };
  }

  /** How many items each block of places has; there must be an item. */
  placeCounts(): PlaceCounts {
    const span = { first: placeOf(this.#order[0]), last: this.last.n };
    const counts = new PlaceCounts(span, this.size);
    if (this.#gaps === 0 && span.last - span.first + 1 === this.size) counts.fill();
    else for (const { n } of this.values()) counts.add(n);
    return counts;
  }

  /** An item, each equally likely, by the one number that is drawn; there must be one. */
  random(random: () => number): T {
    let left = Math.floor(random() * this.size);
    if (this.#gaps === 0) return this.#order[left] as T;
    let block = 0;
    while (left >= this.#counts[block]) left -= this.#counts[block++];
    for (let at = block << BLOCK_BITS;; at++) {
      const item = this.#order[at];
      if (typeof item !== "number" && left-- === 0) return item;
    }
  }

  /** Index of the first place at or behind `place`. */
  #search(place: number): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (placeOf(this.#order[middle]) < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #count(index: number): void {
    const block = index >> BLOCK_BITS;
    if (block === this.#counts.length) this.#counts.push(1);
    else this.#counts[block] += 1;
  }

  #close(): void {
    const order: T[] = [];
    this.#counts = [];
    for (const item of this.#order) {
      if (typeof item === "number") continue;
      item.index = order.length;
      order.push(item);
      this.#count(item.index);
    }
    this.#order = order;
    this.#gaps = 0;
  }
}

function placeOf(item: OrderedItem | number): number {
  return typeof item === "number" ? item : item.n;
}
