import type { Bytes } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";
import { besideWords, KEY_READS, keyWords } from "./workload_keys.ts";

/** A script that calls what it is told to. */
const CALL = "return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))";
/** One that adds what time and chance give it. */
const DRAW = "return redis.call('SADD', KEYS[1], math.random(1000), redis.call('TIME')[2])";
const SCRIPTED: ReadonlySet<Bytes> = new Set(["SET", "APPEND", "RPUSH", "LPUSH", "HSET", "ZADD"]);

/** Longer than any run, jumps of clocks included. */
const REMEMBERED_MS = 86_400_000;
/** Lists that are mostly empty, with many who wait for what is pushed to them. */
export const WAITED_KEY = "q2";
const WAITED_TOO = "q3";
const WATCHED = [WAITED_KEY, WAITED_TOO, "v0", "v1"];
/** What is taken out of this set, chance decides: the reference does not follow it. */
export const CHANCE_KEY = "u0";
/** Keys that are read; of a kind each, by their first letter. */
const STRINGS = ["r0", "r1", "r2", "r3", "v0", "v1", "c0", "c1", "l0", "l1"];
/** How all of a collection is read. */
const READS: readonly (readonly Bytes[])[] = [
  ["LRANGE", "q0", "0", "-1"],
  ["LRANGE", "q1", "0", "-1"],
  ["LRANGE", WAITED_TOO, "0", "-1"],
  ["HGETALL", "h0"],
  ["SMEMBERS", "s0"],
  ["ZRANGE", "z0", "0", "-1", "WITHSCORES"],
  ["HGETALL", "hn"],
  ["ZRANGE", "zn", "0", "-1", "WITHSCORES"],
  ["SRANDMEMBER", CHANCE_KEY],
  ...KEY_READS,
];

/** A request that reads and changes nothing. */
export function readWords(random: Prng): readonly Bytes[] {
  if (random.next() < 0.35) return READS[random.below(READS.length)];
  const key = STRINGS[random.below(STRINGS.length)];
  const other = STRINGS[random.below(STRINGS.length)];
  if (random.next() < 0.8) return ["GET", key];
  // Some are large: it takes pieces to bring them into the log, where their time has come.
  return random.next() < 0.5 ? ["MGET", key, other] : ["MGET", key, other, "v0", "v1", "r0"];
}

/** A request that waits until others hold what this connection knows of. */
export function replicaWords(random: Prng): readonly Bytes[] {
  return ["WAIT", String(random.below(4)), String(1 + random.below(300))];
}

/** A request that writes, named by `token`. */
export function writeWords(random: Prng, token: string, db: number, bytesMax: number): Bytes[] {
  if (random.next() < 0.3) return keyWords(random, token, db);
  if (random.next() < 0.06) return besideWords(random);
  const words = random.next() < 0.55
    ? stringWords(random, token, db, bytesMax)
    : collectionWords(random, token, db);
  return SCRIPTED.has(words[0]) && random.next() < 0.06 ? scriptWords(words) : words;
}

/** The same, done by a script. */
function scriptWords([name, key, ...words]: readonly Bytes[]): Bytes[] {
  return ["EVAL", CALL, "1", key, name, ...words];
}

/** What a script that `scriptWords` has made calls; any other command as it is. */
export function calledBy(argv: readonly Bytes[]): readonly Bytes[] {
  return argv[0] === "EVAL" && argv[1] === CALL ? [argv[4], argv[3], ...argv.slice(5)] : argv;
}

/** What a transaction holds against: keys that others write. */
export function watchWords(random: Prng): Bytes[] {
  // Some of them come and go.
  const key = () => random.next() < 0.7 ? `r${random.below(4)}` : WATCHED[random.below(4)];
  return random.next() < 0.3 ? ["WATCH", key(), key()] : ["WATCH", key()];
}

/** The keys that a transaction reads: one before it writes, or two and nothing else. */
export function transactionReads(random: Prng): Bytes[] {
  const count = [0, 0, 1, 1, 2][random.below(5)];
  return Array.from({ length: count }, () => `r${random.below(4)}`);
}

/** The writes of a transaction. */
export function transactionWords(random: Prng, token: string): Bytes[][] {
  const words = [["SET", `r${random.below(4)}`, token], ["SET", `r${random.below(4)}`, token]];
  if (random.next() < 0.5) words.push(["RPUSH", `q${random.below(2)}`, token]);
  if (random.next() < 0.3) words.push(["SADD", "s0", token]);
  return words;
}

/** A write that is carried out once in a short while; in another database it is another one. */
export function briefWords(random: Prng, token: string): Bytes[] {
  // With a word of its own it is another command than the one before.
  const element = random.next() < 0.2 ? `${token},` : "b,";
  const name = `brief-${random.below(2)}`;
  return ["IDEMPOTENT", name, String(50 + random.below(1000)), "APPEND", "l1", element];
}

/** A write that may be sent again and is carried out once, or once in a short while. */
export function idempotentWords(random: Prng, token: string): Bytes[] {
  if (random.next() < 0.5) return briefWords(random, token);
  const words = random.next() < 0.5 ? ["RPUSH", "q1", token] : ["APPEND", "l0", `${token},`];
  return ["IDEMPOTENT", `once-${token}`, String(REMEMBERED_MS), ...words];
}

function stringWords(random: Prng, token: string, db: number, bytesMax: number): Bytes[] {
  const register = `r${random.below(4)}`;
  const long = random.next() < 0.1 ? "x".repeat(random.below(bytesMax)) : "";
  const value = long === "" ? token : `${token}-${long}`;
  switch (random.below(14)) {
    case 0:
      return ["SET", register, value, "NX"];
    case 1:
      return ["SET", register, value, "GET"];
    case 2:
      return ["DEL", register, `x:${token}`];
    case 3:
      return ["MSET", register, token, `r${random.below(4)}`, token];
    case 4:
    case 5:
      return ["SET", `v${random.below(2)}`, value, "PX", String(1 + random.below(400))];
    case 6:
    case 7:
    case 8:
      // What is flushed would count from the start again.
      return db === 1 ? ["SET", register, value] : ["INCR", "c0"];
    case 9:
    case 10:
      return ["APPEND", `l${random.below(2)}`, `${token},`];
    case 11:
      if (db === 1 && random.next() < 0.3) return ["FLUSHDB"];
      return ["RENAME", random.next() < 0.3 ? `v${random.below(2)}` : register, "r0"];
    default:
      return ["SET", register, value];
  }
}

function collectionWords(random: Prng, token: string, db: number): Bytes[] {
  const list = `q${random.below(2)}`;
  switch (random.below(14)) {
    case 0:
      return ["RPUSH", list, token];
    case 1:
      return ["RPUSH", db === 0 ? waitedKey(random) : list, token];
    case 2:
      return ["LPUSH", list, token];
    case 3:
      return ["LPOP", list];
    case 4:
      return ["RPOP", list];
    case 5:
    case 6:
      // In one database, for elements that are flushed while one waits are of no interest.
      return db === 0 ? waitWords(random, token, list, 0.06) : ["RPOP", list];
    case 7:
      return ["HSET", "h0", `f${random.below(12)}`, token];
    case 8:
      return random.next() < 0.5 || db === 1
        ? ["HDEL", "h0", `f${random.below(12)}`]
        : ["HINCRBY", "hn", "n", "1"];
    case 9:
      return random.next() < 0.5 ? ["SADD", "s0", token] : chanceWords(random, token);
    case 10:
      return random.next() < 0.2 ? ["DEL", "s0"] : ["SREM", "s0", `t${random.below(200)}`];
    case 11:
      return ["ZADD", "z0", String(random.below(9)), token];
    case 12:
      return random.next() < 0.2 ? ["DEL", "z0"] : ["ZREM", "z0", `t${random.below(200)}`];
    default:
      return db === 1 ? ["ZADD", "z0", "1", token] : ["ZINCRBY", "zn", "1", "n"];
  }
}

/** A read behind a write goes into the log: it must not draw from what the next write does. */
export function chanceSequence(token: string): Bytes[][] {
  return [["SADD", CHANCE_KEY, token], ["SRANDMEMBER", CHANCE_KEY], ["SPOP", CHANCE_KEY]];
}

/** What chance decides: the same one on every node, which their digests tell. */
function chanceWords(random: Prng, token: string): Bytes[] {
  if (random.next() < 0.2) return ["EVAL", DRAW, "1", CHANCE_KEY];
  return random.next() < 0.6 ? ["SADD", CHANCE_KEY, token] : ["SPOP", CHANCE_KEY];
}

/** One of the lists that many wait for. */
export function waitedKey(random: Prng): Bytes {
  return random.next() < 0.7 ? WAITED_KEY : WAITED_TOO;
}

/** A pop that waits, for no two of which the time is the same: it names them. */
export function waitWords(
  random: Prng,
  token: string,
  list: string,
  longShare: number,
): Bytes[] {
  const other = random.next() < 0.5 ? list : WAITED_TOO;
  const both = random.next() < 0.7 ? [other, WAITED_KEY] : [WAITED_KEY, other];
  const isOfBoth = random.next() < 0.3;
  // Some wait until they are served.
  if (random.next() < longShare) {
    return ["BLPOP", ...isOfBoth ? both : [WAITED_KEY], `9${token.slice(1)}`];
  }
  const keys = isOfBoth ? both : [random.next() < 0.3 ? other : WAITED_KEY];
  const seconds = random.next() < 0.3 ? 1 + random.below(3) : 0;
  return ["BLPOP", ...keys, `${seconds}.${random.below(6)}${token.slice(1)}`];
}
