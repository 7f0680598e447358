import type { Argv, CommandMakers, Generator } from "./generator.ts";
import { some } from "./words.ts";

function elements(g: Generator, most: number): Argv {
  return some(g, most, () => g.chance(70) ? g.pick(["x", "y", "z", "1", "22"]) : g.value());
}

function element(g: Generator): string {
  return elements(g, 1)[0];
}

function side(g: Generator): string {
  return g.chance(95) ? g.pick(["LEFT", "RIGHT", "left", "Right"]) : g.pick(["UP", "", "LEFTX"]);
}

function count(g: Generator): Argv {
  return g.chance(40) ? [g.chance(80) ? String(g.prng.below(6)) : g.integer()] : [];
}

/** Not the least number of all: README.md. */
function rank(g: Generator): string {
  const number = g.chance(90) ? String(g.prng.below(9) - 4) : g.integer();
  return number === "-9223372036854775808" ? "0" : number;
}

function positionOptions(g: Generator): Argv {
  return g.some(35, [
    () => [g.pick(["RANK", "rank"]), rank(g)],
    () => ["COUNT", g.chance(90) ? String(g.prng.below(5)) : g.integer()],
    () => ["MAXLEN", g.chance(90) ? String(g.prng.below(9)) : g.integer()],
    () => g.chance(10) ? ["NOPE", "1"] : [],
  ]);
}

function multiPop(g: Generator): Argv {
  const keys = g.keys(3);
  const number = g.chance(90) ? String(keys.length) : g.integer();
  const end = g.chance(95) ? [side(g)] : [];
  return [number, ...keys, ...end, ...g.some(40, [() => ["COUNT", ...count(g)]])];
}

/** The commands on lists, but for those that wait. */
export const LIST: CommandMakers = [
  [8, (g) => ["RPUSH", g.key(), ...elements(g, 6)]],
  [8, (g) => ["LPUSH", g.key(), ...elements(g, 6)]],
  [2, (g) => [g.pick(["LPUSHX", "RPUSHX"]), g.key(), ...elements(g, 3)]],
  [5, (g) => [g.pick(["LPOP", "RPOP"]), g.key(), ...count(g)]],
  [3, (g) => ["LLEN", g.key()]],
  [8, (g) => ["LRANGE", g.key(), g.index(), g.index()]],
  [5, (g) => ["LINDEX", g.key(), g.index()]],
  [4, (g) => ["LSET", g.key(), g.index(), element(g)]],
  [6, (g) => [
    "LINSERT",
    g.key(),
    g.chance(95) ? g.pick(["BEFORE", "AFTER", "before"]) : element(g),
    element(g),
    element(g),
  ]],
  [
    4,
    (g) => ["LREM", g.key(), g.chance(80) ? String(g.prng.below(7) - 3) : g.integer(), element(g)],
  ],
  [3, (g) => ["LTRIM", g.key(), g.index(), g.index()]],
  [6, (g) => ["LPOS", g.key(), element(g), ...positionOptions(g)]],
  [5, (g) => ["LMOVE", g.key(), g.key(), side(g), side(g)]],
  [3, (g) => ["RPOPLPUSH", g.key(), g.key()]],
  [4, (g) => ["LMPOP", ...multiPop(g)]],
  [1, (g) => ["SET", g.key(), g.value()]],
  [1, (g) => ["DEL", ...g.keys(3)]],
  [1, (g) => ["TYPE", g.key()]],
  [1, (g) => ["RENAME", g.key(), g.key()]],
  [1, (g) => ["COPY", g.key(), g.key(), ...g.some(50, [() => ["REPLACE"]])]],
  [1, (g) => ["EXPIRE", g.key(), "10000"]],
  [2, (g) => ["TTL", g.key()]],
  [1, (g) => ["APPEND", g.key(), "x"]],
];
