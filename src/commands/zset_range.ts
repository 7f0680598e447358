import type { Bytes } from "../base/bytes.ts";
import {
  err,
  ErrorReply,
  NOT_INTEGER,
  PairsReply,
  type Reply,
  SYNTAX_ERROR,
} from "../resp/reply.ts";
import type { ScoredMember, SortedSetOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { type DataRun, FIRST_KEY, readCommand, TWO_KEYS, writeCommand } from "./define.ts";
import { doubleReply } from "./double.ts";
import { optionName, parseOffset } from "./parse.ts";
import {
  countByString,
  membersByString,
  parseScoreRange,
  parseStringRange,
  rankRange,
  ranksOfScores,
} from "./zset_bounds.ts";
import { notifyRemoved, storeSortedSet } from "./zset_store.ts";

const LIMIT_BY_RANK = err(
  "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_BY_STRING = err(
  "syntax error, WITHSCORES not supported in combination with BYLEX",
);

/** What the two ends of a range are. */
type RangeKind = "rank" | "score" | "lex";

interface RangeOptions {
  kind: RangeKind;
  reverse: boolean;
  withScores: boolean;
  offset: number;
  /** Negative: no limit. */
  limit: number;
}

/** What the name of a command says already; undefined where options say it. */
interface RangeForm {
  readonly kind?: RangeKind;
  readonly reverse?: boolean;
  /** Where the source key stands; 2: the command stores. */
  readonly keyAt?: 1 | 2;
}

/** Gives the members of a range of a sorted set. */
type Selection = (zset: SortedSetOperations) => Iterable<ScoredMember>;

/**
 * ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES] and the commands
 * that name one of its forms.
 */
function range(form: RangeForm): DataRun {
  return (context, argv) => {
    const options = parseRangeOptions(argv, form);
    if (options instanceof ErrorReply) return options;
    const select = parseSelection(argv, form.keyAt ?? 1, options);
    if (select instanceof ErrorReply) return select;
    const zset = context.read(argv[form.keyAt ?? 1], "zset");
    if (zset instanceof ErrorReply) return zset;
    if (form.keyAt === 2) {
      const members = zset === undefined ? [] : [...select(zset)];
      return storeSortedSet(context, argv[1], members, "zrangestore");
    }
    return zset === undefined ? [] : membersReply(select(zset), options.withScores);
  };
}

/** The members, with their scores if so wanted. */
export function membersReply(members: Iterable<ScoredMember>, withScores: boolean): Reply {
  if (!withScores) return Array.from(members, ({ name }) => name);
  return new PairsReply(Array.from(members, ({ name, score }) => [name, doubleReply(score)]));
}

function parseRangeOptions(argv: readonly Bytes[], form: RangeForm): RangeOptions | ErrorReply {
  const stores = form.keyAt === 2;
  let { kind, reverse } = form;
  let withScores = false;
  let offset = 0;
  let limit = -1;
  for (let i = stores ? 5 : 4; i < argv.length; i++) {
    const name = optionName(argv[i]);
    if (!stores && name === "withscores") withScores = true;
    else if (name === "limit" && i + 2 < argv.length) {
      const [from, count] = [parseOffset(argv[++i]), parseOffset(argv[++i])];
      if (from === undefined || count === undefined) return NOT_INTEGER;
      [offset, limit] = [from, count];
    } else if (reverse === undefined && name === "rev") reverse = true;
    else if (kind === undefined && name === "bylex") kind = "lex";
    else if (kind === undefined && name === "byscore") kind = "score";
    else return SYNTAX_ERROR;
  }
  kind ??= "rank";
  if (limit !== -1 && kind === "rank") return LIMIT_BY_RANK;
  if (withScores && kind === "lex") return SCORES_BY_STRING;
  return { kind, reverse: reverse ?? false, withScores, offset, limit };
}

function parseSelection(
  argv: readonly Bytes[],
  keyAt: number,
  { kind, reverse, offset, limit }: RangeOptions,
): Selection | ErrorReply {
  const [first, second] = [argv[keyAt + 1], argv[keyAt + 2]];
  if (kind === "rank") {
    const [start, stop] = [parseOffset(first), parseOffset(second)];
    if (start === undefined || stop === undefined) return NOT_INTEGER;
    return (zset) => membersByRank(zset, start, stop, reverse);
  }
  const [min, max] = reverse ? [second, first] : [first, second];
  if (kind === "score") {
    const scores = parseScoreRange(min, max);
    if (scores instanceof ErrorReply) return scores;
    return (zset) => {
      const { start, stop } = ranksOfScores(zset, scores);
      if (offset < 0) return [];
      const last = limit < 0 ? Infinity : limit - 1;
      return reverse
        ? zset.range(Math.max(start, stop - offset - last), stop - offset, true)
        : zset.range(start + offset, Math.min(stop, start + offset + last));
    };
  }
  const strings = parseStringRange(min, max);
  if (strings instanceof ErrorReply) return strings;
  return (zset) => membersByString(zset, strings, offset, limit, reverse);
}

function membersByRank(
  zset: SortedSetOperations,
  from: number,
  to: number,
  reverse: boolean,
): Iterable<ScoredMember> {
  const { start, stop } = rankRange(zset.size, from, to);
  if (!reverse) return zset.range(start, stop);
  return zset.range(zset.size - 1 - stop, zset.size - 1 - start, true);
}

/** ZCOUNT key min max */
function zcount(context: DataContext, argv: readonly Bytes[]): Reply {
  const scores = parseScoreRange(argv[2], argv[3]);
  if (scores instanceof ErrorReply) return scores;
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  if (zset === undefined) return 0;
  const { start, stop } = ranksOfScores(zset, scores);
  return Math.max(0, stop - start + 1);
}

/** ZLEXCOUNT key min max */
function zlexcount(context: DataContext, argv: readonly Bytes[]): Reply {
  const strings = parseStringRange(argv[2], argv[3]);
  if (strings instanceof ErrorReply) return strings;
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  return zset === undefined ? 0 : countByString(zset, strings);
}

/** ZREMRANGEBYRANK|ZREMRANGEBYSCORE|ZREMRANGEBYLEX key min max */
function zremrange(kind: RangeKind): DataRun {
  const event = `zremrangeby${kind}`;
  const options = { kind, reverse: false, withScores: false, offset: 0, limit: -1 };
  return (context, argv) => {
    const select = parseSelection(argv, 1, options);
    if (select instanceof ErrorReply) return select;
    const zset = context.edit(argv[1], "zset");
    if (zset instanceof ErrorReply) return zset;
    const names = Array.from(select(zset), ({ name }) => name);
    for (const name of names) zset.remove(name);
    if (names.length > 0) notifyRemoved(context, argv[1], event, zset);
    return names.length;
  };
}

/** The commands on ranges of a sorted set. */
export const zsetRangeCommands: readonly Command[] = [
  readCommand("zrange", -4, range({}), FIRST_KEY),
  readCommand("zrevrange", -4, range({ kind: "rank", reverse: true }), FIRST_KEY),
  readCommand("zrangebyscore", -4, range({ kind: "score", reverse: false }), FIRST_KEY),
  readCommand("zrevrangebyscore", -4, range({ kind: "score", reverse: true }), FIRST_KEY),
  readCommand("zrangebylex", -4, range({ kind: "lex", reverse: false }), FIRST_KEY),
  readCommand("zrevrangebylex", -4, range({ kind: "lex", reverse: true }), FIRST_KEY),
  writeCommand("zrangestore", -5, range({ keyAt: 2 }), TWO_KEYS),
  readCommand("zcount", 4, zcount, FIRST_KEY),
  readCommand("zlexcount", 4, zlexcount, FIRST_KEY),
  writeCommand("zremrangebyrank", 4, zremrange("rank"), FIRST_KEY),
  writeCommand("zremrangebyscore", 4, zremrange("score"), FIRST_KEY),
  writeCommand("zremrangebylex", 4, zremrange("lex"), FIRST_KEY),
];
