import type { Bytes } from "../../src/base/bytes.ts";
import type {
  ElementPage,
  ScoredMember,
  SortedSetOperations,
} from "../../src/storage/collections.ts";
import { ModelCollection } from "./model_collection.ts";

/** A sorted set as a plain Map that is sorted for each question. */
export class ModelSortedSet extends ModelCollection implements SortedSetOperations {
  readonly type = "zset";
  #scores = new Map<Bytes, number>();

  get count(): number {
    return this.#scores.size;
  }

  get size(): number {
    return this.#scores.size;
  }

  score(member: Bytes): number | undefined {
    return this.#scores.get(member);
  }

  set(member: Bytes, score: number): boolean {
    const before = this.#scores.get(member);
    if (before === score) return false;
    this.#scores.set(member, score === 0 ? 0 : score);
    this.changed();
    return before === undefined;
  }

  remove(member: Bytes): boolean {
    if (!this.#scores.delete(member)) return false;
    this.changed();
    return true;
  }

  rank(member: Bytes): number | undefined {
    const rank = this.#sorted().findIndex(({ name }) => name === member);
    return rank < 0 ? undefined : rank;
  }

  countBelow(limit: number, inclusive: boolean): number {
    return this.#sorted().filter(({ score }) => inclusive ? score <= limit : score < limit).length;
  }

  countBefore(limit: Bytes, inclusive: boolean): number {
    return this.#sorted().filter(({ name }) => inclusive ? name <= limit : name < limit).length;
  }

  range(start: number, stop: number, reverse?: boolean): Iterable<ScoredMember> {
    const part = start > stop ? [] : this.#sorted().slice(start, stop + 1);
    return reverse ? part.reverse() : part;
  }

  scan(): ElementPage {
    return { cursor: 0, elements: [...this.#scores.keys()] };
  }

  clone(): ModelSortedSet {
    const clone = new ModelSortedSet();
    clone.#scores = new Map(this.#scores);
    return clone;
  }

  #sorted(): ScoredMember[] {
    const members = [...this.#scores].map(([name, score]) => ({ name, score }));
    return members.sort((a, b) =>
      a.score === b.score ? (a.name < b.name ? -1 : 1) : (a.score < b.score ? -1 : 1)
    );
  }
}
