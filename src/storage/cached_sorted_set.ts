import type { Bytes } from "../base/bytes.ts";
import type { CollectionHost } from "./collection.ts";
import type { ElementPage, ScoredMember, SortedSetOperations } from "./collections.ts";
import type { ElementRow } from "./element_tables.ts";
import { encodingLimits } from "./encoding_limits.ts";
import { NamedCollection } from "./named_collection.ts";
import { OrderedMap } from "./ordered_map.ts";
import type { ScoreBlock } from "./score_blocks.ts";
import { compareScored, ScoreOrder } from "./score_order.ts";
import type { SparseElements } from "./sparse_elements.ts";
import { SparseScores } from "./sparse_scores.ts";

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
export class CachedSortedSet extends NamedCollection implements SortedSetOperations {
  readonly type = "zset";
  #members = new OrderedMap<Member>();
  #order = new ScoreOrder<Member>();
  /** Made when a rank is asked for and the members are in SQL. */
  #scores: SparseScores | undefined;

  constructor(host: CollectionHost) {
    super(host, "listpack");
  }

  get size(): number {
    return this.elementCount;
  }

  protected get loadedSize(): number {
    return this.#members.size;
  }

  score(name: Bytes): number | undefined {
    if (this.sparse !== undefined) {
      const row = this.sparse.row(name);
      return row && Number(row[2]);
    }
    return this.#members.get(name)?.score;
  }

  set(name: Bytes, score: number): boolean {
    // -0 becomes 0, as in Redis's compact form.
    const value = score === 0 ? 0 : score;
    if (this.sparse !== undefined) return this.#setSparse(this.sparse, name, value);
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
    if (this.sparse !== undefined) return this.removeSparse(this.sparse, name);
    const member = this.#members.get(name);
    if (member === undefined) return false;
    this.#members.remove(member);
    this.#order.remove(member);
    this.mark(0, name, [name], -member.bytes);
    return true;
  }

  rank(name: Bytes): number | undefined {
    if (this.sparse !== undefined) {
      const score = this.score(name);
      if (score === undefined) return undefined;
      return this.#scoresOf().countWhile((other) => compareScored(other, { name, score }) < 0);
    }
    const member = this.#members.get(name);
    return member === undefined ? undefined : this.#order.rankOf(member);
  }

  countBelow(score: number, inclusive: boolean): number {
    return this.#countWhile(
      inclusive ? (member) => member.score <= score : (member) => member.score < score,
    );
  }

  countBefore(name: Bytes, inclusive: boolean): number {
    return this.#countWhile(
      inclusive ? (member) => member.name <= name : (member) => member.name < name,
    );
  }

  #countWhile(holds: (member: ScoredMember) => boolean): number {
    if (this.sparse !== undefined) return this.#scoresOf().countWhile(holds);
    return this.#order.countWhile(holds);
  }

  range(start: number, stop: number, reverse = false): Iterable<ScoredMember> {
    if (this.sparse === undefined) return this.#order.range(start, stop, reverse);
    return this.#scoresOf().range(start, Math.min(stop, this.size - 1), reverse);
  }

  #scoresOf(): SparseScores {
    return this.#scores ??= this.#makeScores();
  }

  #makeScores(blocks?: readonly ScoreBlock[]): SparseScores {
    return new SparseScores(this.host.elements, this.owner, () => this.overlays(0), blocks);
  }

  protected override changedSparse(
    old: ElementRow | undefined,
    row: ElementRow | undefined,
  ): void {
    this.#scores?.noted(old, row);
  }

  override settled(): void {
    super.settled();
    this.#scores?.settled();
  }

  scan(cursor: number, count: number): ElementPage {
    if (this.sparse !== undefined) return this.scanSparse(this.sparse, cursor, count);
    return this.#members.scan(cursor, count);
  }

  copyTo(other: this): void {
    if (this.sparse === undefined) {
      for (const { name, score } of this.#members.values()) other.set(name, score);
    } else {
      for (const [name, , score] of this.sparse.rows()) other.set(name as Bytes, Number(score));
    }
    other.encoding = this.encoding;
  }

  override release(): void {
    super.release();
    this.#scores = undefined;
    this.encoding = "listpack";
  }

  override shed(elementsMax: number): boolean {
    const isLarge = this.isLoaded && this.hasRows && this.elementCount > elementsMax;
    const blocks = isLarge ? this.#order.blocks() : [];
    if (!super.shed(elementsMax)) return false;
    this.#scores = this.#makeScores(blocks);
    return true;
  }

  protected get lastRow(): ElementRow {
    const { name, n, score } = this.#members.last;
    return [name, n, score];
  }

  protected forget(): void {
    this.#members = new OrderedMap<Member>();
    this.#order = new ScoreOrder<Member>();
  }

  protected fillRows(rows: readonly ElementRow[]): void {
    const members = rows.map(([name, n, score]) =>
      new Member(name as Bytes, Number(n), Number(score))
    );
    for (const member of members) {
      this.#members.add(member);
      this.bytes += member.bytes;
    }
    this.#order.fill(members);
  }

  #setSparse(sparse: SparseElements, name: Bytes, score: number): boolean {
    const old = sparse.row(name);
    if (old !== undefined && Number(old[2]) === score) return false;
    if (this.encoding === "listpack" && old === undefined && isLarge(this.size + 1, name)) {
      this.encoding = "skiplist";
    }
    return this.putSparse(sparse, name, score);
  }
}

function isLarge(size: number, name: Bytes): boolean {
  return size > encodingLimits.zsetEntries || name.length > encodingLimits.zsetValueBytes;
}
