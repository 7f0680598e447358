import type { Bytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import type { ElementPage } from "./collections.ts";

/** What an OrderedMap holds. */
export interface OrderedItem {
  readonly name: Bytes;
  /** Its place: ascending in the order of the map, stored with it. */
  readonly n: number;
  /** Where it stands in the map's array. */
  index: number;
}

/** Draws before `pick` takes the next one behind a gap. */
const PICK_TRIES = 64;
/** Gaps that are always left. */
const GAPS_MIN = 32;

/**
 * Items by name, and in the order of their places. A new item gets the place behind the last one
 * that is there, so what `pick` and `scan` answer depends on the items alone and not on those that
 * are gone.
 */
export class OrderedMap<T extends OrderedItem> {
  readonly #byName = new Map<Bytes, T>();
  /** Ascending by place; a number is the place of an item that is gone. */
  #order: (T | number)[] = [];
  /** Numbers in #order. The last element never is one. */
  #gaps = 0;

  get size(): number {
    return this.#byName.size;
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
    this.#byName.set(item.name, item);
  }

  remove(item: T): void {
    assert(this.#order[item.index] === item, "an item stands where it says");
    this.#byName.delete(item.name);
    this.#order[item.index] = item.n;
    this.#gaps += 1;
    while (this.#order.length > 0 && typeof this.#order.at(-1) === "number") {
      this.#order.pop();
      this.#gaps -= 1;
    }
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

  /** An item, each equally likely; there must be one. */
  random(random: () => number): T {
    for (;;) {
      const item = this.#order[Math.floor(random() * this.#order.length)];
      if (typeof item !== "number") return item;
    }
  }

  /** An item, chosen by the numbers and the places alone; there must be one. */
  pick(random: () => number): T {
    const first = placeOf(this.#order[this.#firstIndex()]);
    const span = this.nextPlace - first;
    let at = 0;
    for (let tries = 0; tries < PICK_TRIES; tries++) {
      const place = first + Math.floor(random() * span);
      at = this.#search(place);
      const item = this.#order[at];
      if (typeof item !== "number" && item.n === place) return item;
    }
    for (;; at++) {
      const item = this.#order[at];
      if (typeof item !== "number") return item;
    }
  }

  #firstIndex(): number {
    let at = 0;
    while (typeof this.#order[at] === "number") at++;
    return at;
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

  #close(): void {
    const order: T[] = [];
    for (const item of this.#order) {
      if (typeof item === "number") continue;
      item.index = order.length;
      order.push(item);
    }
    this.#order = order;
    this.#gaps = 0;
  }
}

function placeOf(item: OrderedItem | number): number {
  return typeof item === "number" ? item : item.n;
}
