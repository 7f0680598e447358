import type { Bytes } from "../../src/base/bytes.ts";
import { type Argv, type CommandMakers, type Generator, LONG_MEMBERS_KEY } from "./generator.ts";
import { some } from "./words.ts";

/** Members short enough for Redis's compact form. */
const MEMBERS = [
  "a",
  "b",
  "c",
  "d",
  "aa",
  "ab",
  "B",
  "",
  "1",
  "01",
  "-5",
  "\xff",
  "\x00\r\n",
  "m 1",
];
/**
 * Beside LONG_MEMBERS_KEY a key in Redis's large form: that one has long members with any score,
 * this one many members with one score. They stay apart, as ranges of strings among different
 * scores are not defined there.
 */
const MANY = "many";

function member(g: Generator): Bytes {
  return g.chance(90) ? g.pick(MEMBERS) : String(g.prng.below(1000));
}

function score(g: Generator): Bytes {
  return g.chance(70) ? String(g.prng.below(12) - 4) : g.float();
}

function pairs(g: Generator, most: number): Argv {
  return some(g, most, () => "").flatMap(() => [score(g), member(g)]);
}

function addOptions(g: Generator): Argv {
  return g.some(15, ["NX", "XX", "GT", "LT", "CH", "INCR", "ch"].map((word) => () => [word]));
}

function scoreBound(g: Generator): Bytes {
  const bound = g.chance(20) ? g.pick(["-inf", "+inf", "inf"]) : score(g);
  return g.chance(25) ? "(" + bound : bound;
}

function stringBound(g: Generator): Bytes {
  if (g.chance(25)) return g.pick(["-", "+"]);
  if (g.chance(5)) return g.pick(["", "a", "(", "[", "-x", "+\0x"]);
  return g.pick(["[", "("]) + member(g);
}

function limit(g: Generator): Argv {
  return ["LIMIT", g.index(), g.index()];
}

const withScores = () => ["WITHSCORES"];

function rangeWords(g: Generator): Argv {
  const options = g.some(30, [() => g.chance(60) ? ["REV"] : [], withScores]);
  const dice = g.prng.below(10);
  if (dice < 4) return [g.index(), g.index(), ...options, ...(g.chance(5) ? limit(g) : [])];
  const limits = g.chance(40) ? limit(g) : [];
  if (dice < 7) return [scoreBound(g), scoreBound(g), "BYSCORE", ...options, ...limits];
  return [stringBound(g), stringBound(g), "BYLEX", ...options, ...limits];
}

function byScore(g: Generator): Argv {
  return [scoreBound(g), scoreBound(g), ...g.some(30, [withScores, () => limit(g)])];
}

function byString(g: Generator): Argv {
  return [stringBound(g), stringBound(g), ...g.some(30, [() => limit(g)])];
}

/** "numkeys key [key ...]". */
function counted(g: Generator): { keys: Argv; words: Argv } {
  const keys = g.keys(4);
  return { keys, words: [g.chance(95) ? String(keys.length) : g.integer(), ...keys] };
}

function combined(g: Generator, replies: boolean): Argv {
  const { keys, words } = counted(g);
  const weights = () => ["WEIGHTS", ...keys.map(() => score(g))];
  const aggregate = () => ["AGGREGATE", g.pick(["SUM", "MIN", "MAX", "sum", "NOPE"])];
  return [...words, ...g.some(30, [weights, aggregate, () => replies ? ["WITHSCORES"] : []])];
}

function subtracted(g: Generator, replies: boolean): Argv {
  return [...counted(g).words, ...g.some(40, [() => replies ? ["WITHSCORES"] : []])];
}

function cardinality(g: Generator): Argv {
  return [...counted(g).words, ...g.some(40, [() => ["LIMIT", g.index()]])];
}

function popped(g: Generator): Argv {
  const count = () => ["COUNT", g.index()];
  return [...counted(g).words, g.pick(["MIN", "MAX", "max", "MID"]), ...g.some(50, [count])];
}

function scanOptions(g: Generator): Argv {
  return g.some(30, [() => ["MATCH", g.pattern()], () => ["COUNT", "1000"]]);
}

function longMember(g: Generator): Bytes {
  return "x".repeat(65) + g.prng.below(40);
}

function manyMember(g: Generator): Bytes {
  return g.prng.below(400).toString(36);
}

function manyPairs(g: Generator): Argv {
  return Array.from({ length: 200 }, () => manyMember(g)).flatMap((name) => ["5", name]);
}

const LARGE: CommandMakers = [
  [4, (g) => ["ZADD", LONG_MEMBERS_KEY, score(g), longMember(g)]],
  [2, (g) => ["ZRANGE", LONG_MEMBERS_KEY, g.index(), g.index(), "WITHSCORES"]],
  [2, (g) => ["ZRANGEBYSCORE", LONG_MEMBERS_KEY, ...byScore(g)]],
  [1, (g) => ["ZREVRANGEBYSCORE", LONG_MEMBERS_KEY, ...byScore(g)]],
  [1, (g) => ["ZCOUNT", LONG_MEMBERS_KEY, scoreBound(g), scoreBound(g)]],
  [1, (g) => ["ZRANK", LONG_MEMBERS_KEY, longMember(g)]],
  [1, (g) => ["ZREM", LONG_MEMBERS_KEY, longMember(g)]],
  [1, (g) => ["ZPOPMIN", LONG_MEMBERS_KEY, g.index()]],
  [1, () => ["ZRANDMEMBER", LONG_MEMBERS_KEY, "1000"]],
  [1, (g) => ["ZSCAN", LONG_MEMBERS_KEY, "0", ...scanOptions(g)]],
  [2, (g) => ["ZADD", MANY, ...manyPairs(g)]],
  [1, (g) => ["ZREM", MANY, ...some(g, 60, () => manyMember(g))]],
  [2, (g) => ["ZRANGEBYLEX", MANY, "[" + manyMember(g), "(" + manyMember(g), ...limit(g)]],
  [2, (g) => ["ZREVRANGEBYLEX", MANY, "[" + manyMember(g), "(" + manyMember(g)]],
  [1, (g) => ["ZLEXCOUNT", MANY, stringBound(g), "(" + manyMember(g)]],
  [1, (g) => ["ZREMRANGEBYLEX", MANY, "[" + manyMember(g), "(" + manyMember(g)]],
  [1, (g) => ["ZREMRANGEBYRANK", MANY, g.index(), g.index()]],
  [1, (g) => ["ZREVRANK", MANY, manyMember(g)]],
  [1, (g) => ["ZRANGE", MANY, g.index(), g.index(), "REV"]],
  [1, (g) => ["ZSCAN", MANY, "0", "COUNT", "1000", ...scanOptions(g)]],
];

/** The commands on sorted sets. */
export const ZSET: CommandMakers = [
  [20, (g) => ["ZADD", g.key(), ...addOptions(g), ...pairs(g, 4)]],
  [4, (g) => ["ZINCRBY", g.key(), score(g), member(g)]],
  [5, (g) => ["ZREM", g.key(), ...some(g, 3, () => member(g))]],
  [2, (g) => ["ZCARD", g.key()]],
  [3, (g) => ["ZSCORE", g.key(), member(g)]],
  [2, (g) => ["ZMSCORE", g.key(), ...some(g, 4, () => member(g))]],
  [3, (g) => ["ZRANK", g.key(), member(g)]],
  [3, (g) => ["ZREVRANK", g.key(), member(g)]],
  [3, (g) => ["ZCOUNT", g.key(), scoreBound(g), scoreBound(g)]],
  [3, (g) => ["ZLEXCOUNT", g.key(), stringBound(g), stringBound(g)]],
  [12, (g) => ["ZRANGE", g.key(), ...rangeWords(g)]],
  [6, (g) => ["ZRANGESTORE", g.key(), g.key(), ...rangeWords(g)]],
  [2, (g) => ["ZREVRANGE", g.key(), g.index(), g.index(), ...g.some(30, [withScores])]],
  [3, (g) => ["ZRANGEBYSCORE", g.key(), ...byScore(g)]],
  [3, (g) => ["ZREVRANGEBYSCORE", g.key(), ...byScore(g)]],
  [3, (g) => ["ZRANGEBYLEX", g.key(), ...byString(g)]],
  [3, (g) => ["ZREVRANGEBYLEX", g.key(), ...byString(g)]],
  [2, (g) => ["ZREMRANGEBYRANK", g.key(), g.index(), g.index()]],
  [2, (g) => ["ZREMRANGEBYSCORE", g.key(), scoreBound(g), scoreBound(g)]],
  [2, (g) => ["ZREMRANGEBYLEX", g.key(), stringBound(g), stringBound(g)]],
  [2, (g) => ["ZPOPMIN", g.key(), ...g.some(40, [() => [g.index()]])]],
  [2, (g) => ["ZPOPMAX", g.key(), ...g.some(40, [() => [g.index()]])]],
  [3, (g) => ["ZMPOP", ...popped(g)]],
  [
    2,
    (
      g,
    ) => ["ZRANDMEMBER", g.key(), ...g.some(70, [() => [g.index(), ...g.some(40, [withScores])]])],
  ],
  [4, (g) => ["ZUNION", ...combined(g, true)]],
  [4, (g) => ["ZINTER", ...combined(g, true)]],
  [3, (g) => ["ZDIFF", ...subtracted(g, true)]],
  [3, (g) => ["ZUNIONSTORE", g.key(), ...combined(g, g.chance(5))]],
  [3, (g) => ["ZINTERSTORE", g.key(), ...combined(g, g.chance(5))]],
  [2, (g) => ["ZDIFFSTORE", g.key(), ...subtracted(g, g.chance(5))]],
  [2, (g) => ["ZINTERCARD", ...cardinality(g)]],
  [2, (g) => ["ZSCAN", g.key(), g.chance(90) ? "0" : g.integer(), ...scanOptions(g)]],
  [2, (g) => ["SADD", g.key(), ...some(g, 5, () => member(g))]],
  [1, (g) => ["SET", g.key(), g.value()]],
  [2, (g) => ["DEL", ...g.keys(2)]],
  [1, (g) => ["RENAME", g.key(), g.key()]],
  [1, (g) => ["COPY", g.key(), g.key(), ...g.some(50, [() => ["REPLACE"]])]],
  [1, (g) => ["TYPE", g.key()]],
  [1, (g) => ["EXPIRE", g.key(), "10000"]],
  [1, (g) => ["TTL", g.key()]],
  ...LARGE,
];
