import type { Bytes } from "../base/bytes.ts";
import { addInt64, parseInt64 } from "../base/int64.ts";
import {
  err,
  ErrorReply,
  MapReply,
  NOT_FLOAT,
  NOT_INTEGER,
  OK,
  type Reply,
  wrongArity,
} from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { formatLongDouble } from "./format_float.ts";
import { findField, livingFields } from "./hash_field.ts";
import { addLongDoubles, isInfinite, parseLongDouble, ZERO } from "./long_double.ts";

const HASH_NOT_INTEGER = err("hash value is not an integer");
const HASH_NOT_FLOAT = err("hash value is not a float");
const INFINITE_VALUE = err("value is NaN or Infinity");
const OVERFLOW = err("increment or decrement would overflow");
const NOT_FINITE = err("increment would produce NaN or Infinity");
const EMPTY_MAP = new MapReply([]);

/** HSET key field value [field value ...] */
function hset(context: DataContext, argv: readonly Bytes[]): Reply {
  return setFields(context, argv, "hset");
}

/** HMSET key field value [field value ...] */
function hmset(context: DataContext, argv: readonly Bytes[]): Reply {
  const reply = setFields(context, argv, "hmset");
  return reply instanceof ErrorReply ? reply : OK;
}

function setFields(
  context: DataContext,
  argv: readonly Bytes[],
  command: string,
): number | ErrorReply {
  if (argv.length % 2 !== 0) return wrongArity(command);
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  let created = 0;
  for (let index = 2; index < argv.length; index += 2) {
    const isNew = findField(context, hash, argv[index]) === undefined;
    hash.set(argv[index], argv[index + 1], NO_EXPIRY);
    if (isNew) created++;
  }
  context.notify("hash", "hset", argv[1]);
  return created;
}

/** HSETNX key field value */
function hsetnx(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  if (findField(context, hash, argv[2]) !== undefined) return 0;
  hash.set(argv[2], argv[3], NO_EXPIRY);
  context.notify("hash", "hset", argv[1]);
  return 1;
}

/** HGET key field */
function hget(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return findField(context, hash, argv[2])?.value ?? null;
}

/** HMGET key field [field ...] */
function hmget(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return argv.slice(2).map((name) => findField(context, hash, name)?.value ?? null);
}

/** HDEL key field [field ...] */
function hdel(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  let removed = 0;
  for (let index = 2; index < argv.length && hash.size > 0; index++) {
    const isAlive = findField(context, hash, argv[index]) !== undefined;
    if (hash.remove(argv[index]) && isAlive) removed++;
  }
  if (removed > 0) context.notify("hash", "hdel", argv[1]);
  if (removed > 0 && hash.size === 0) context.notify("generic", "del", argv[1]);
  return removed;
}

/** HEXISTS key field */
function hexists(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return findField(context, hash, argv[2]) === undefined ? 0 : 1;
}

/** HLEN key: fields that have expired and are still stored count, as in Redis. */
function hlen(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return hash === undefined ? 0 : hash.size;
}

/** HSTRLEN key field */
function hstrlen(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return findField(context, hash, argv[2])?.value.length ?? 0;
}

/** HKEYS key */
function hkeys(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return hash === undefined ? [] : livingFields(context, hash).map(([name]) => name);
}

/** HVALS key */
function hvals(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return hash === undefined ? [] : livingFields(context, hash).map(([, value]) => value);
}

/** HGETALL key */
function hgetall(context: DataContext, argv: readonly Bytes[]): Reply {
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  return hash === undefined ? EMPTY_MAP : new MapReply(livingFields(context, hash));
}

/** HINCRBY key field increment */
function hincrby(context: DataContext, argv: readonly Bytes[]): Reply {
  const delta = parseInt64(argv[3]);
  if (delta === undefined) return NOT_INTEGER;
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  const field = findField(context, hash, argv[2]);
  const value = field === undefined ? 0 : parseInt64(field.value);
  if (value === undefined) return HASH_NOT_INTEGER;
  const sum = addInt64(value, delta);
  if (sum === undefined) return OVERFLOW;
  hash.set(argv[2], String(sum), field?.expireAtMs ?? NO_EXPIRY);
  context.notify("hash", "hincrby", argv[1]);
  return sum;
}

/** HINCRBYFLOAT key field increment */
function hincrbyfloat(context: DataContext, argv: readonly Bytes[]): Reply {
  const delta = parseLongDouble(argv[3]);
  if (delta === undefined) return NOT_FLOAT;
  if (isInfinite(delta)) return INFINITE_VALUE;
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  const field = findField(context, hash, argv[2]);
  const value = field === undefined ? ZERO : parseLongDouble(field.value);
  if (value === undefined) return HASH_NOT_FLOAT;
  const sum = addLongDoubles(value, delta);
  if (sum === undefined) return NOT_FINITE;
  const text = formatLongDouble(sum);
  hash.set(argv[2], text, field?.expireAtMs ?? NO_EXPIRY);
  context.notify("hash", "hincrbyfloat", argv[1]);
  return text;
}

/** The commands on hashes, but for those that iterate and those on the expiry of fields. */
export const hashCommands: readonly Command[] = [
  writeCommand("hset", -4, hset, FIRST_KEY),
  writeCommand("hmset", -4, hmset, FIRST_KEY),
  writeCommand("hsetnx", 4, hsetnx, FIRST_KEY),
  readCommand("hget", 3, hget, FIRST_KEY),
  readCommand("hmget", -3, hmget, FIRST_KEY),
  writeCommand("hdel", -3, hdel, FIRST_KEY),
  readCommand("hexists", 3, hexists, FIRST_KEY),
  readCommand("hlen", 2, hlen, FIRST_KEY),
  readCommand("hstrlen", 3, hstrlen, FIRST_KEY),
  readCommand("hkeys", 2, hkeys, FIRST_KEY),
  readCommand("hvals", 2, hvals, FIRST_KEY),
  readCommand("hgetall", 2, hgetall, FIRST_KEY),
  writeCommand("hincrby", 4, hincrby, FIRST_KEY),
  writeCommand("hincrbyfloat", 4, hincrbyfloat, FIRST_KEY),
];
