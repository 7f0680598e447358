import { Prng } from "../../src/base/prng.ts";
import type { Bytes } from "../../src/base/bytes.ts";

export type Argv = readonly Bytes[];
export const GROUPS = [
  "string",
  "keyspace",
  "expire",
  "connection",
  "hash",
  "list",
  "set",
  "sort",
  "zset",
  "geo",
  "stream",
  "script",
] as const;
export type Group = typeof GROUPS[number];

type Maker = (g: Generator) => Argv;
/** How often each command of a group is drawn, and how it is made. */
export type CommandMakers = readonly (readonly [weight: number, make: Maker])[];

const SMALL_KEYS = ["a", "b", "c", "k1", "k2", "key:{x}", "\x00\xff", "", "*", "a b", "h[a]llo"];

const NUMBERS = [
  "0",
  "1",
  "-1",
  "2",
  "5",
  "10",
  "-10",
  "100",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808",
  "-9223372036854775809",
  "4294967296",
  "2147483648",
  "9007199254740993",
];

/** Expiries that Redis keeps and Balsa cuts to 2^53 - 1 milliseconds: README.md. */
const CAPPED_EXPIRIES = ["9223372036854775807", "9007199254740993"];

const ODD_NUMBERS = [
  "",
  " 1",
  "1 ",
  "+1",
  "01",
  "1.0",
  "1e2",
  "0x10",
  "abc",
  "-",
  "--1",
  "-0",
  "\x001",
];

/** Commands that act by chance when they have fewer arguments. */
const FICKLE = new Set(["SPOP"]);

/** Commands of so many words, which have to be as they are, get no odd number. */
const LONG = 100;
/** Commands that an odd number makes wait for ever. */
const STALLING = new Set(["DEBUG", "WAIT", "XREAD", "XREADGROUP"]);

/** A sorted set whose members are to come into no other: see zset_makers.ts. */
export const LONG_MEMBERS_KEY = "long";
/** Commands whose key stays: XADD with "*" is the same on both servers only for one. */
const PINNED = new Set(["XADD"]);

const FLOATS = [
  "0",
  "1.5",
  "-1.5",
  "3.0e3",
  "0.1",
  "0.2",
  "1e-10",
  "1e17",
  "1e300",
  "123456789.123456789",
  "5e-324",
  "-0",
  "3.141592653589793238",
  "10.00",
  "1e400",
  "inf",
  "-inf",
  "+inf",
  "nan",
  "infinity",
  " 1.5",
  "1.5 ",
  "0x1p3",
  "",
  "abc",
  "1.5e",
  ".5",
  "5.",
];

const NONE: ReadonlySet<Bytes> = new Set();

/** Draws commands, none with a word that is avoided; the same seed gives the same commands. */
export class Generator {
  readonly prng: Prng;
  readonly #makers: CommandMakers;
  readonly #totalWeight: number;
  readonly #avoided: ReadonlySet<Bytes>;
  /** Unix time in milliseconds near which absolute expiries are drawn. */
  readonly nowMs: number;

  constructor(seed: number, makers: CommandMakers, nowMs: number, avoided = NONE) {
    this.#avoided = avoided;
    this.prng = new Prng(seed);
    this.#makers = makers;
    this.#totalWeight = makers.reduce((sum, [weight]) => sum + weight, 0);
    this.nowMs = nowMs;
  }

  /** The next command: mostly well-formed, now and then with a word dropped, doubled or odd. */
  next(): Argv {
    const argv = [...this.#draw()];
    const dice = this.prng.below(60);
    if (dice === 0 && argv.length > 1 && !FICKLE.has(argv[0])) argv.pop();
    else if (dice === 1) argv.push(this.value());
    else if (dice === 2 && argv.length > 2 && argv.length < LONG && !STALLING.has(argv[0])) {
      const first = PINNED.has(argv[0]) || argv[1] === LONG_MEMBERS_KEY ? 2 : 1;
      argv[first + this.prng.below(argv.length - first)] = this.oddNumber();
    } else if (dice === 3) argv[0] = this.mixCase(argv[0]);
    return this.#avoided.size === 0
      ? argv
      : argv.map((word) => this.#avoided.has(word) ? "7" : word);
  }

  #draw(): Argv {
    let at = this.prng.below(this.#totalWeight);
    for (const [weight, make] of this.#makers) {
      if (at < weight) return make(this);
      at -= weight;
    }
    throw new Error("The weights do not add up");
  }

  pick<T>(from: readonly T[]): T {
    return from[this.prng.below(from.length)];
  }

  chance(percent: number): boolean {
    return this.prng.below(100) < percent;
  }

  key(): Bytes {
    return this.pick(SMALL_KEYS);
  }

  keys(most: number): Bytes[] {
    return Array.from({ length: 1 + this.prng.below(most) }, () => this.key());
  }

  integer(): Bytes {
    if (this.chance(8)) return this.pick(ODD_NUMBERS);
    return this.chance(25) ? this.pick(NUMBERS) : String(this.prng.below(40) - 15);
  }

  float(): Bytes {
    return this.chance(60) ? this.pick(FLOATS) : String((this.prng.below(2000) - 1000) / 8);
  }

  /** No number, or one that as an expiry does not fall due during a run. */
  oddNumber(): Bytes {
    return this.pick([...ODD_NUMBERS, ...NUMBERS.filter((text) => !/^\d{1,3}$/.test(text))]);
  }

  /** An index or offset: small, at times absurd. */
  index(): Bytes {
    return this.chance(10) ? this.integer() : String(this.prng.below(24) - 8);
  }

  value(): Bytes {
    const dice = this.prng.below(10);
    if (dice < 3) return this.integer();
    if (dice === 3) return this.float();
    if (dice === 4) return "";
    if (dice === 5) return "\x00\r\n\xff\x80";
    if (dice === 6) return "x".repeat(40 + this.prng.below(10));
    if (dice === 7) return this.bytes(200);
    return this.bytes(12);
  }

  bytes(most: number): Bytes {
    const length = this.prng.below(most + 1);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.prng.below(256));
    return text;
  }

  database(): Bytes {
    return this.chance(10) ? this.integer() : String(this.prng.below(4));
  }

  mixCase(word: Bytes): Bytes {
    return [...word].map((c) => this.chance(50) ? c.toLowerCase() : c.toUpperCase()).join("");
  }

  /** Some of `options`, in random order, each with its words. */
  some(percent: number, options: readonly (() => Argv)[]): Bytes[] {
    const words: Bytes[] = [];
    for (const option of options) {
      if (this.chance(percent)) {
        if (this.chance(50)) words.push(...option());
        else words.unshift(...option());
      }
    }
    return words;
  }

  /**
   * Seconds until an expiry that no run outlives, or one that is past or refused. Never near an
   * absolute one and seldom equal to another, so GT and LT do not depend on the milliseconds
   * between two servers.
   */
  relativeSeconds(): Bytes {
    const dice = this.prng.below(12);
    if (dice === 0) return this.#oddExpiry();
    if (dice === 1) return "-5";
    if (dice === 2) return "0";
    return String(10_000 + this.prng.below(10_000));
  }

  relativeMilliseconds(): Bytes {
    const seconds = this.relativeSeconds();
    return /^\d{5}$/.test(seconds) ? seconds + "000" : seconds;
  }

  absoluteSeconds(): Bytes {
    const dice = this.prng.below(12);
    if (dice === 0) return this.#oddExpiry();
    if (dice === 1) return String(Math.floor(this.nowMs / 1000) - 100);
    return String(Math.floor(this.nowMs / 1000) + 30_000 + this.prng.below(10_000));
  }

  absoluteMilliseconds(): Bytes {
    const seconds = this.absoluteSeconds();
    return /^\d{10}$/.test(seconds) ? `${seconds}${100 + this.prng.below(900)}` : seconds;
  }

  #oddExpiry(): Bytes {
    const number = this.oddNumber();
    return CAPPED_EXPIRIES.includes(number) ? "0" : number;
  }

  pattern(): Bytes {
    return this.pick([
      "*",
      "?",
      "k?",
      "[a-c]",
      "[^a]*",
      "h\\[*",
      "*b",
      "",
      "a",
      "k[1-",
      "\x00*",
      "**",
    ]);
  }
}
