import type { Bytes } from "../base/bytes.ts";
import { ChunkedList } from "./chunked_list.ts";
import { Collection, type CollectionHost } from "./collection.ts";
import type { ListEnd, ListOperations } from "./collections.ts";
import { bytesOf, type ElementTables } from "./element_tables.ts";

/** Bytes an element takes in memory beside its value, about. */
const ELEMENT_OVERHEAD_BYTES = 48;

/** A list in memory. A row is named by the element's position. */
export class CachedList extends Collection implements ListOperations {
  readonly type = "list";
  readonly #list = new ChunkedList();

  constructor(host: CollectionHost) {
    super(host, "quicklist");
  }

  get length(): number {
    return this.#list.length;
  }

  protected get loadedSize(): number {
    return this.#list.length;
  }

  at(index: number): Bytes {
    return this.#list.at(index);
  }

  range(start: number, stop: number): Bytes[] {
    return this.#list.range(start, stop);
  }

  values(start: number, reverse = false): Iterable<Bytes> {
    return this.#list.values(start, reverse);
  }

  replace(index: number, value: Bytes): void {
    const heldBytes = value.length - this.#list.at(index).length;
    this.#list.replace(index, value);
    const position = this.#list.positionAt(index);
    this.mark(0, position, [position, value], heldBytes);
  }

  push(end: ListEnd, value: Bytes): void {
    const position = end === "head" ? this.#list.unshift(value) : this.#list.push(value);
    this.mark(0, position, [position, value], bytesOfElement(value));
  }

  pop(end: ListEnd): Bytes {
    const position = end === "head" ? this.#list.firstPosition : this.#list.lastPosition;
    const value = end === "head" ? this.#list.shift() : this.#list.pop();
    this.mark(0, position, [position], -bytesOfElement(value));
    return value;
  }

  insert(index: number, value: Bytes): void {
    if (index === 0) return this.push("head", value);
    if (index === this.length) return this.push("tail", value);
    let position = this.#list.roomBefore(index);
    if (position === undefined) {
      const moved = this.#list.spread(index);
      // All that go before any that come: one may come to where another was.
      for (const { from } of moved) this.mark(0, from, [from], 0);
      for (const { to, value } of moved) this.mark(0, to, [to, value], 0);
      position = this.#list.roomBefore(index) as number;
    }
    this.#list.insert(index, position, value);
    this.mark(0, position, [position, value], bytesOfElement(value));
  }

  removeEqual(value: Bytes, limit: number, reverse: boolean): number {
    const positions = this.#list.removeEqual(value, limit, reverse);
    const heldBytes = -bytesOfElement(value);
    if (this.length > 0) {
      for (const position of positions) this.mark(0, position, [position], heldBytes);
    } else if (positions.length > 0) {
      // The key goes, and all rows with it.
      const [position] = positions;
      this.mark(0, position, [position], heldBytes * positions.length);
    }
    return positions.length;
  }

  copyTo(other: this): void {
    for (const value of this.#list.values(0)) other.push("tail", value);
  }

  protected fill(elements: ElementTables): void {
    for (const row of elements.read("list", this.owner)) {
      const value = bytesOf(row.value);
      this.#list.append(Number(row.position), value);
      this.bytes += bytesOfElement(value);
    }
  }
}

function bytesOfElement(value: Bytes): number {
  return ELEMENT_OVERHEAD_BYTES + value.length;
}
