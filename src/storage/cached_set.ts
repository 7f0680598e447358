import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import type { CollectionHost } from "./collection.ts";
import type { ElementPage, SetOperations } from "./collections.ts";
import type { ElementRow } from "./element_tables.ts";
import { encodingLimits } from "./encoding_limits.ts";
import { NamedCollection } from "./named_collection.ts";
import { type OrderedItem, OrderedMap } from "./ordered_map.ts";
import type { PlaceCounts } from "./place_counts.ts";

/** Bytes a member takes in memory beside its name, about. */
const MEMBER_OVERHEAD_BYTES = 200;

class Member implements OrderedItem {
  readonly name: Bytes;
  readonly n: number;
  index = 0;

  constructor(name: Bytes, n: number) {
    this.name = name;
    this.n = n;
  }

  get bytes(): number {
    return MEMBER_OVERHEAD_BYTES + this.name.length;
  }
}

/** A set in memory. */
export class CachedSet extends NamedCollection implements SetOperations {
  readonly type = "set";
  #members = new OrderedMap<Member>();

  constructor(host: CollectionHost) {
    super(host, "intset");
  }

  get size(): number {
    return this.elementCount;
  }

  protected get loadedSize(): number {
    return this.#members.size;
  }

  has(name: Bytes): boolean {
    if (this.sparse !== undefined) return this.sparse.row(name) !== undefined;
    return this.#members.get(name) !== undefined;
  }

  add(name: Bytes): boolean {
    if (this.sparse !== undefined) {
      if (this.sparse.row(name) !== undefined) return false;
      this.#grow(this.size + 1, name);
      return this.putSparse(this.sparse, name);
    }
    if (this.#members.get(name) !== undefined) return false;
    const member = new Member(name, this.#members.nextPlace);
    this.#members.add(member);
    this.#grow(this.size, name);
    this.mark(0, name, [name, member.n], member.bytes);
    return true;
  }

  remove(name: Bytes): boolean {
    if (this.sparse !== undefined) return this.removeSparse(this.sparse, name);
    const member = this.#members.get(name);
    if (member === undefined) return false;
    this.#members.remove(member);
    this.mark(0, name, [name], -member.bytes);
    return true;
  }

  *members(): Iterable<Bytes> {
    if (this.sparse !== undefined) {
      for (const [name] of this.sparse.rows()) yield name as Bytes;
      return;
    }
    for (const { name } of this.#members.values()) yield name;
  }

  scan(cursor: number, count: number): ElementPage {
    if (this.sparse !== undefined) return this.scanSparse(this.sparse, cursor, count);
    return this.#members.scan(cursor, count);
  }

  random(random: () => number): Bytes {
    if (this.sparse !== undefined) return this.randomSparse(this.sparse, random);
    return this.#members.random(random).name;
  }

  copyTo(other: this): void {
    other.encoding = this.encoding;
    for (const name of this.members()) other.add(name);
  }

  override release(): void {
    super.release();
    this.encoding = "intset";
  }

  protected override placeCounts(): PlaceCounts {
    return this.#members.placeCounts();
  }

  protected get lastRow(): ElementRow {
    const { name, n } = this.#members.last;
    return [name, n];
  }

  protected forget(): void {
    this.#members = new OrderedMap<Member>();
  }

  protected fillRows(rows: readonly ElementRow[]): void {
    for (const [name, n] of rows) {
      const member = new Member(name as Bytes, Number(n));
      this.#members.add(member);
      this.bytes += member.bytes;
    }
  }

  #grow(size: number, name: Bytes): void {
    if (this.encoding !== "intset") return;
    const isFull = size > encodingLimits.setIntegers;
    if (isFull || parseInt64(name) === undefined) this.encoding = "hashtable";
  }
}
