import type { Bytes } from "../../src/base/bytes.ts";
import type { Argv, CommandMakers, Generator } from "./generator.ts";
import { some } from "./words.ts";

const MEMBERS = "abcdefghijklmnopqrstuvw".split("");
const UNITS = ["m", "km", "ft", "mi", "KM", "parsec"];

/** Around one place, or anywhere; the same place now and then, so that distances are equal. */
function position(g: Generator): Argv {
  const dice = g.prng.below(20);
  if (dice === 0) return [g.float(), g.float()];
  if (dice === 1) {
    return [g.pick(["180", "-180", "0"]), g.pick(["85.05112878", "-85.05112878", "0"])];
  }
  if (dice === 2) {
    return [g.pick(["181", "-180.0078125", "1e22", "13"]), g.pick(["86", "38", "inf"])];
  }
  if (dice < 6) return ["13.361389", "38.115556"];
  if (dice < 11) return [String(g.prng.below(360) - 180), String(g.prng.below(170) - 85)];
  return [String(13 + g.prng.next()), String(38 + g.prng.next())];
}

function member(g: Generator): Bytes {
  return g.chance(95) ? g.pick(MEMBERS) : g.value();
}

function size(g: Generator): Bytes {
  if (g.chance(10)) return g.float();
  return String(g.prng.below(10 ** g.prng.below(9)) / (g.chance(30) ? 7 : 1));
}

function unit(g: Generator): Bytes {
  return g.chance(97) ? g.pick(UNITS.slice(0, 5)) : g.pick(UNITS);
}

function count(g: Generator): Argv {
  const number = g.chance(90) ? String(1 + g.prng.below(12)) : g.integer();
  return g.chance(20) ? ["COUNT", number, "ANY"] : ["COUNT", number];
}

function options(g: Generator, percent: number): Argv {
  return g.some(percent, [
    () => ["WITHCOORD"],
    () => ["WITHDIST"],
    () => ["WITHHASH"],
    () => [g.pick(["ASC", "DESC", "asc"])],
    () => count(g),
  ]);
}

function storing(g: Generator): Argv {
  return g.some(40, [
    () => [g.pick(["ASC", "DESC"])],
    () => count(g),
    () => [g.pick(["STORE", "STOREDIST", "store"]), g.key()],
    () => g.chance(10) ? ["WITHDIST"] : [],
  ]);
}

function shape(g: Generator): Argv {
  const from = () => g.chance(50) ? ["FROMMEMBER", member(g)] : ["FROMLONLAT", ...position(g)];
  const by =
    () => (g.chance(50) ? ["BYRADIUS", size(g), unit(g)] : ["BYBOX", size(g), size(g), unit(g)]);
  return g.some(96, [from, by, () => g.chance(4) ? from() : [], () => g.chance(4) ? by() : []]);
}

/** The commands on positions. */
export const GEO: CommandMakers = [
  [
    12,
    (g) => [
      "GEOADD",
      g.key(),
      ...g.some(10, ["NX", "XX", "CH", "GT"].map((word) => () => [word])),
      ...some(g, 6, () => "").flatMap(() => [...position(g), member(g)]),
    ],
  ],
  [3, (g) => ["GEODIST", g.key(), member(g), member(g), ...g.some(50, [() => [unit(g)]])]],
  [3, (g) => ["GEOHASH", g.key(), ...some(g, 3, () => member(g))]],
  [3, (g) => ["GEOPOS", g.key(), ...some(g, 3, () => member(g))]],
  [10, (g) => ["GEOSEARCH", g.key(), ...shape(g), ...options(g, 40)]],
  [
    5,
    (g) => [
      "GEOSEARCHSTORE",
      g.key(),
      g.key(),
      ...shape(g),
      ...options(g, 3),
      ...g.some(40, [() => ["STOREDIST"], () => count(g)]),
    ],
  ],
  [3, (g) => ["GEORADIUS", g.key(), ...position(g), size(g), unit(g), ...options(g, 40)]],
  [3, (g) => ["GEORADIUS", g.key(), ...position(g), size(g), unit(g), ...storing(g)]],
  [2, (g) => ["GEORADIUS_RO", g.key(), ...position(g), size(g), unit(g), ...options(g, 40)]],
  [3, (g) => ["GEORADIUSBYMEMBER", g.key(), member(g), size(g), unit(g), ...storing(g)]],
  [2, (g) => ["GEORADIUSBYMEMBER_RO", g.key(), member(g), size(g), unit(g), ...options(g, 40)]],
  [3, (g) => ["ZRANGE", g.key(), "0", "-1", "WITHSCORES"]],
  [1, (g) => ["ZADD", g.key(), g.float(), member(g)]],
  [1, (g) => ["SET", g.key(), g.value()]],
  [2, (g) => ["DEL", ...g.keys(2)]],
  [1, (g) => ["ZREM", g.key(), member(g)]],
];
