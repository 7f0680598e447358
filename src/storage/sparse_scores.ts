import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import type { ScoredMember } from "./collections.ts";
import type { ElementRow, ElementTables } from "./element_tables.ts";
import { FIRST_MEMBER, type ScoreBlock, ScoreBlocks } from "./score_blocks.ts";
import { compareScored } from "./score_order.ts";
import type { Overlays } from "./sparse_elements.ts";

/** Members that SQL passes over from the first of a block to the first of the next. */
const HOP = 512;

/**
 * The members of a large sorted set that stay in SQL, in the order of scores. Blocks tell ranks; of
 * a block SQL has some members, and what changed goes before that, as in SparseElements.
 */
export class SparseScores {
  readonly #elements: ElementTables;
  readonly #owner: number;
  readonly #overlays: Overlays;
  readonly #blocks: ScoreBlocks;
  /** Changed members that are there, in order; made when it is asked for. */
  #changed: ScoredMember[] | undefined;
  /** What was read last: the first of the block, and its members. */
  #recent: { readonly first: ScoreBlock; readonly members: readonly ScoredMember[] } | undefined;

  /** `blocks`: how they are now, if that is known. */
  constructor(
    elements: ElementTables,
    owner: number,
    overlays: Overlays,
    blocks?: readonly ScoreBlock[],
  ) {
    this.#elements = elements;
    this.#owner = owner;
    this.#overlays = overlays;
    this.#blocks = new ScoreBlocks(blocks ?? this.#storedBlocks());
    if (blocks !== undefined) return;
    for (const name of this.#newest().keys()) {
      const row = elements.one("zset", owner, name as Bytes);
      if (row !== undefined) this.#blocks.add(memberOf(row), -1);
    }
    for (const member of this.#sorted()) this.#blocks.add(member, 1);
  }

  /** Notes that a member's row is another one now, or is new or gone. */
  noted(old: ElementRow | undefined, row: ElementRow | undefined): void {
    this.#recent = undefined;
    const changed = this.#changed;
    if (old !== undefined) {
      const member = memberOf(old);
      this.#blocks.add(member, -1);
      const at = changed === undefined ? 0 : firstFrom(changed, member);
      if (changed?.[at]?.name === member.name) changed.splice(at, 1);
    }
    if (row === undefined) return;
    const member = memberOf(row);
    this.#blocks.add(member, 1);
    changed?.splice(firstFrom(changed, member), 0, member);
  }

  /** Notes that the overlays have only a part of the rows that they had. */
  settled(): void {
    this.#changed = this.#changed?.filter(({ name }) => this.#isChanged(name));
  }

  /** How many members, from the first on, fulfil a condition that all behind the first not to do fail. */
  countWhile(holds: (member: ScoredMember) => boolean): number {
    const block = this.#blocks.last(holds);
    const before = this.#blocks.before(block);
    const members = this.#read(block);
    const count = members.findIndex((member) => !holds(member));
    return before + (count < 0 ? members.length : count);
  }

  /** The members of the ranks `start` … `stop`, all there, or backwards. */
  *range(start: number, stop: number, reverse: boolean): Iterable<ScoredMember> {
    if (start > stop) return;
    let { block, skip } = this.#blocks.find(reverse ? stop : start);
    for (let left = stop - start + 1; left > 0;) {
      const first = this.#blocks.at(block) as ScoreBlock;
      const next = this.#blocks.at(block + 1);
      const members = this.#read(block);
      if (reverse) {
        for (let at = Math.min(skip, members.length - 1); at >= 0 && left > 0; at--, left--) {
          yield members[at];
        }
        skip = Infinity;
      } else {
        for (let at = skip; at < members.length && left > 0; at++, left--) yield members[at];
        skip = 0;
      }
      // Blocks may have been cut meanwhile.
      block = reverse
        ? this.#blocks.last((other) => compareScored(other, first) < 0)
        : this.#blocks.last((other) => next !== undefined && compareScored(other, next) <= 0);
    }
  }

  /** The members of a block; a large one is cut smaller. */
  #read(block: number): readonly ScoredMember[] {
    const first = this.#blocks.at(block) as ScoreBlock;
    if (this.#recent?.first === first) return this.#recent.members;
    const next = this.#blocks.at(block + 1);
    const stored = this.#elements.scores.between(this.#owner, first, next)
      .filter(({ name }) => !this.#isChanged(name));
    const sorted = this.#sorted();
    const end = next === undefined ? sorted.length : firstFrom(sorted, next);
    const changed = sorted.slice(firstFrom(sorted, first), end);
    const members = changed.length === 0 ? stored : [...stored, ...changed].sort(compareScored);
    assert(members.length === first.count, "a block has as many members as it counts");
    this.#recent = this.#blocks.cut(block, members) ? undefined : { first, members };
    return members;
  }

  /** Blocks of what SQL has. */
  #storedBlocks(): ScoreBlock[] {
    const { scores } = this.#elements;
    const blocks: ScoreBlock[] = [];
    let from = FIRST_MEMBER;
    for (;;) {
      const next = scores.nth(this.#owner, from, HOP);
      if (next === undefined) break;
      blocks.push({ ...from, count: HOP });
      from = next;
    }
    return [...blocks, { ...from, count: scores.between(this.#owner, from, undefined).length }];
  }

  #sorted(): ScoredMember[] {
    if (this.#changed !== undefined) return this.#changed;
    const rows = [...this.#newest().values()].filter((row) => row.length > 1);
    return this.#changed = rows.map(memberOf).sort(compareScored);
  }

  /** What changed and SQL does not have, or may not have yet. */
  #newest(): Map<string | number, ElementRow> {
    const newest = new Map<string | number, ElementRow>();
    for (const overlay of this.#overlays()) {
      for (const [name, row] of overlay ?? []) if (!newest.has(name)) newest.set(name, row);
    }
    return newest;
  }

  #isChanged(name: Bytes): boolean {
    for (const overlay of this.#overlays()) if (overlay?.has(name)) return true;
    return false;
  }
}

/** A row of the table: name, place, score. */
function memberOf(row: ElementRow): ScoredMember {
  return { name: row[0] as Bytes, score: Number(row[2]) };
}

/** Index of the first of some members in order that is this one or stands behind it. */
function firstFrom(members: readonly ScoredMember[], { name, score }: ScoredMember): number {
  let low = 0;
  let high = members.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareScored(members[middle], { name, score }) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
