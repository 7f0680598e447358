import type { Bytes } from "../base/bytes.ts";
import { Collection, type CollectionHost } from "./collection.ts";
import type { ElementPage, ScoredMember, SortedSetOperations } from "./collections.ts";
import { bytesOf, type ElementTables } from "./element_tables.ts";
import { encodingLimits } from "./encoding_limits.ts";
import { OrderedMap } from "./ordered_map.ts";
import { ScoreOrder } from "./score_order.ts";

/** Bytes a member takes in memory beside its name, about. */
const MEMBER_OVERHEAD_BYTES = 200;

class Member implements ScoredMember {
  readonly name: Bytes;
  readonly n: number;
  score: number;
  index = 0;

  constructor(name: Bytes, n: number, score: number) {
    this.name = name;
    this.n = n;
    this.score = score;
  }

  get bytes(): number {
    return MEMBER_OVERHEAD_BYTES + this.name.length;
  }
}

/** A sorted set in memory: members by name, in the order of scores, and in that of their places. */
export class CachedSortedSet extends Collection implements SortedSetOperations {
  readonly type = "zset";
  readonly #members = new OrderedMap<Member>();
  readonly #order = new ScoreOrder<Member>();

  constructor(host: CollectionHost) {
    super(host, "listpack");
  }

  get size(): number {
    return this.#members.size;
  }

  protected get loadedSize(): number {
    return this.#members.size;
  }

  score(name: Bytes): number | undefined {
    return this.#members.get(name)?.score;
  }

  set(name: Bytes, score: number): boolean {
    // -0 becomes 0, as in Redis's compact form.
    const value = score === 0 ? 0 : score;
    let member = this.#members.get(name);
    const isNew = member === undefined;
    if (member === undefined) {
      member = new Member(name, this.#members.nextPlace, value);
      this.#members.add(member);
      if (this.encoding === "listpack" && isLarge(this.size, name)) this.encoding = "skiplist";
    } else {
      if (member.score === value) return false;
      this.#order.remove(member);
      member.score = value;
    }
    this.#order.insert(member);
    this.mark(0, name, [name, member.n, value], isNew ? member.bytes : 0);
    return isNew;
  }

  remove(name: Bytes): boolean {
    const member = this.#members.get(name);
    if (member === undefined) return false;
    this.#members.remove(member);
    this.#order.remove(member);
    this.mark(0, name, [name], -member.bytes);
    return true;
  }

  rank(name: Bytes): number | undefined {
    const member = this.#members.get(name);
    return member === undefined ? undefined : this.#order.rankOf(member);
  }

  countBelow(score: number, inclusive: boolean): number {
    return this.#order.countWhile(
      inclusive ? (member) => member.score <= score : (member) => member.score < score,
    );
  }

  countBefore(name: Bytes, inclusive: boolean): number {
    return this.#order.countWhile(
      inclusive ? (member) => member.name <= name : (member) => member.name < name,
    );
  }

  range(start: number, stop: number, reverse?: boolean): Iterable<ScoredMember> {
    return this.#order.range(start, stop, reverse);
  }

  scan(cursor: number, count: number): ElementPage {
    return this.#members.scan(cursor, count);
  }

  copyTo(other: this): void {
    for (const { name, score } of this.#members.values()) other.set(name, score);
    other.encoding = this.encoding;
  }

  override release(): void {
    super.release();
    this.encoding = "listpack";
  }

  protected fill(elements: ElementTables): void {
    const members = elements.read("zset", this.owner).map((row) =>
      new Member(bytesOf(row.member), Number(row.n), Number(row.score))
    );
    members.sort((a, b) => a.n - b.n);
    for (const member of members) {
      this.#members.add(member);
      this.bytes += member.bytes;
    }
    this.#order.fill(members);
  }
}

function isLarge(size: number, name: Bytes): boolean {
  return size > encodingLimits.zsetEntries || name.length > encodingLimits.zsetValueBytes;
}
