import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { ListOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand } from "./define.ts";
import { optionName, parseAtLeast, parseOffset } from "./parse.ts";

const RANK_ZERO = err(
  "RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
    "or use negative to start from the end of the list",
);
const RANK_OUT_OF_RANGE = err(
  "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const COUNT_NEGATIVE = err("COUNT can't be negative");
const MAXLEN_NEGATIVE = err("MAXLEN can't be negative");

interface Search {
  /** The match to begin with, counted from 1; negative: from the tail. */
  rank: number;
  /** Matches to answer, 0 for all; undefined: one, and not as an array. */
  count: number | undefined;
  /** Elements to compare, 0 for all. */
  maxLength: number;
}

function parseSearch(argv: readonly Bytes[]): Search | ErrorReply {
  const search: Search = { rank: 1, count: undefined, maxLength: 0 };
  for (let i = 3; i < argv.length; i += 2) {
    if (i + 1 === argv.length) return SYNTAX_ERROR;
    const name = optionName(argv[i]);
    if (name === "rank") {
      const rank = parseOffset(argv[i + 1]);
      if (rank === undefined) return NOT_INTEGER;
      if (rank === 0) return RANK_ZERO;
      // The one number whose opposite is none, rounded.
      if (argv[i + 1] === "-9223372036854775808") return RANK_OUT_OF_RANGE;
      search.rank = rank;
    } else if (name === "count" || name === "maxlen") {
      const isCount = name === "count";
      const error = isCount ? COUNT_NEGATIVE : MAXLEN_NEGATIVE;
      const value = parseAtLeast(0, argv[i + 1], error);
      if (value instanceof ErrorReply) return value;
      if (isCount) search.count = value;
      else search.maxLength = value;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return search;
}

/** Indexes of the elements equal to `value` that a search asks for, in the order of the search. */
function indexesOf(list: ListOperations, value: Bytes, search: Search): number[] {
  const { rank, count = 1, maxLength } = search;
  const reverse = rank < 0;
  const last = list.length - 1;
  const found: number[] = [];
  let skip = Math.abs(rank) - 1;
  let seen = 0;
  for (const element of list.values(reverse ? last : 0, reverse)) {
    if (maxLength !== 0 && seen === maxLength) break;
    if (element === value && skip-- <= 0) {
      found.push(reverse ? last - seen : seen);
      if (found.length === count) break;
    }
    seen += 1;
  }
  return found;
}

/** LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len] */
function lpos(context: DataContext, argv: readonly Bytes[]): Reply {
  const search = parseSearch(argv);
  if (search instanceof ErrorReply) return search;
  const list = context.read(argv[1], "list");
  if (list instanceof ErrorReply) return list;
  const found = list === undefined ? [] : indexesOf(list, argv[2], search);
  if (search.count !== undefined) return found;
  return found.length === 0 ? null : found[0];
}

/** The commands that look for elements of a list. */
export const listSearchCommands: readonly Command[] = [readCommand("lpos", -3, lpos, FIRST_KEY)];
