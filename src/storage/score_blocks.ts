import type { ScoredMember } from "./collections.ts";
import { compareScored } from "./score_order.ts";

/** Members of a block that is cut smaller when it is read: so few that reading it costs little. */
const BLOCK_MAX = 64;
/** Members that the last block grows to. */
const GROWN_MAX = 512;

/** Members in order from one on (be it there or not) and before the next block's. */
export interface ScoreBlock extends ScoredMember {
  readonly count: number;
}

/** Before all members. */
export const FIRST_MEMBER: ScoredMember = { name: "", score: -Infinity };

/** How many members a sorted set has between some that it has or had, in the order of scores. */
export class ScoreBlocks {
  /** Not before any member, once that is known. */
  #end: ScoredMember | undefined;
  readonly #blocks: { readonly name: string; readonly score: number; count: number }[];

  /** The first begins at FIRST_MEMBER. */
  constructor(blocks: readonly ScoreBlock[]) {
    this.#blocks = blocks.map(({ name, score, count }) => ({ name, score, count }));
  }

  at(block: number): ScoreBlock | undefined {
    return this.#blocks[block];
  }

  /** Counts one more member, or (-1) one less. */
  add(member: ScoredMember, by: 1 | -1): void {
    const last = this.#blocks.length - 1;
    const isBehind = by > 0 && this.#end !== undefined && compareScored(member, this.#end) > 0;
    if (isBehind) {
      this.#end = member;
      // Members often come in order: the last block would grow without end.
      if (this.#blocks[last].count < GROWN_MAX) this.#blocks[last].count += 1;
      else this.#blocks.push({ name: member.name, score: member.score, count: 1 });
      return;
    }
    this.#blocks[this.last((other) => compareScored(other, member) <= 0)].count += by;
  }

  /** The last block whose first member fulfils a condition, which those behind it fail; or 0. */
  last(holds: (first: ScoredMember) => boolean): number {
    let low = 1;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.#blocks[middle])) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Members before a block. */
  before(block: number): number {
    let count = 0;
    for (let at = 0; at < block; at++) count += this.#blocks[at].count;
    return count;
  }

  /** The block of the member of a rank, which there is, and how many of it precede that. */
  find(rank: number): { block: number; skip: number } {
    let block = 0;
    for (; rank >= this.#blocks[block].count; block++) rank -= this.#blocks[block].count;
    return { block, skip: rank };
  }

  /** Cuts a block of these members smaller, if it is large. */
  cut(block: number, members: readonly ScoredMember[]): boolean {
    if (block === this.#blocks.length - 1) this.#end ??= members[members.length - 1];
    if (members.length <= BLOCK_MAX) return false;
    const { name, score } = this.#blocks[block];
    const pieces = [{ name, score, count: BLOCK_MAX }];
    for (let at = BLOCK_MAX; at < members.length; at += BLOCK_MAX) {
      const { name, score } = members[at];
      pieces.push({ name, score, count: Math.min(BLOCK_MAX, members.length - at) });
    }
    this.#blocks.splice(block, 1, ...pieces);
    return true;
  }
}
