import type { Bytes } from "../base/bytes.ts";
import {
  err,
  ErrorReply,
  NIL_ARRAY,
  NOT_FLOAT,
  type Reply,
  SYNTAX_ERROR,
  wrongArity,
} from "../resp/reply.ts";
import type { SortedSetOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { type DataRun, FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { doubleReply, formatCompactDouble, formatDouble, parseDouble } from "./double.ts";
import { globMatches } from "./glob.ts";
import { optionName } from "./parse.ts";
import { parseCursor, parseScanOptions } from "./scan.ts";
import { notifyRemoved } from "./zset_store.ts";

const NX_AND_XX = err("XX and NX options at the same time are not compatible");
const GT_LT_NX = err("GT, LT, and/or NX options at the same time are not compatible");
const ONE_INCREMENT = err("INCR option supports a single increment-element pair");
const NOT_A_NUMBER = err("resulting score is not a number (NaN)");
/** Redis's compact form by default: ZSCAN gives such sorted sets as a whole, in order. */
const COMPACT_ENTRIES_MAX = 128;
const COMPACT_BYTES_MAX = 64;

const ADD_OPTIONS = ["nx", "xx", "gt", "lt", "ch", "incr"] as const;
type AddOption = typeof ADD_OPTIONS[number];
export type AddOptions = Readonly<Record<AddOption, boolean>>;

const NO_OPTIONS: AddOptions = {
  nx: false,
  xx: false,
  gt: false,
  lt: false,
  ch: false,
  incr: false,
};

/** ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...] */
function zadd(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = { ...NO_OPTIONS };
  let first = 2;
  for (; first < argv.length; first++) {
    const name = optionName(argv[first]) as AddOption;
    if (!ADD_OPTIONS.includes(name)) break;
    options[name] = true;
  }
  const count = argv.length - first;
  if (count === 0 || count % 2 !== 0) return SYNTAX_ERROR;
  const { nx, xx, gt, lt, incr } = options;
  if (nx && xx) return NX_AND_XX;
  if ((gt && nx) || (lt && nx) || (gt && lt)) return GT_LT_NX;
  if (incr && count > 2) return ONE_INCREMENT;
  const scores: number[] = [];
  for (let i = first; i < argv.length; i += 2) {
    const score = parseDouble(argv[i]);
    if (score === undefined) return NOT_FLOAT;
    scores.push(score);
  }
  return addMembers(context, argv[1], options, scores, (at) => argv[first + 2 * at + 1]);
}

/** ZINCRBY key increment member */
function zincrby(context: DataContext, argv: readonly Bytes[]): Reply {
  const score = parseDouble(argv[2]);
  if (score === undefined) return NOT_FLOAT;
  return addMembers(context, argv[1], { ...NO_OPTIONS, incr: true }, [score], () => argv[3]);
}

/** What ZADD does and answers, once its arguments are parsed. */
export function addMembers(
  context: DataContext,
  key: Bytes,
  options: AddOptions,
  scores: readonly number[],
  memberAt: (index: number) => Bytes,
): Reply {
  const zset = context.edit(key, "zset");
  if (zset instanceof ErrorReply) return zset;
  let added = 0;
  let updated = 0;
  for (let i = 0; i < scores.length; i++) {
    const member = memberAt(i);
    const before = zset.score(member);
    const score = options.incr && before !== undefined ? before + scores[i] : scores[i];
    if (Number.isNaN(score)) return NOT_A_NUMBER;
    const isWanted = fulfils(options, before, score);
    if (isWanted && score !== before) {
      zset.set(member, score);
      if (before === undefined) added++;
      else updated++;
    }
    if (options.incr) {
      if (added + updated > 0) context.notify("zset", "zincr", key);
      return isWanted ? doubleReply(score) : null;
    }
  }
  if (added + updated > 0) context.notify("zset", "zadd", key);
  return options.ch ? added + updated : added;
}

/** Whether the options allow a member to get a score; `before` is undefined for a new one. */
function fulfils(options: AddOptions, before: number | undefined, score: number): boolean {
  if (before === undefined) return !options.xx;
  return !options.nx && !(options.lt && score >= before) && !(options.gt && score <= before);
}

/** ZREM key member [member ...] */
function zrem(context: DataContext, argv: readonly Bytes[]): Reply {
  const zset = context.edit(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  let count = 0;
  for (let i = 2; i < argv.length; i++) if (zset.remove(argv[i])) count++;
  if (count > 0) notifyRemoved(context, argv[1], "zrem", zset);
  return count;
}

/** ZCARD key */
function zcard(context: DataContext, argv: readonly Bytes[]): Reply {
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  return zset === undefined ? 0 : zset.size;
}

/** ZSCORE key member */
function zscore(context: DataContext, argv: readonly Bytes[]): Reply {
  const zset = context.read(argv[1], "zset");
  return zset instanceof ErrorReply ? zset : scoreReply(zset, argv[2]);
}

/** ZMSCORE key member [member ...] */
function zmscore(context: DataContext, argv: readonly Bytes[]): Reply {
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  return argv.slice(2).map((member) => scoreReply(zset, member));
}

function scoreReply(zset: SortedSetOperations | undefined, member: Bytes): Reply {
  const score = zset?.score(member);
  return score === undefined ? null : doubleReply(score);
}

/** ZRANK|ZREVRANK key member [WITHSCORE] */
function zrank(reverse: boolean): DataRun {
  return (context, argv) => {
    if (argv.length > 4) return wrongArity(reverse ? "zrevrank" : "zrank");
    const withScore = argv.length === 4;
    if (withScore && optionName(argv[3]) !== "withscore") return SYNTAX_ERROR;
    const zset = context.read(argv[1], "zset");
    if (zset instanceof ErrorReply) return zset;
    const ascending = zset?.rank(argv[2]);
    if (zset === undefined || ascending === undefined) return withScore ? NIL_ARRAY : null;
    const rank = reverse ? zset.size - 1 - ascending : ascending;
    return withScore ? [rank, scoreReply(zset, argv[2])] : rank;
  };
}

/** ZSCAN key cursor [MATCH pattern] [COUNT count] */
function zscan(context: DataContext, argv: readonly Bytes[]): Reply {
  const cursor = parseCursor(argv[2]);
  if (cursor instanceof ErrorReply) return cursor;
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  if (zset === undefined) return ["0", []];
  const options = parseScanOptions(argv, 3, false);
  if (options instanceof ErrorReply) return options;
  const compact = compactMembers(zset);
  const page = compact === undefined
    ? zset.scan(Math.min(cursor, Number.MAX_SAFE_INTEGER), options.count)
    : { cursor: 0, elements: compact };
  const format = compact === undefined ? formatDouble : formatCompactDouble;
  const found: Bytes[] = [];
  for (const member of page.elements) {
    if (options.pattern !== undefined && !globMatches(options.pattern, member)) continue;
    found.push(member, format(zset.score(member) ?? 0));
  }
  return [String(page.cursor), found];
}

/** All members in order, if Redis keeps such a sorted set in its compact form. */
function compactMembers(zset: SortedSetOperations): readonly Bytes[] | undefined {
  if (zset.size > COMPACT_ENTRIES_MAX) return undefined;
  const names = Array.from(zset.range(0, zset.size - 1), ({ name }) => name);
  return names.every(({ length }) => length <= COMPACT_BYTES_MAX) ? names : undefined;
}

/** The commands on single members of a sorted set. */
export const zsetCommands: readonly Command[] = [
  writeCommand("zadd", -4, zadd, FIRST_KEY),
  writeCommand("zincrby", 4, zincrby, FIRST_KEY),
  writeCommand("zrem", -3, zrem, FIRST_KEY),
  readCommand("zcard", 2, zcard, FIRST_KEY),
  readCommand("zscore", 3, zscore, FIRST_KEY),
  readCommand("zmscore", -3, zmscore, FIRST_KEY),
  readCommand("zrank", -3, zrank(false), FIRST_KEY),
  readCommand("zrevrank", -3, zrank(true), FIRST_KEY),
  readCommand("zscan", -3, zscan, FIRST_KEY),
];
