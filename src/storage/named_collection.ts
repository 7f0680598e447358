import { Collection } from "./collection.ts";
import type { ElementPage } from "./collections.ts";
import type { Bytes } from "../base/bytes.ts";
import type { ElementRow, PlacedTableName } from "./element_tables.ts";
import type { PlaceCounts } from "./place_counts.ts";
import { NO_EXPIRY } from "./redis_operations.ts";
import { SparseElements } from "./sparse_elements.ts";

/**
 * A collection whose elements have a name and a place. A large one is not read into memory to be
 * used: its elements stay in SQL (`sparse`), until a call needs all of them (`whole`).
 */
export abstract class NamedCollection extends Collection {
  abstract override readonly type: PlacedTableName;
  /** Undefined while the elements are in memory, or nothing was asked for yet. */
  protected sparse: SparseElements | undefined;

  /** The row of the last element in memory; there is one. */
  protected abstract readonly lastRow: ElementRow;

  /** How many elements in memory each block of places has, where such counts are of use. */
  protected placeCounts(): PlaceCounts | undefined {
    return undefined;
  }

  /** Lets go of the elements in memory: its structures become empty ones. */
  protected abstract forget(): void;

  /** Has it answer: from SQL when it has more elements than `elementsMax`, else from memory. */
  override prepare(elementsMax: number): void {
    if (this.isLoaded || this.sparse !== undefined) return;
    if (this.elementCount > elementsMax && this.nextExpiryMs === NO_EXPIRY) this.#thin();
    else this.whole();
  }

  /** Leaves a large collection to SQL, but for its changes; false when it cannot be left. */
  override shed(elementsMax: number): boolean {
    if (!this.isLoaded || !this.hasRows) return false;
    if (this.elementCount <= elementsMax || this.nextExpiryMs !== NO_EXPIRY) return false;
    const last = this.lastRow;
    const counts = this.placeCounts();
    this.unload(this.owner, this.encoding, this.elementCount, NO_EXPIRY);
    this.forget();
    this.#thin().begin(last, counts);
    this.dropBytes();
    return true;
  }

  override get isSparse(): boolean {
    return this.sparse !== undefined;
  }

  override release(): void {
    if (!this.isLoaded) this.forget();
    this.isLoaded = true;
    this.sparse = undefined;
    super.release();
  }

  override settled(): void {
    super.settled();
    this.sparse?.settled();
  }

  /** Has all elements in memory. */
  protected whole(): void {
    if (this.isLoaded) return;
    const rows = this.sparse === undefined ? undefined : [...this.sparse.rows()];
    this.sparse = undefined;
    this.isLoaded = true;
    const before = this.bytes;
    this.fillRows(rows ?? this.#stored());
    this.keyspace?.hold(this.bytes - before);
  }

  /** Fills an empty collection with rows in the order of places, without `mark`; counts bytes. */
  protected abstract fillRows(rows: readonly ElementRow[]): void;

  protected fill(): void {
    this.fillRows(this.#stored());
  }

  /** Puts an element that is in SQL alone: in its place, or behind the last. True when it is new. */
  protected putSparse(sparse: SparseElements, name: Bytes, ...rest: ElementRow): boolean {
    const old = sparse.row(name);
    const row = [name, old === undefined ? sparse.nextPlace() : old[1], ...rest];
    if (old === undefined) {
      sparse.added(row);
      this.countStored(1);
    }
    this.changedSparse(old, row);
    this.markSparse(row);
    return old === undefined;
  }

  protected removeSparse(sparse: SparseElements, name: Bytes): boolean {
    const row = sparse.row(name);
    if (row === undefined) return false;
    sparse.removed(row);
    this.changedSparse(row, undefined);
    this.countStored(-1);
    this.markSparse([name]);
    return true;
  }

  /** Is told of each element that changes in SQL alone. */
  protected changedSparse(_old: ElementRow | undefined, _row: ElementRow | undefined): void {}

  /** Notes a changed row; once the key is gone, `sparse` is. */
  protected markSparse(row: ElementRow): void {
    if (row.length > 1) this.sparse?.put(row);
    this.mark(0, row[0] as Bytes, row, 0);
  }

  /** A name of any element, by the one number that is drawn, as OrderedMap.random has it. */
  protected randomSparse(sparse: SparseElements, random: () => number): Bytes {
    const size = this.elementCount;
    return sparse.ranked(Math.floor(random() * size), size)[0] as Bytes;
  }

  protected scanSparse(sparse: SparseElements, cursor: number, count: number): ElementPage {
    const elements: Bytes[] = [];
    let place = cursor;
    for (const row of sparse.rows(cursor, count + 1)) {
      if (elements.length === count) return { cursor: place, elements };
      elements.push(row[0] as Bytes);
      place = row[1] as number;
    }
    return { cursor: 0, elements };
  }

  #thin(): SparseElements {
    const { elements } = this.host;
    return this.sparse = new SparseElements(
      elements,
      this.type,
      this.owner,
      () => this.overlays(0),
    );
  }

  #stored(): readonly ElementRow[] {
    const rows = this.host.elements.rows(this.type, this.owner);
    return rows.sort((a, b) => (a[1] as number) - (b[1] as number));
  }
}
