import type { Bytes } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import { INT64_MAX, parseInt64 } from "../base/int64.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { ScoredMember, SortedSetOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand } from "./define.ts";
import { optionName } from "./parse.ts";
import { membersReply } from "./zset_range.ts";

const OUT_OF_RANGE = err("value is out of range");
const OUT_OF_LONG_RANGE = err(
  `value is out of range, value must between ${-INT64_MAX} and ${INT64_MAX}`,
);
/** A reply of more members than this, which may repeat, is refused. */
const REPEATED_MAX = 10_000_000;

/** ZRANDMEMBER key [count [WITHSCORES]] */
function zrandmember(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length === 2) return oneMember(context, argv[1]);
  const count = parseInt64(argv[2]);
  if (count === undefined) return NOT_INTEGER;
  if (count < -INT64_MAX) return OUT_OF_LONG_RANGE;
  const withScores = argv.length === 4;
  if (argv.length > 4 || (withScores && optionName(argv[3]) !== "withscores")) return SYNTAX_ERROR;
  const most = INT64_MAX / 2n;
  if (withScores && (count < -most || count > most)) return OUT_OF_RANGE;
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  if (zset === undefined || count === 0) return [];
  if (count < -REPEATED_MAX) return OUT_OF_RANGE;
  const members = count < 0
    ? Array.from({ length: -Number(count) }, () => randomMember(zset, context.prng))
    : distinctMembers(zset, Number(count), context.prng);
  return membersReply(members, withScores);
}

function oneMember(context: DataContext, key: Bytes): Reply {
  const zset = context.read(key, "zset");
  if (zset instanceof ErrorReply) return zset;
  return zset === undefined ? null : randomMember(zset, context.prng).name;
}

function randomMember(zset: SortedSetOperations, prng: Prng): ScoredMember {
  return memberAt(zset, prng.below(zset.size));
}

function memberAt(zset: SortedSetOperations, rank: number): ScoredMember {
  const [member] = zset.range(rank, rank);
  return member;
}

/** So many different members; all of them from the last to the first, as Redis has it. */
function distinctMembers(
  zset: SortedSetOperations,
  count: number,
  prng: Prng,
): Iterable<ScoredMember> {
  const { size } = zset;
  if (count >= size) return zset.range(0, size - 1, true);
  // Floyd's sampling: each set of `count` ranks is equally likely.
  const ranks = new Set<number>();
  for (let limit = size - count; limit < size; limit++) {
    const rank = prng.below(limit + 1);
    ranks.add(ranks.has(rank) ? limit : rank);
  }
  return Array.from(ranks, (rank) => memberAt(zset, rank));
}

/** The command that draws members of a sorted set. */
export const zsetRandomCommands: readonly Command[] = [
  readCommand("zrandmember", -2, zrandmember, FIRST_KEY),
];
