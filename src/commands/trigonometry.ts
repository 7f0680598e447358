/*
 * Sine, cosine and arcsine that are the same on every node: engines differ in the last bit of
 * theirs, and distances are stored as scores. They are right to about 2^-64 before they are
 * rounded, so nearly always the nearest double, which is also what the C library gives.
 *
 * A number is kept as a sum of two doubles, the second below half a unit of the first's last place.
 */

interface Pair {
  readonly high: number;
  readonly low: number;
}

const SPLITTER = 2 ** 27 + 1;
const HALF_PI: Pair = { high: 1.5707963267948966, low: 6.123233995736766e-17 };
/** Distance of the entries of the table. */
const STEP = 1 / 32;
/** Up to a right angle, and one more. */
const TABLE_SIZE = 52;
/** Beyond, the arcsine is found from that of the complement. */
const STEEP = 0.7;

/** a + b, exactly. */
function sum(a: number, b: number): Pair {
  const high = a + b;
  const part = high - a;
  return { high, low: (a - (high - part)) + (b - part) };
}

/** a * b, exactly. */
function product(a: number, b: number): Pair {
  const high = a * b;
  const splitA = SPLITTER * a;
  const highA = splitA - (splitA - a);
  const lowA = a - highA;
  const splitB = SPLITTER * b;
  const highB = splitB - (splitB - b);
  const lowB = b - highB;
  return { high, low: ((highA * highB - high) + highA * lowB + lowA * highB) + lowA * lowB };
}

function add(a: Pair, b: Pair): Pair {
  const { high, low } = sum(a.high, b.high);
  return sum(high, low + a.low + b.low);
}

function multiply(a: Pair, b: Pair): Pair {
  const { high, low } = product(a.high, b.high);
  return sum(high, low + (a.high * b.low + a.low * b.high));
}

function negate({ high, low }: Pair): Pair {
  return { high: -high, low: -low };
}

interface Entry {
  readonly sine: Pair;
  readonly cosine: Pair;
}

/** Sines and cosines of the multiples of STEP. */
let table: readonly Entry[] | undefined;

function makeTable(): readonly Entry[] {
  const first = seriesEntry(STEP);
  const entries: Entry[] = [{ sine: { high: 0, low: 0 }, cosine: { high: 1, low: 0 } }];
  while (entries.length < TABLE_SIZE) {
    const { sine, cosine } = entries[entries.length - 1];
    entries.push({
      sine: add(multiply(sine, first.cosine), multiply(cosine, first.sine)),
      cosine: add(multiply(cosine, first.cosine), negate(multiply(sine, first.sine))),
    });
  }
  return entries;
}

/** By Taylor's series; `angle` is a small power of two, so its powers are exact. */
function seriesEntry(angle: number): Entry {
  const sums: [Pair, Pair] = [{ high: 1, low: 0 }, { high: angle, low: 0 }];
  let power = angle;
  let factorial = 1;
  for (let n = 2; n <= 16; n++) {
    power *= angle;
    factorial *= n;
    const high = power / factorial;
    const { high: back, low } = product(high, factorial);
    const term = { high, low: ((power - back) - low) / factorial };
    sums[n % 2] = add(sums[n % 2], n % 4 < 2 ? term : negate(term));
  }
  return { cosine: sums[0], sine: sums[1] };
}

/** The sine of an angle from 0 to a right one. */
function sineOf(angle: Pair): Pair {
  table ??= makeTable();
  const at = Math.floor(angle.high / STEP + 0.5);
  const { sine, cosine } = table[at];
  const rest = angle.high - at * STEP;
  // Of the rest, at most STEP / 2: sine less the angle, and cosine less 1.
  const square = rest * rest;
  const bow = rest * square *
    (-1 / 6 + square * (1 / 120 - square * (1 / 5040 - square * (1 / 362880))));
  const dip = square * (-1 / 2 + square * (1 / 24 - square * (1 / 720 - square * (1 / 40320))));
  const slope = product(cosine.high, rest);
  const { high, low } = sum(sine.high, slope.high);
  const small = cosine.high * bow + sine.high * dip + cosine.low * rest + slope.low + sine.low +
    angle.low * (cosine.high - sine.high * rest);
  return sum(high, low + small);
}

/** The sine of an angle of at most half a turn, either way. */
export function sin(angle: number): number {
  const size = Math.abs(angle);
  const acute = size <= HALF_PI.high
    ? { high: size, low: 0 }
    : sum(2 * HALF_PI.high - size, 2 * HALF_PI.low);
  const value = acute.high < 0 ? -sineOf(negate(acute)).high : sineOf(acute).high;
  return angle < 0 ? -value : value;
}

/** The cosine of an angle; beyond half a turn only as exact as the engine's. */
export function cos(angle: number): number {
  const size = Math.abs(angle);
  if (!(size <= 2 * HALF_PI.high)) return Math.cos(angle);
  const { high, low } = sum(HALF_PI.high - size, HALF_PI.low);
  // The difference is exact only where the two are near one another.
  const lost = (HALF_PI.high - (HALF_PI.high - size)) - size;
  const complement = sum(high, low + lost);
  return complement.high < 0 ? -sineOf(negate(complement)).high : sineOf(complement).high;
}

/** The arcsine of a number from 0 to 1; NaN beyond. */
export function asin(value: number): number {
  if (!(value >= 0 && value <= 1)) return NaN;
  if (value <= STEEP) return arcsineOf({ high: value, low: 0 }).high;
  // A right angle less twice the arcsine of √((1 - value) / 2).
  const half = (1 - value) / 2;
  const root = Math.sqrt(half);
  if (root === 0) return HALF_PI.high;
  const { high, low } = product(root, root);
  const { high: angle, low: rest } = arcsineOf(sum(root, ((half - high) - low) / (2 * root)));
  return add(HALF_PI, { high: -2 * angle, low: -2 * rest }).high;
}

/** The arcsine of a number from 0 to STEEP. */
function arcsineOf(value: Pair): Pair {
  table ??= makeTable();
  let at = 0;
  while (at + 1 < TABLE_SIZE && table[at + 1].sine.high <= value.high) at++;
  const { sine, cosine } = table[at];
  let angle = at * STEP + (value.high - sine.high) / cosine.high;
  // Each step doubles the right digits: 2^-11 at first.
  for (let step = 0; step < 2; step++) {
    angle += (value.high - sineOf({ high: angle, low: 0 }).high) / cos(angle);
  }
  const found = sineOf({ high: angle, low: 0 });
  return sum(angle, ((value.high - found.high) + (value.low - found.low)) / cos(angle));
}
