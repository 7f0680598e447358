import type { Bytes } from "../base/bytes.ts";
import type { CollectionHost } from "./collection.ts";
import type { ElementPage, HashField, HashOperations } from "./collections.ts";
import type { ElementRow } from "./element_tables.ts";
import { encodingLimits } from "./encoding_limits.ts";
import { ExpiryHeap } from "./expiry_heap.ts";
import { NamedCollection } from "./named_collection.ts";
import { OrderedMap } from "./ordered_map.ts";
import type { PlaceCounts } from "./place_counts.ts";
import { NO_EXPIRY } from "./redis_operations.ts";
import { timeFromSql, timeToSql } from "./sql_time.ts";

/** Bytes a field takes in memory beside its name and value, about. */
const FIELD_OVERHEAD_BYTES = 300;

class Field implements HashField {
  readonly name: Bytes;
  readonly n: number;
  value: Bytes;
  expireAtMs: number;
  index = 0;
  heapIndex = -1;

  constructor(name: Bytes, n: number, value: Bytes, expireAtMs: number) {
    this.name = name;
    this.n = n;
    this.value = value;
    this.expireAtMs = expireAtMs;
  }

  get id(): number {
    return this.n;
  }

  get dueAtMs(): number {
    return this.expireAtMs;
  }

  get bytes(): number {
    return FIELD_OVERHEAD_BYTES + this.name.length + this.value.length;
  }
}

/** A hash in memory. */
export class CachedHash extends NamedCollection implements HashOperations {
  readonly type = "hash";
  #fields = new OrderedMap<Field>();
  readonly #expiring = new ExpiryHeap<Field>();

  constructor(host: CollectionHost) {
    super(host, "listpack");
  }

  get size(): number {
    return this.elementCount;
  }

  protected get loadedSize(): number {
    return this.#fields.size;
  }

  protected override get loadedNextExpiryMs(): number {
    return this.#expiring.top === undefined ? NO_EXPIRY : this.#expiring.top.expireAtMs;
  }

  get(name: Bytes): HashField | undefined {
    if (this.sparse !== undefined) {
      const row = this.sparse.row(name);
      return row && { value: row[2] as Bytes, expireAtMs: NO_EXPIRY };
    }
    return this.#fields.get(name);
  }

  set(name: Bytes, value: Bytes, expireAtMs: number): boolean {
    if (expireAtMs !== NO_EXPIRY) this.whole();
    if (this.sparse !== undefined) {
      if (this.encoding === "listpack") {
        this.#grow(this.size + (this.sparse.row(name) === undefined ? 1 : 0), name, value);
      }
      return this.putSparse(this.sparse, name, value, null);
    }
    let field = this.#fields.get(name);
    const isNew = field === undefined;
    let heldBytes = 0;
    if (field === undefined) {
      field = new Field(name, this.#fields.nextPlace, value, NO_EXPIRY);
      this.#fields.add(field);
      heldBytes = field.bytes;
    } else {
      heldBytes = value.length - field.value.length;
      field.value = value;
    }
    this.#setExpiry(field, expireAtMs);
    this.#grow(this.size, name, value);
    this.mark(0, name, [name, field.n, value, timeToSql(expireAtMs)], heldBytes);
    return isNew;
  }

  remove(name: Bytes): boolean {
    if (this.sparse !== undefined) return this.removeSparse(this.sparse, name);
    const field = this.#fields.get(name);
    if (field === undefined) return false;
    this.#fields.remove(field);
    if (field.heapIndex >= 0) this.#expiring.remove(field);
    this.mark(0, name, [name], -field.bytes);
    return true;
  }

  *entries(): Iterable<readonly [Bytes, HashField]> {
    if (this.sparse !== undefined) {
      for (const [name, , value] of this.sparse.rows()) {
        yield [name as Bytes, { value: value as Bytes, expireAtMs: NO_EXPIRY }];
      }
      return;
    }
    for (const field of this.#fields.values()) yield [field.name, field];
  }

  scan(cursor: number, count: number): ElementPage {
    if (this.sparse !== undefined) return this.scanSparse(this.sparse, cursor, count);
    return this.#fields.scan(cursor, count);
  }

  random(random: () => number): Bytes {
    if (this.sparse !== undefined) return this.randomSparse(this.sparse, random);
    return this.#fields.random(random).name;
  }

  expired(timeMs: number, limit: number): readonly Bytes[] {
    return this.#expiring.due(timeMs, limit).map(({ name }) => name);
  }

  copyTo(other: this): void {
    other.encoding = this.encoding;
    for (const [name, { value, expireAtMs }] of this.entries()) {
      other.set(name, value, expireAtMs);
    }
  }

  override release(): void {
    super.release();
    this.encoding = "listpack";
  }

  protected override placeCounts(): PlaceCounts {
    return this.#fields.placeCounts();
  }

  protected get lastRow(): ElementRow {
    const { name, n, value } = this.#fields.last;
    return [name, n, value, null];
  }

  protected forget(): void {
    this.#fields = new OrderedMap<Field>();
  }

  protected fillRows(rows: readonly ElementRow[]): void {
    for (const [name, n, value, expireAtMs] of rows) {
      const field = new Field(name as Bytes, Number(n), value as Bytes, NO_EXPIRY);
      this.#fields.add(field);
      this.#setExpiry(field, timeFromSql(expireAtMs));
      this.bytes += field.bytes;
    }
  }

  #grow(size: number, name: Bytes, value: Bytes): void {
    if (this.encoding === "listpack" && isLarge(size, name, value)) this.encoding = "hashtable";
  }

  #setExpiry(field: Field, expireAtMs: number): void {
    if (field.heapIndex >= 0) this.#expiring.remove(field);
    field.expireAtMs = expireAtMs;
    if (expireAtMs !== NO_EXPIRY) this.#expiring.push(field);
  }
}

function isLarge(size: number, name: Bytes, value: Bytes): boolean {
  const { hashEntries, hashValueBytes } = encodingLimits;
  return size > hashEntries || name.length > hashValueBytes || value.length > hashValueBytes;
}
