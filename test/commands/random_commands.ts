import type { Bytes } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";

const KEYS: readonly Bytes[] = ["a", "b", "c", "\x00\xff\r\n", "", "list"];

const INTEGERS: readonly Bytes[] = [
  ..."0 1 -1 2 3 5 7 10 100 -2 -5 4294967296 -4294967297".split(" "),
  ..."9007199254740991 9007199254740992 9007199254740993 -9007199254740993".split(" "),
  ..."9223372036854775807 -9223372036854775808 9223372036854775806".split(" "),
  ..."9223372036854775808 -9223372036854775809 01 +1 -0 1.5 x 1e3 0x10 -".split(" "),
  "",
  " 1",
  "1 ",
  "1\x00",
];

const VALUES: readonly Bytes[] = [
  "",
  "hello",
  "ohmytext",
  "mynewtext",
  "\x00\xff\r\n$-1\r\n",
  "foobar",
  "\xff\xff\xff",
  "\x00\x00\x00\x01",
  "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc",
];

/**
 * Expiries far from any that a slow run could pass. GT and LT go with absolute times only: the
 * clock of redis-server moves between two equal durations.
 */
const DURATIONS: readonly Bytes[] = [
  ..."0 -1 100000 200000 9999999999 x -100000 9223372036854775807".split(" "),
  ..."-9223372036854775 -9223372036854775808 99999999999999999999".split(" "),
];
const TIMES: readonly Bytes[] = "0 -1 1 33000000000 33000000001 5000000000000 x 1e9".split(" ");

const PATTERNS: readonly Bytes[] = ["*", "?", "a*", "[a-b]", "[^a]", "", "**", "\\*", "[a", "\xff"];

/** What stands for one or more arguments in a template. */
const POOLS: Record<string, (random: Prng) => Bytes> = {
  K: randomKey,
  I: (random) => pick(random, INTEGERS),
  V: (random) => pick(random, random.below(3) === 0 ? INTEGERS : VALUES),
  F: randomFloat,
  D: (random) => pick(random, DURATIONS),
  T: (random) => pick(random, TIMES),
  P: (random) => pick(random, PATTERNS),
  O: (random) => String(random.below(40) - 15),
  N: (random) => String(random.below(3)),
  B: (random) => String(random.below(2)),
  G: (random) => pick(random, "0 1 7 8 9 31 64 100 -1 x 4294967296".split(" ")),
  W: (random) => pick(random, ["BIT", "BYTE", "bit", "FOO"]),
  Y: (random) =>
    pick(random, "u1 u8 i8 u3 i5 i16 u16 u32 i32 i64 u63 u64 i0 i65 x8 u i08 i63".split(" ")),
  H: (random) => pick(random, "0 #1 #0 3 8 #3 17 100 -1 # x #-1 0 3 5".split(" ")),
};

/** Upper-case words are literal; `K` and the like one of a pool; `[…]` may be left out. */
const TEMPLATES: readonly string[] = [
  "GET K|GETDEL K|GETSET K V|STRLEN K|APPEND K V|SETNX K V|MGET K K K",
  "SET K V|SET K V [NX] [GET]|SET K V [XX] [EX D] [GET]|SET K V [KEEPTTL] [PX D] [NX] [XX]",
  "SET K V EX D|SET K V EXAT T|SET K V PXAT T|SETEX K D V|PSETEX K D V|SET K F|SET K I",
  "GETEX K|GETEX K EX D|GETEX K PXAT T|GETEX K PERSIST|GETEX K [PERSIST] [EXAT T]",
  "MSET K V K V|MSETNX K V K V|INCR K|DECR K|INCRBY K I|DECRBY K I|INCR K|INCRBY K I",
  "INCRBYFLOAT K F|INCRBYFLOAT K F|INCRBYFLOAT K F|INCRBYFLOAT K I",
  "GETRANGE K O O|GETRANGE K I I|SUBSTR K O O|SETRANGE K O V",
  "LCS K K|LCS K K [LEN] [IDX] [MINMATCHLEN O] [WITHMATCHLEN]",
  "DEL K|UNLINK K K|EXISTS K K|TOUCH K|TYPE K|RENAME K K|RENAMENX K K|MOVE K N",
  "COPY K K|COPY K K [DB N] [REPLACE]|KEYS P|SCAN 0 COUNT 1000 [MATCH P] [TYPE string]",
  "EXPIRE K D|PEXPIRE K D [NX]|EXPIREAT K T [GT] [LT]|PEXPIREAT K T [XX] [NX]|PERSIST K",
  "EXPIRE K D [XX] [NX]|EXPIREAT K T [LT] [XX]|TTL K|PTTL K|EXPIRETIME K|PEXPIRETIME K|SELECT N|SWAPDB N N",
  "SADD K x|SETBIT K G B|SETBIT K G B|GETBIT K G|BITCOUNT K|BITCOUNT K O O|BITCOUNT K O O W",
  "BITPOS K B|BITPOS K B O|BITPOS K B O O|BITPOS K B O O W|BITCOUNT K I I|BITPOS K B I I",
  "BITOP NOT K K|BITOP AND K K K|BITOP OR K K K K|BITOP XOR K K K|BITOP NOT K K [K]",
  "BITFIELD K GET Y H|BITFIELD K SET Y H I|BITFIELD K INCRBY Y H I|BITFIELD_RO K GET Y H",
  "BITFIELD K [OVERFLOW WRAP] [OVERFLOW FAIL] SET Y H I INCRBY Y H I [GET Y H] [GET Y H]",
  "BITFIELD K OVERFLOW SAT INCRBY Y H I INCRBY Y H I|BITFIELD K OVERFLOW SAT SET Y H I",
  "BITFIELD K OVERFLOW FAIL INCRBY Y H O|BITFIELD_RO K GET Y H [SET Y H I]",
];

const CHOICES: readonly string[] = TEMPLATES.flatMap((line) => line.split("|"));

/** A command with random arguments: mostly well-formed, on few keys so that they meet. */
export function randomCommand(random: Prng, choices: readonly string[] = CHOICES): Bytes[] {
  if (random.below(400) === 0) return ["FLUSHALL"];
  const argv: Bytes[] = [];
  for (const part of pick(random, choices).split(/ (?![^[]*\])/)) {
    const optional = part.startsWith("[");
    if (optional && random.below(2) === 0) continue;
    const words = (optional ? part.slice(1, -1) : part).split(" ");
    for (const word of words) argv.push(POOLS[word]?.(random) ?? word);
  }
  return argv;
}

/** One of the few keys that random commands are about. */
export function randomKey(random: Prng): Bytes {
  return pick(random, KEYS);
}

function randomFloat(random: Prng): Bytes {
  const sign = pick(random, ["", "-", "", "+"]);
  const whole = String(random.below(10 ** random.below(16)));
  const fraction = random.below(3) === 0
    ? ""
    : "." + random.nextUint32().toString().padStart(random.below(20), "0") +
      String(random.below(2 ** 53));
  const power = random.below(4) === 0 ? `e${random.below(50) - 30}` : "";
  const huge = random.below(30) === 0 ? `e${random.below(10_000) - 5000}` : power;
  return sign + whole + fraction + huge;
}

function pick<Item>(random: Prng, items: readonly Item[]): Item {
  return items[random.below(items.length)];
}
