import type { Argv, CommandMakers, Generator } from "./generator.ts";
import { some } from "./words.ts";

function members(g: Generator, most: number): Argv {
  // Many sets of integers alone, which Redis keeps in order.
  return some(g, most, () => {
    const dice = g.prng.below(20);
    if (dice < 13) return String(g.prng.below(30) - 10);
    return dice < 18 ? g.pick(["x", "y", "z", "01", "9223372036854775807"]) : g.value();
  });
}

function member(g: Generator): string {
  return members(g, 1)[0];
}

function cardinality(g: Generator): Argv {
  const keys = g.keys(3);
  const number = g.chance(90) ? String(keys.length) : g.integer();
  const limit = () => ["LIMIT", g.chance(80) ? String(g.prng.below(6)) : g.integer()];
  return [number, ...keys, ...g.some(40, [limit, () => g.chance(10) ? ["NOPE"] : []])];
}

function scanOptions(g: Generator): Argv {
  return g.some(30, [
    () => ["MATCH", g.pattern()],
    () => ["COUNT", "1000"],
    () => g.chance(20) ? ["TYPE", "set"] : [],
    () => g.chance(20) ? ["COUNT", g.integer()] : [],
  ]);
}

/** A count that takes all members or none, so that both servers keep the same. */
function allOrNone(g: Generator): string {
  return g.chance(80) ? "1000" : g.pick(["0", "-1", "x", "9223372036854775807", ""]);
}

/** The commands on sets. */
export const SET: CommandMakers = [
  [16, (g) => ["SADD", g.key(), ...members(g, 8)]],
  [6, (g) => ["SREM", g.key(), ...members(g, 8)]],
  [5, (g) => ["SMEMBERS", g.key()]],
  [3, (g) => ["SISMEMBER", g.key(), member(g)]],
  [3, (g) => ["SMISMEMBER", g.key(), ...members(g, 5)]],
  [3, (g) => ["SCARD", g.key()]],
  [4, (g) => ["SMOVE", g.key(), g.key(), member(g)]],
  [2, (g) => ["SPOP", g.key(), allOrNone(g)]],
  [2, (g) => ["SRANDMEMBER", g.key()]],
  [3, (g) => ["SRANDMEMBER", g.key(), String(g.prng.below(20) - 8)]],
  [1, (g) => ["SRANDMEMBER", g.key(), "9223372036854775807"]],
  [5, (g) => ["SINTER", ...g.keys(3)]],
  [5, (g) => ["SUNION", ...g.keys(3)]],
  [5, (g) => ["SDIFF", ...g.keys(4)]],
  [3, (g) => ["SINTERSTORE", g.key(), ...g.keys(3)]],
  [3, (g) => ["SUNIONSTORE", g.key(), ...g.keys(3)]],
  [3, (g) => ["SDIFFSTORE", g.key(), ...g.keys(3)]],
  [5, (g) => ["SINTERCARD", ...cardinality(g)]],
  [3, (g) => ["SSCAN", g.key(), g.chance(90) ? "0" : g.integer(), ...scanOptions(g)]],
  [1, (g) => ["SET", g.key(), g.value()]],
  [1, (g) => ["DEL", ...g.keys(3)]],
  [1, (g) => ["TYPE", g.key()]],
  [1, (g) => ["RENAME", g.key(), g.key()]],
  [1, (g) => ["COPY", g.key(), g.key(), ...g.some(50, [() => ["REPLACE"]])]],
  [1, (g) => ["EXPIRE", g.key(), "10000"]],
  [1, (g) => ["TTL", g.key()]],
];
