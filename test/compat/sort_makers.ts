import type { Argv, CommandMakers, Generator } from "./generator.ts";
import { some } from "./words.ts";

/**
 * Nothing that is too large or too small for a double: redis-server 7.0 keeps that error and gives
 * it again for the next number that is fine.
 */
const NUMBERS = ["0", "-0", "1", "01", "1.0", "2", "-3", "10", "1e1", "0x10", "inf", "-inf", "+.5"];
const ODD = ["", " 7", "7 ", "x", "nan", "abc", "a\x00b", "\xff", "7\x00x", "Inf", "1.5.1", "B"];

function element(g: Generator): string {
  const dice = g.prng.below(20);
  if (dice < 13) return String(g.prng.below(20) - 5);
  return dice < 19 ? g.pick(NUMBERS) : g.pick(ODD);
}

function elements(g: Generator): Argv {
  return some(g, 6, () => element(g));
}

/** What patterns lead to: strings and hashes of the few elements that are small integers. */
function weightKey(g: Generator): string {
  return `w_${g.prng.below(12) - 3}`;
}

function pattern(g: Generator): string {
  return g.pick([
    ..."w_* w_* w_* h_*->f h_*->f h_*->g *".split(" "),
    ..."h_* w_*->f h_*-> # #x w_**  *->f w_* w_*_x h_->*".split(" "),
    "w_*\x00",
    "#\x00x",
    "h_*->f\x00",
    "",
  ]);
}

function limit(g: Generator): Argv {
  return g.chance(95)
    ? ["LIMIT", String(g.prng.below(9) - 2), String(g.prng.below(9) - 2)]
    : ["LIMIT", g.integer(), g.integer()];
}

function by(g: Generator): Argv {
  return ["BY", g.chance(50) ? pattern(g) : "nosort"];
}

function gets(g: Generator): Argv {
  return some(g, 3, () => pattern(g)).flatMap((each) => ["GET", each]);
}

/** Options of a SORT that is stored: nothing that leaves the order of two elements open. */
function storedOptions(g: Generator): Argv {
  const order = () => g.chance(50) ? ["ALPHA"] : by(g);
  return g.some(40, [
    order,
    () => [g.pick(["DESC", "ASC", "desc"])],
    () => limit(g),
    () => gets(g),
  ]);
}

function options(g: Generator): Argv {
  const alpha = () => ["ALPHA"];
  const odd = () => g.chance(20) ? [g.pick(["NOPE", "BY", "LIMIT", "GET"])] : [];
  const order = () => [g.pick(["DESC", "ASC", "desc"])];
  return g.some(35, [() => by(g), alpha, order, () => limit(g), () => gets(g), odd]);
}

/** SORT, on lists, sets and sorted sets. */
export const SORT: CommandMakers = [
  [6, (g) => ["RPUSH", g.key(), ...elements(g)]],
  [6, (g) => ["SADD", g.key(), ...elements(g)]],
  [4, (g) => ["ZADD", g.key(), String(g.prng.below(9)), element(g)]],
  [5, (g) => ["SET", weightKey(g), element(g)]],
  [1, (g) => ["DEL", weightKey(g)]],
  [4, (g) => ["DEL", g.key()]],
  [24, (g) => ["SORT", g.key(), ...options(g)]],
  [6, (g) => ["SORT_RO", g.key(), ...options(g)]],
  [8, (g) => ["SORT", g.key(), ...storedOptions(g), "STORE", g.key()]],
  [3, (g) => ["LRANGE", g.key(), "0", "-1"]],
  [1, (g) => ["SMEMBERS", g.key()]],
  [1, (g) => ["SET", g.key(), "1"]],
  [1, (g) => ["TTL", g.key()]],
  [1, (g) => ["EXPIRE", g.key(), "10000"]],
];
