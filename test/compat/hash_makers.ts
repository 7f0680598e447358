import type { Argv, CommandMakers, Generator } from "./generator.ts";

const FIELDS = ["f", "g", "1", "", "\x00\xff", "a b", "x".repeat(65)];

function field(g: Generator): string {
  return g.chance(85) ? g.pick(FIELDS) : `f${g.prng.below(40)}`;
}

function fields(g: Generator, most: number): Argv {
  return Array.from({ length: 1 + g.prng.below(most) }, () => field(g));
}

function pairs(g: Generator, most: number): Argv {
  return fields(g, most).flatMap((name) => [name, g.value()]);
}

function scanOptions(g: Generator): Argv {
  return g.some(30, [() => ["MATCH", g.pattern()], () => ["COUNT", g.pick(["1", "10", "0", "x"])]]);
}

/** Commands on hashes, and a few on their keys as a whole. */
export const HASH: CommandMakers = [
  [12, (g) => ["HSET", g.key(), ...pairs(g, 4)]],
  [2, (g) => ["HMSET", g.key(), ...pairs(g, 3)]],
  [2, (g) => ["HSETNX", g.key(), field(g), g.value()]],
  [4, (g) => ["HGET", g.key(), field(g)]],
  [3, (g) => ["HMGET", g.key(), ...fields(g, 4)]],
  [6, (g) => ["HDEL", g.key(), ...fields(g, 3)]],
  [2, (g) => ["HEXISTS", g.key(), field(g)]],
  [2, (g) => ["HLEN", g.key()]],
  [2, (g) => ["HSTRLEN", g.key(), field(g)]],
  [2, (g) => ["HKEYS", g.key()]],
  [2, (g) => ["HVALS", g.key()]],
  [4, (g) => ["HGETALL", g.key()]],
  [4, (g) => ["HINCRBY", g.key(), field(g), g.integer()]],
  [4, (g) => ["HINCRBYFLOAT", g.key(), field(g), g.float()]],
  [2, (g) => ["HRANDFIELD", g.key(), ...g.some(60, [() => ["0"]])]],
  [2, (g) => ["HSCAN", g.key(), g.chance(95) ? "0" : g.integer(), ...scanOptions(g)]],
  [2, (g) => ["OBJECT", "ENCODING", g.key()]],
  [2, (g) => ["SET", g.key(), g.value()]],
  [1, (g) => ["GET", g.key()]],
  [1, (g) => ["TYPE", g.key()]],
  [2, (g) => ["DEL", g.key()]],
  [1, (g) => ["RENAME", g.key(), g.key()]],
  [
    1,
    (
      g,
    ) => ["COPY", g.key(), g.key(), ...g.some(30, [() => ["DB", g.database()], () => ["REPLACE"]])],
  ],
  [1, (g) => ["MOVE", g.key(), g.database()]],
  [1, (g) => ["SELECT", g.database()]],
  [1, (g) => ["EXPIRE", g.key(), "10000"]],
  [1, (g) => ["PERSIST", g.key()]],
];
