import type { Bytes } from "../base/bytes.ts";
import { CHUNK_MAX, ChunkedList } from "./chunked_list.ts";
import { Collection, type CollectionChanges, type CollectionHost } from "./collection.ts";
import type { ListEnd, ListOperations } from "./collections.ts";
import { bytesOf, type ElementTables } from "./element_tables.ts";
import type { RunSlice, UnreadRun } from "./list_chunk.ts";

/** Bytes an element takes in memory beside its value, about. */
const ELEMENT_OVERHEAD_BYTES = 48;

/** One that was left to SQL as far as it went is, again, when it has grown by so much. */
const SHED_BYTES_MIN = 256 * 1024;
/** Elements that are left to SQL at a time. */
const SHED_ELEMENTS = 65_536;

/**
 * A list in memory. A row is named by the element's position. Of a large one that SQL has, only the
 * ends are read, and what is changed.
 */
export class CachedList extends Collection implements ListOperations {
  readonly type = "list";
  readonly #list = new ChunkedList({
    read: (run, slice) => this.#read(run, slice),
    loaded: (values) => this.#holdValues(values, 1),
  });
  /** What changed before this epoch of the list is in SQL. */
  #cleanBelow = 1;
  /** Memory from which on `shed` looks whether there is something to leave to SQL. */
  #shedAbove = 0;

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

  override prepare(elementsMax: number): void {
    if (this.isLoaded || this.elementCount <= elementsMax) return super.prepare(elementsMax);
    const chunkMax = Math.min(CHUNK_MAX, Math.max(2, elementsMax >> 4));
    this.#list.stand(this.elementCount, chunkMax);
    this.isLoaded = true;
  }

  override shed(elementsMax: number): boolean {
    if (!this.isLoaded || !this.hasRows || this.length <= elementsMax) return false;
    if (this.bytes < this.#shedAbove) return false;
    const gone = this.#list.shed(this.#cleanBelow, SHED_ELEMENTS);
    this.#holdValues(gone, -1);
    if (gone.length < SHED_ELEMENTS) this.#shedAbove = this.bytes + SHED_BYTES_MIN;
    return gone.length > 0;
  }

  override get isSparse(): boolean {
    return this.#list.isPartial;
  }

  override takeChanges(): CollectionChanges {
    this.#list.epoch += 1;
    return super.takeChanges();
  }

  override settled(): void {
    super.settled();
    this.#cleanBelow = this.#list.epoch;
    this.#shedAbove = 0;
  }

  #read({ first, last }: UnreadRun, slice: RunSlice): [number, Bytes][] {
    const rows = this.host.elements.slice("list", this.owner, [first], [last], slice);
    return rows.map((row) => [Number(row.position), bytesOf(row.value)]);
  }

  #holdValues(values: readonly Bytes[], sign: 1 | -1): void {
    let bytes = 0;
    for (const value of values) bytes += bytesOfElement(value);
    this.bytes += sign * bytes;
    this.keyspace?.hold(sign * bytes);
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
