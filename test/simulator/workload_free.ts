import { createHash } from "node:crypto";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";

/** The letters of keys: list, hash, set, sorted set, stream, bits, HyperLogLog, number. */
const LETTERS = ["l", "h", "s", "z", "x", "x", "b", "p", "n"];
/** All keys there are. */
export const FREE_KEYS: readonly Bytes[] = [...new Set(LETTERS)]
  .flatMap((letter) => [`${letter}0`, `${letter}1`]);
const EXPIRE_ALL = "for _,k in ipairs(KEYS) do redis.call('PEXPIRE',k,ARGV[1]) end";
const CALL = "return redis.pcall(unpack(ARGV))";
const CALL_MANY = "for _,c in ipairs(ARGV) do local w={} " +
  "for x in c:gmatch('%S+') do w[#w+1]=x end redis.pcall(unpack(w)) end";
const CALL_SHA = createHash("sha1").update(CALL).digest("hex");
const CALL_LIBRARY = "#!lua name=free\n" +
  "redis.register_function('call', function(keys, argv) return redis.pcall(unpack(argv)) end)";
/** Words of commands that may wait for data. */
export const WAITING_WORDS: readonly string[] = [
  ...["BLPOP", "BRPOP", "BLMOVE", "BLMPOP", "BZPOP", "BZMPOP", "BLOCK", "XREAD"],
];
const GROUPS = ["g0", "g1"];
/** Reads whose replies the log's digest has, as a script calls them. */
const READS: Readonly<Record<string, readonly string[]>> = {
  l: ["LRANGE|1|4", "LINDEX|-2", "LPOS|e3", "LLEN"],
  h: ["HGETALL", "HGET|e3", "HSCAN|0|COUNT|3", "HPTTL|FIELDS|1|e2", "HLEN", "HRANDFIELD"],
  s: ["SMEMBERS", "SISMEMBER|e3", "SSCAN|0|COUNT|3", "SCARD", "SRANDMEMBER|2"],
  z: [
    "ZRANGE|1|4|WITHSCORES",
    "ZRANK|e3",
    "ZCOUNT|2|(5",
    "ZRANGEBYSCORE|-inf|4",
    "ZREVRANGE|0|2",
    "ZSCAN|0|COUNT|3",
    "ZSCORE|e2",
    "ZRANDMEMBER|2",
  ],
  x: [
    "XRANGE|-|+|COUNT|5",
    "XREVRANGE|+|-|COUNT|3",
    "XLEN",
    "XINFO|STREAM",
    "XPENDING|g0",
    "XPENDING|g1|-|+|9",
    "XINFO|GROUPS",
  ],
  b: ["BITCOUNT", "BITPOS|1", "GETRANGE|2|9", "GETBIT|11"],
  p: ["PFCOUNT"],
  n: ["GET", "STRLEN"],
};

/** The letter of the keys that most of a run's commands are for. */
export function drawFocus(random: Prng): string {
  return LETTERS[random.below(LETTERS.length)];
}

/** A write to a free database: what it does, no reference need know. */
export function freeWords(random: Prng, db: number, focus: string): Bytes[] {
  const letter = random.next() < 0.6 ? focus : drawFocus(random);
  const at = random.below(2);
  const key = `${letter}${at}`;
  const other = `${letter}${1 - at}`;
  const chance = random.next();
  if (chance < 0.13) return wholeWords(random, db, key, other);
  if (chance < 0.28) return readWords(random, letter, key);
  if (chance < 0.34) return scriptWords(random, letter, key);
  if (chance < 0.38) return blockWords(random, key, other);
  if (chance < 0.42) return calledWords(random, key, elementWords(random, letter, key, other));
  if (chance < 0.52) return manyWords(random, letter, key, other);
  return elementWords(random, letter, key, other);
}

/** Some commands as one, among which reads draw by chance as well and the database may change. */
export function freeTransaction(random: Prng, db: number, focus: string): Bytes[][] {
  const queue: Bytes[][] = [];
  for (let left = 1 + random.below(5); left > 0; left--) {
    const letter = random.next() < 0.5 ? focus : random.next() < 0.5 ? "s" : drawFocus(random);
    const at = random.below(2);
    const key = `${letter}${at}`;
    const other = `${letter}${1 - at}`;
    const chance = random.next();
    if (chance < 0.3) queue.push(directRead(random, letter, key));
    else if (chance < 0.4) queue.push(["SRANDMEMBER", "s0"], ["SPOP", "s0"]);
    else if (chance < 0.5) queue.push(["SELECT", String(random.next() < 0.5 ? db : 5 - db)]);
    else if (chance < 0.6) queue.push(blockWords(random, key, other));
    else queue.push(elementWords(random, letter, key, other));
  }
  return [["MULTI"], ...queue, ["EXEC"]];
}

/** What becomes of a key of any type, or of a whole database. */
function wholeWords(random: Prng, db: number, key: Bytes, other: Bytes): Bytes[] {
  const otherDb = String(5 - db);
  // Some come due at the same time.
  const ms = String(100 * (1 + random.below(6)));
  switch (random.below(18)) {
    case 0:
    case 16:
    case 17:
      return random.next() < 0.3 ? ["FLUSHDB"] : ["SWAPDB", String(db), otherDb];
    case 1:
      return ["RENAMENX", key, other];
    case 2:
      return ["COPY", key, other, "DB", otherDb, "REPLACE"];
    case 3:
      return ["MOVE", key, otherDb];
    case 4:
      return ["COPY", key, other, "REPLACE"];
    case 5:
      return [random.next() < 0.5 ? "UNLINK" : "DEL", key, other];
    case 6:
      // Another type takes the place of what was there.
      return ["SET", key, ms, "PX", ms];
    case 7:
    case 8:
      return ["PERSIST", key];
    case 9:
      return ["EVAL", EXPIRE_ALL, String(FREE_KEYS.length), ...FREE_KEYS, ms];
    case 10:
    case 11:
      return ["RENAME", key, other];
    default:
      return ["PEXPIRE", key, ms, ["NX", "XX", "GT", "LT"][random.below(4)]].slice(
        0,
        random.next() < 0.7 ? 3 : 4,
      );
  }
}

function readWords(random: Prng, letter: string, key: Bytes): Bytes[] {
  return ["EVAL", CALL, "1", key, ...directRead(random, letter, key)];
}

function directRead(random: Prng, letter: string, key: Bytes): Bytes[] {
  const reads = READS[letter];
  const [name, ...words] = reads[random.below(reads.length)].split("|");
  const at = name === "XINFO" ? 1 : 0;
  return [name, ...words.slice(0, at), key, ...words.slice(at)];
}

/** Many elements at a time, so that there are large collections; or two that go with one another. */
function scriptWords(random: Prng, letter: string, key: Bytes): Bytes[] {
  const call: Readonly<Record<string, string>> = {
    l: "'RPUSH',KEYS[1],'e'..i",
    h: "'HSET',KEYS[1],'e'..i,i",
    s: "'SADD',KEYS[1],'e'..i",
    z: "'ZADD',KEYS[1],i%7,'e'..i",
    x: "'XADD',KEYS[1],'*','f',string.rep('x',ARGV[2])",
    b: "'SETBIT',KEYS[1],i*5,1",
    p: "'PFADD',KEYS[1],'e'..i",
    n: "'INCR',KEYS[1]",
  };
  // Some are of several blocks of places, or of more rows than are deleted at a time.
  const isLarge = "hszx".includes(letter) && random.next() < 0.08;
  const count = String(1 + random.below(isLarge ? 300 : 30));
  const script = `for i=1,ARGV[1] do redis.pcall(${call[letter]}) end`;
  return ["EVAL", script, "1", key, count, String(random.below(isLarge ? 9 : 600))];
}

function elementWords(random: Prng, letter: string, key: Bytes, other: Bytes): Bytes[] {
  const element = () => `e${random.below(30)}`;
  const number = () => String(random.below(9));
  const some = [element(), element(), element()].slice(random.below(3));
  const side = () => random.next() < 0.5 ? "LEFT" : "RIGHT";
  const one = (...of: Bytes[][]) => of[random.below(of.length)];
  switch (letter) {
    case "l":
      return one(
        ["RPUSH", key, ...some],
        ["LPUSH", key, ...some],
        ["LMOVE", key, other, side(), side()],
        ["LPOP", key, number()],
        ["LINSERT", key, "BEFORE", element(), element()],
        ["LREM", key, "0", element()],
        ["LSET", key, number(), element()],
        ["LTRIM", key, "1", "-2"],
        ["SORT", key, "ALPHA", "STORE", other],
      );
    case "h":
      return one(
        ["HSET", key, ...some.flatMap((each) => [each, number()])],
        ["HSETNX", key, element(), number()],
        ["HDEL", key, ...some],
        ["HPEXPIRE", key, String(1 + random.below(500)), "FIELDS", "1", element()],
        ["HPEXPIRE", key, String(1 + random.below(500)), "FIELDS", "2", element(), element()],
        ["HPERSIST", key, "FIELDS", "1", element()],
        ["HINCRBY", key, element(), number()],
        ["HGETDEL", key, "FIELDS", "1", element()],
      );
    case "s":
      return one(
        ["SADD", key, ...some],
        ["SADD", key, ...some, element(), element()],
        ["SREM", key, ...some],
        ["SMOVE", key, other, element()],
        ["SPOP", key],
        ["SPOP", key, number()],
        ["SUNIONSTORE", key, key, other],
        ["SDIFFSTORE", other, key, other],
      );
    case "z":
      return one(
        ["ZADD", key, ...some.flatMap((each) => [number(), each])],
        ["ZADD", key, "GT", number(), element()],
        ["ZINCRBY", key, "-1.5", element()],
        ["ZREM", key, ...some],
        ["ZPOPMIN", key],
        ["ZPOPMAX", key, "2"],
        ["ZREMRANGEBYRANK", key, "1", "2"],
        ["ZREMRANGEBYSCORE", key, number(), "(4"],
        ["ZUNIONSTORE", key, "2", key, other],
        ["ZRANGESTORE", other, key, "0", "5"],
      );
    case "x":
      return streamWords(random, key);
    case "b":
      return one(
        ["SETBIT", key, String(random.below(200)), "1"],
        ["SETRANGE", key, number(), element()],
        ["BITFIELD", key, "INCRBY", "u5", number(), "3"],
        ["BITOP", "XOR", key, key, other],
        ["APPEND", key, element()],
        ["GETDEL", key],
      );
    case "p":
      return one(["PFADD", key, ...some], ["PFADD", key, ...some], ["PFMERGE", key, other]);
  }
  return one(
    ["INCRBY", key, number()],
    ["INCRBYFLOAT", key, "0.25"],
    ["GETEX", key, "PX", String(1 + random.below(500))],
    ["GETEX", key, "PERSIST"],
    ["SET", key, number(), "KEEPTTL"],
    ["MSETNX", key, number(), other, number()],
    ["GETSET", key, number()],
    ["DECR", key],
  );
}

/** Ids begin anew, behind those of what is left. */
const BEGIN_ANEW = "redis.pcall('XTRIM',KEYS[1],'MAXLEN',ARGV[1]) " +
  "redis.pcall('XSETID',KEYS[1],'0-1') " +
  "for i=2,ARGV[2] do redis.pcall('XADD',KEYS[1],'0-'..i,'f','v') end";

function streamWords(random: Prng, key: Bytes): Bytes[] {
  const group = GROUPS[random.below(2)];
  const consumer = `c${random.below(3)}`;
  const below = (max: number) => String(random.below(max));
  const trim = random.next() < 0.5 ? ["MAXLEN", "~", below(30)] : ["MAXLEN", below(20)];
  switch (random.below(18)) {
    case 0:
      return ["XTRIM", key, ...trim];
    case 1:
      return ["XADD", key, ...trim, "*", "f", "v"];
    case 2:
    case 12:
      return ["XGROUP", "CREATE", key, group, random.next() < 0.5 ? "0" : "$", "MKSTREAM"];
    case 3:
      return random.next() < 0.5
        ? ["XGROUP", "DESTROY", key, group]
        : ["XGROUP", "SETID", key, group, random.next() < 0.5 ? "0" : "$"];
    case 4:
      return random.next() < 0.3
        ? ["XGROUP", "DELCONSUMER", key, group, consumer]
        : ["XGROUP", "CREATECONSUMER", key, group, consumer];
    case 5:
    case 6:
    case 7:
      return ["XREADGROUP", "GROUP", group, consumer, "COUNT", "3", "STREAMS", key, ">"];
    case 8:
      return ["XAUTOCLAIM", key, group, consumer, below(300), "0", "COUNT", "2"];
    case 9:
      return onFirst(key, `'XACK',KEYS[1],'${group}'`);
    case 10:
      return onFirst(key, `'XDEL',KEYS[1]`);
    case 11:
      return ["XREADGROUP", "GROUP", group, consumer, "STREAMS", key, "0"];
    case 16:
      return onFirst(key, `'XDEL',KEYS[1]`, 1);
    case 17:
      return random.next() < 0.4
        ? ["XGROUP", "DELCONSUMER", key, group, consumer]
        : ["EVAL", BEGIN_ANEW, "1", key, below(2), below(6)];
    default:
      return ["XADD", key, "*", "f", "v".repeat(random.below(40))];
  }
}

/** Waits for a moment, or for some, for what is not there. */
function blockWords(random: Prng, key: Bytes, other: Bytes): Bytes[] {
  const isLong = random.next() < 0.2;
  const seconds = `${isLong ? 1 : 0}.${1 + random.below(4)}`;
  const side = () => random.next() < 0.5 ? "LEFT" : "RIGHT";
  const group = ["GROUP", GROUPS[random.below(2)], `c${random.below(3)}`];
  const one = (...of: Bytes[][]) => of[random.below(of.length)];
  switch (key[0]) {
    case "l":
      return one(
        ["BLPOP", key, other, seconds],
        ["BRPOP", other, key, seconds],
        ["BLMOVE", key, other, side(), side(), seconds],
        ["BLMOVE", key, key, side(), side(), seconds],
        ["BRPOPLPUSH", key, other, seconds],
        ["BLMPOP", seconds, "2", key, other, side(), "COUNT", "3"],
      );
    case "z":
      return one(
        ["BZPOPMIN", key, other, seconds],
        ["BZPOPMAX", key, seconds],
        ["BZMPOP", seconds, "2", key, other, "MIN", "COUNT", "2"],
      );
  }
  const stream = `x${random.below(2)}`;
  const ms = String((isLong ? 1000 : 50) + random.below(300));
  return random.next() < 0.3
    ? ["XREAD", "BLOCK", ms, "STREAMS", stream, "$"]
    : ["XREADGROUP", ...group, "COUNT", "2", "BLOCK", ms, "STREAMS", stream, ">"];
}

/** A command by a script or a function that is known by its name, if it is. */
function calledWords(random: Prng, key: Bytes, argv: readonly Bytes[]): Bytes[] {
  const chance = random.next();
  if (chance < 0.1) return ["SCRIPT", "LOAD", CALL];
  if (chance < 0.2) return ["FUNCTION", "LOAD", "REPLACE", CALL_LIBRARY];
  return chance < 0.6
    ? ["EVALSHA", CALL_SHA, "1", key, ...argv]
    : ["FCALL", "call", "1", key, ...argv];
}

/** Some commands in one step; words of a script are not taken apart, so there are none among them. */
function manyWords(random: Prng, letter: string, key: Bytes, other: Bytes): Bytes[] {
  const commands = Array.from(
    { length: 2 + random.below(8) },
    () => elementWords(random, letter, key, other),
  ).filter(([name]) => name !== "EVAL").map((argv) => argv.join(" "));
  return ["EVAL", CALL_MANY, "1", key, ...commands];
}

/** Only the stream knows its ids. */
function onFirst(key: Bytes, call: string, count = 3): Bytes[] {
  const first = `redis.pcall('XRANGE',KEYS[1],'-','+','COUNT',${count})`;
  const script = `local r=${first} for _,e in ipairs(r) do redis.pcall(${call},e[1]) end`;
  return ["EVAL", script, "1", key];
}
