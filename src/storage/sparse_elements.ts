import type { Bytes } from "../base/bytes.ts";
import type { ElementChanges } from "./collection.ts";
import { type ElementRow, type ElementTables, type PlacedTableName } from "./element_tables.ts";
import { PlaceCounts } from "./place_counts.ts";

/** Rows read at a time. */
const PAGE_ROWS = 256;
/** Last elements that are remembered, so that the place behind them is known without a search. */
const TAIL_MAX = 1024;

/** Where the changes are that SQL does not have, or may not have yet; the newest first. */
export type Overlays = () => readonly (ElementChanges | undefined)[];

/** A row's name, and its place among the elements. */
const nameOf = (row: ElementRow) => row[0] as Bytes;
const placeOf = (row: ElementRow) => row[1] as number;

/**
 * The elements of a large collection that stay in SQL: one is read when it is asked for, and all in
 * the order of their places. What changed and is not written yet, or is being written, goes before
 * what SQL says, which may already have it or not.
 */
export class SparseElements {
  readonly #elements: ElementTables;
  readonly #table: PlacedTableName;
  readonly #owner: number;
  readonly #overlays: Overlays;
  /** Changed elements that are there, by place; made when it is asked for. */
  #changed: ElementRow[] | undefined;
  /** The last elements by place, as they were added; some may be gone. */
  #tail: ElementRow[] = [];
  /** Made when an element of some rank is asked for first. */
  #counts: PlaceCounts | undefined;

  constructor(elements: ElementTables, table: PlacedTableName, owner: number, overlays: Overlays) {
    this.#elements = elements;
    this.#table = table;
    this.#owner = owner;
    this.#overlays = overlays;
  }

  /** The row of an element: name, place, and what else its table has. */
  row(name: Bytes): ElementRow | undefined {
    for (const overlay of this.#overlays()) {
      const row = overlay?.get(name);
      if (row !== undefined) return isThere(row) ? row : undefined;
    }
    return this.#elements.one(this.#table, this.#owner, name);
  }

  /** The place for a new element: behind the last one that is there. */
  nextPlace(): number {
    for (let last = this.#tail.at(-1); last !== undefined; last = this.#tail.at(-1)) {
      const row = this.row(nameOf(last));
      if (row !== undefined) return placeOf(row) + 1;
      this.#tail.pop();
    }
    const last = this.#last();
    if (last === undefined) return 1;
    this.#tail.push(last);
    return placeOf(last) + 1;
  }

  /** Tells the last element and the counts of places, which need not be looked for then. */
  begin(last: ElementRow, counts: PlaceCounts | undefined): void {
    this.#tail.push(last);
    this.#counts = counts;
  }

  /** Notes that a new element was put at the place that `nextPlace` gave. */
  added(row: ElementRow): void {
    this.#counts?.add(placeOf(row));
    this.#tail.push(row);
    if (this.#tail.length > TAIL_MAX) this.#tail = this.#tail.slice(TAIL_MAX / 2);
  }

  /** Notes that an element is removed, whose row was this one. */
  removed(row: ElementRow): void {
    this.#counts?.add(placeOf(row), -1);
    if (this.#changed === undefined) return;
    const at = firstBehind(this.#changed, placeOf(row) - 1);
    const found = this.#changed[at];
    if (found !== undefined && placeOf(found) === placeOf(row)) this.#changed.splice(at, 1);
  }

  /** Notes that the overlays have another row for an element that is there. */
  put(row: ElementRow): void {
    if (this.#changed === undefined) return;
    const at = firstBehind(this.#changed, placeOf(row) - 1);
    const found = this.#changed[at];
    const isThere = found !== undefined && placeOf(found) === placeOf(row);
    this.#changed.splice(at, isThere ? 1 : 0, row);
  }

  /** Notes that the overlays have only a part of the rows that they had. */
  settled(): void {
    this.#changed = this.#changed?.filter((row) => this.#isChanged(nameOf(row)));
  }

  /** The row of the element of this rank, by place, of as many as there are. */
  ranked(rank: number, size: number): ElementRow {
    if (this.#counts === undefined || this.#counts.isStale) this.#counts = this.#count(size);
    const { after, skip } = this.#counts.find(rank);
    let left = skip;
    for (const row of this.rows(after, skip + 1)) if (left-- === 0) return row;
    throw new Error("Cannot find an element: the counts of its collection are wrong");
  }

  /** Counts the elements by place: what SQL has, in one go, and then what has changed. */
  #count(size: number): PlaceCounts {
    const elements = this.#elements;
    const [table, owner] = [this.#table, this.#owner];
    const changed = this.#sorted();
    const [first] = elements.page(table, owner, 0, 1);
    const [last] = elements.lastPage(table, owner, Infinity, 1);
    const places = [first, last, changed[0], changed[changed.length - 1]].filter(isRow).map(
      placeOf,
    );
    const counts = new PlaceCounts(
      { first: Math.min(...places), last: Math.max(...places) },
      size,
    );
    const names = new Set<string | number>();
    for (const overlay of this.#overlays()) {
      for (const name of overlay?.keys() ?? []) names.add(name);
    }
    const { span, bits } = counts;
    if (names.size === 0 && span.last - span.first + 1 === size) {
      counts.fill();
      return counts;
    }
    for (const { block, count } of elements.countPlaces(table, owner, span.first, bits)) {
      counts.put(block, count);
    }
    for (const name of names) {
      const row = elements.one(table, owner, name as Bytes);
      if (row !== undefined) counts.add(placeOf(row), -1);
    }
    for (const row of changed) counts.add(placeOf(row));
    return counts;
  }

  /** The elements with a place behind `after`, by place. Nothing may be changed meanwhile. */
  *rows(after = 0, pageRows = PAGE_ROWS): Iterable<ElementRow> {
    const changed = this.#sorted();
    let at = firstBehind(changed, after);
    for (let from = after;;) {
      const page = this.#elements.page(this.#table, this.#owner, from, pageRows);
      for (const row of page) {
        if (this.#isChanged(nameOf(row))) continue;
        while (at < changed.length && placeOf(changed[at]) < placeOf(row)) yield changed[at++];
        yield row;
      }
      if (page.length < pageRows) break;
      from = placeOf(page[page.length - 1]);
    }
    while (at < changed.length) yield changed[at++];
  }

  #last(): ElementRow | undefined {
    const changed = this.#sorted().at(-1);
    for (let before = Infinity;;) {
      const page = this.#elements.lastPage(this.#table, this.#owner, before, PAGE_ROWS);
      for (const row of page) {
        if (this.#isChanged(nameOf(row))) continue;
        return changed === undefined || placeOf(changed) < placeOf(row) ? row : changed;
      }
      if (page.length < PAGE_ROWS) return changed;
      before = placeOf(page[page.length - 1]);
    }
  }

  #isChanged(name: Bytes): boolean {
    for (const overlay of this.#overlays()) if (overlay?.has(name)) return true;
    return false;
  }

  #sorted(): ElementRow[] {
    if (this.#changed !== undefined) return this.#changed;
    const newest = new Map<string | number, ElementRow>();
    for (const overlay of this.#overlays()) {
      for (const [name, row] of overlay ?? []) if (!newest.has(name)) newest.set(name, row);
    }
    this.#changed = [...newest.values()].filter(isThere).sort((a, b) => placeOf(a) - placeOf(b));
    return this.#changed;
  }
}

function isRow(row: ElementRow | undefined): row is ElementRow {
  return row !== undefined;
}

/** A row of which there is only the key says that the element is gone. */
function isThere(row: ElementRow): boolean {
  return row.length > 1;
}

/** Index of the first row with a place behind `after`. */
function firstBehind(rows: readonly ElementRow[], after: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placeOf(rows[middle]) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
