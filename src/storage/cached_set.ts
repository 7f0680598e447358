import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { Collection, type CollectionHost } from "./collection.ts";
import type { ElementPage, SetOperations } from "./collections.ts";
import { bytesOf, type ElementTables } from "./element_tables.ts";
import { encodingLimits } from "./encoding_limits.ts";
import { type OrderedItem, OrderedMap } from "./ordered_map.ts";

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
export class CachedSet extends Collection implements SetOperations {
  readonly type = "set";
  readonly #members = new OrderedMap<Member>();

  constructor(host: CollectionHost) {
    super(host, "intset");
  }

  get size(): number {
    return this.#members.size;
  }

  protected get loadedSize(): number {
    return this.#members.size;
  }

  has(name: Bytes): boolean {
    return this.#members.get(name) !== undefined;
  }

  add(name: Bytes): boolean {
    if (this.#members.get(name) !== undefined) return false;
    const member = new Member(name, this.#members.nextPlace);
    this.#members.add(member);
    if (this.encoding === "intset") {
      const isFull = this.size > encodingLimits.setIntegers;
      if (isFull || parseInt64(name) === undefined) this.encoding = "hashtable";
    }
    this.mark(0, name, [name, member.n], member.bytes);
    return true;
  }

  remove(name: Bytes): boolean {
    const member = this.#members.get(name);
    if (member === undefined) return false;
    this.#members.remove(member);
    this.mark(0, name, [name], -member.bytes);
    return true;
  }

  *members(): Iterable<Bytes> {
    for (const { name } of this.#members.values()) yield name;
  }

  scan(cursor: number, count: number): ElementPage {
    return this.#members.scan(cursor, count);
  }

  random(random: () => number): Bytes {
    return this.#members.random(random).name;
  }

  copyTo(other: this): void {
    other.encoding = this.encoding;
    for (const { name } of this.#members.values()) other.add(name);
  }

  override release(): void {
    super.release();
    this.encoding = "intset";
  }

  protected fill(elements: ElementTables): void {
    const rows = elements.read("set", this.owner);
    rows.sort((a, b) => Number(a.n) - Number(b.n));
    for (const row of rows) {
      const member = new Member(bytesOf(row.member), Number(row.n));
      this.#members.add(member);
      this.bytes += member.bytes;
    }
  }
}
