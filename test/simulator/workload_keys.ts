import type { Bytes } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";

/** Collections that are renamed, copied, moved and expire, of a type each by their first letter. */
const KEYS = ["a0", "a1", "k0", "k1", "m0", "m1", "y0", "y1"];
const LIFE_MS_MAX = 1500;

/** How all of them is read. */
export const KEY_READS: readonly (readonly Bytes[])[] = KEYS.map((key) => {
  if (key.startsWith("a")) return ["LRANGE", key, "0", "-1"];
  if (key.startsWith("k")) return ["HGETALL", key];
  return key.startsWith("m") ? ["SMEMBERS", key] : ["ZRANGE", key, "0", "-1", "WITHSCORES"];
});

/** A write to one of these collections, or one that makes it another's. */
export function keyWords(random: Prng, token: string, db: number): Bytes[] {
  const at = random.below(KEYS.length);
  const key = KEYS[at];
  const other = KEYS[at ^ 1];
  switch (random.below(18)) {
    case 0:
      return ["RENAME", key, other];
    case 1:
      // What is popped names its pop, so there is one of each.
      return key.startsWith("a") ? ["RENAME", key, other] : ["COPY", key, other, "REPLACE"];
    case 2:
      return ["MOVE", key, String(1 - db)];
    case 3:
      return random.next() < 0.3 ? ["PERSIST", key] : ["PEXPIRE", key, lifeMs(random)];
    case 4:
      return random.next() < 0.4 ? ["DEL", key] : ["RENAME", key, other];
    default:
      return elementWords(random, token, key);
  }
}

function elementWords(random: Prng, token: string, key: string): Bytes[] {
  const field = `f${random.below(20)}`;
  if (key.startsWith("a")) return listWords(random, token, key);
  if (key.startsWith("k")) {
    if (random.next() < 0.25) return ["HDEL", key, field];
    const more = fields(random).flatMap((each) => [each, "v"]);
    return ["HSET", key, ...more, field, token];
  }
  if (key.startsWith("m")) {
    return random.next() < 0.75 ? ["SADD", key, ...fields(random), field] : ["SREM", key, field];
  }
  return random.next() < 0.75
    ? ["ZADD", key, ...[...fields(random), field].flatMap((each) => [score(random), each])]
    : ["ZREM", key, field];
}

/** A few, so that collections grow faster than they are overwritten. */
function fields(random: Prng): Bytes[] {
  return Array.from({ length: random.below(6) }, () => `f${random.below(20)}`);
}

function score(random: Prng): Bytes {
  return String(random.below(9));
}

function listWords(random: Prng, token: string, key: string): Bytes[] {
  const element = `e${random.below(6)}`;
  switch (random.below(9)) {
    case 0:
      return ["LSET", key, String(random.below(16) - 8), token];
    case 1:
      return ["LINSERT", key, random.next() < 0.5 ? "BEFORE" : "AFTER", element, token];
    case 2:
      return ["LREM", key, String(random.below(5) - 2), element];
    case 3:
      return ["LTRIM", key, String(random.below(3)), String(-1 - random.below(3))];
    case 4:
      return ["LPOP", key];
    case 5:
      return ["RPOP", key];
    case 6:
      return ["LPUSH", key, element, token];
    default:
      return ["RPUSH", key, token, ...fields(random), element];
  }
}

/** A write to the parts of the state that are no keys: nodes are compared in them. */
export function besideWords(random: Prng): Bytes[] {
  const user = `u${random.below(3)}`;
  const library = `lib${random.below(2)}`;
  switch (random.below(8)) {
    case 0:
      return ["ACL", "DELUSER", user];
    case 1:
    case 2:
      return ["SCRIPT", "LOAD", `return ${random.below(9)}`];
    case 3:
      return random.next() < 0.6 ? ["SCRIPT", "FLUSH"] : ["FUNCTION", "DELETE", library];
    case 4: {
      const code = `redis.register_function('${library}', function() return ${
        random.below(9)
      } end)`;
      return ["FUNCTION", "LOAD", "REPLACE", `#!lua name=${library}\n${code}`];
    }
    default:
      return ["ACL", "SETUSER", user, "on", `~k${random.below(9)}*`, "+get"];
  }
}

function lifeMs(random: Prng): string {
  return String(1 + random.below(LIFE_MS_MAX));
}
