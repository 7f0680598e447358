import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply } from "../resp/reply.ts";
import type { ScoredMember, SortedSetOperations } from "../storage/collections.ts";
import { strtod } from "./double.ts";

const NOT_A_SCORE = err("min or max is not a float");
const NOT_A_STRING = err("min or max not valid string range item");
/**
 * Up to this size, ranges of strings are searched from one end, as Redis does in its compact form:
 * so the answer is the same where scores differ and the range is not well defined.
 */
const SEARCHED_IN_TURN_MAX = 128;

/** Ranks, both inclusive; empty when start > stop. */
export interface RankRange {
  readonly start: number;
  readonly stop: number;
}

export interface ScoreRange {
  readonly min: number;
  readonly max: number;
  readonly minExclusive: boolean;
  readonly maxExclusive: boolean;
}

/** An end of a range of strings; `infinite` -1 and 1 are before and behind all of them. */
interface StringBound {
  readonly text: Bytes;
  readonly infinite: -1 | 0 | 1;
  readonly exclusive: boolean;
}

export interface StringRange {
  readonly min: StringBound;
  readonly max: StringBound;
}

/** A range of scores: numbers, "(" before one that is not in it; or Redis's error. */
export function parseScoreRange(minText: Bytes, maxText: Bytes): ScoreRange | ErrorReply {
  const minExclusive = minText.startsWith("(");
  const maxExclusive = maxText.startsWith("(");
  const min = strtod(minExclusive ? minText.slice(1) : minText);
  const max = strtod(maxExclusive ? maxText.slice(1) : maxText);
  if (min === undefined || max === undefined) return NOT_A_SCORE;
  return { min, max, minExclusive, maxExclusive };
}

/** A range of strings: "[text", "(text", "-" or "+"; or Redis's error. */
export function parseStringRange(minText: Bytes, maxText: Bytes): StringRange | ErrorReply {
  const min = parseStringBound(minText);
  const max = parseStringBound(maxText);
  return min === undefined || max === undefined ? NOT_A_STRING : { min, max };
}

function parseStringBound(text: Bytes): StringBound | undefined {
  const kind = text[0];
  if (kind === "[" || kind === "(") {
    return { text: text.slice(1), infinite: 0, exclusive: kind === "(" };
  }
  const isWhole = text.length === 1 || text[1] === "\0";
  if (!isWhole || (kind !== "-" && kind !== "+")) return undefined;
  return { text: "", infinite: kind === "-" ? -1 : 1, exclusive: true };
}

/** Ranks as arguments give them, negative ones from the end. */
export function rankRange(size: number, start: number, stop: number): RankRange {
  return {
    start: Math.max(0, start < 0 ? size + start : start),
    stop: Math.min(size - 1, stop < 0 ? size + stop : stop),
  };
}

/** The ranks of the members in a range of scores. */
export function ranksOfScores(zset: SortedSetOperations, range: ScoreRange): RankRange {
  return {
    start: zset.countBelow(range.min, range.minExclusive),
    stop: zset.countBelow(range.max, !range.maxExclusive) - 1,
  };
}

/**
 * The members in a range of strings, from `offset` on, at most `limit` (negative: all). They are
 * those that follow one another in the range from the first, or (`reverse`) the last, one in it.
 */
export function* membersByString(
  zset: SortedSetOperations,
  range: StringRange,
  offset = 0,
  limit = -1,
  reverse = false,
): Iterable<ScoredMember> {
  const first = offset < 0 ? -1 : firstInRange(zset, range, reverse);
  if (first < 0) return;
  const members = reverse
    ? zset.range(0, first - offset, true)
    : zset.range(first + offset, zset.size - 1);
  let left = limit;
  for (const member of members) {
    if (left-- === 0) return;
    if (reverse ? isBefore(member.name, range.min) : isBehind(member.name, range.max)) return;
    yield member;
  }
}

/** How many members `membersByString` gives. */
export function countByString(zset: SortedSetOperations, range: StringRange): number {
  if (zset.size <= SEARCHED_IN_TURN_MAX) return [...membersByString(zset, range)].length;
  const start = countBefore(zset, range.min, range.min.exclusive);
  return Math.max(0, countBefore(zset, range.max, !range.max.exclusive) - start);
}

/** The rank of the first (`reverse`: last) member in the range, -1 when there is none. */
function firstInRange(zset: SortedSetOperations, range: StringRange, reverse: boolean): number {
  if (zset.size > SEARCHED_IN_TURN_MAX) {
    const start = countBefore(zset, range.min, range.min.exclusive);
    const stop = countBefore(zset, range.max, !range.max.exclusive) - 1;
    return start > stop ? -1 : (reverse ? stop : start);
  }
  if (isEmpty(range)) return -1;
  const names = [...zset.range(0, zset.size - 1)].map(({ name }) => name);
  if (isBefore(names[names.length - 1], range.min) || isBehind(names[0], range.max)) return -1;
  const rank = reverse
    ? names.findLastIndex((name) => !isBehind(name, range.max))
    : names.findIndex((name) => !isBefore(name, range.min));
  const isIn = reverse ? !isBefore(names[rank], range.min) : !isBehind(names[rank], range.max);
  return isIn ? rank : -1;
}

function isEmpty({ min, max }: StringRange): boolean {
  if (min.infinite !== max.infinite) return min.infinite > max.infinite;
  if (min.text !== max.text) return min.text > max.text;
  return min.exclusive || max.exclusive;
}

/** Whether a member comes before the range that starts with `min`. */
function isBefore(name: Bytes, min: StringBound): boolean {
  if (min.infinite !== 0) return min.infinite > 0;
  return min.exclusive ? name <= min.text : name < min.text;
}

/** Whether a member comes behind the range that ends with `max`. */
function isBehind(name: Bytes, max: StringBound): boolean {
  if (max.infinite !== 0) return max.infinite < 0;
  return max.exclusive ? name >= max.text : name > max.text;
}

function countBefore(zset: SortedSetOperations, bound: StringBound, inclusive: boolean): number {
  if (bound.infinite !== 0) return bound.infinite < 0 ? 0 : zset.size;
  return zset.countBefore(bound.text, inclusive);
}
