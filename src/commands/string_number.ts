import type { Bytes } from "../base/bytes.ts";
import { addInt64, type Int64, INT64_MIN, parseInt64 } from "../base/int64.ts";
import { err, NOT_FLOAT, NOT_INTEGER, type Reply, WRONG_TYPE } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, quick, writeCommand } from "./define.ts";
import { formatLongDouble } from "./format_float.ts";
import { addLongDoubles, parseLongDouble, ZERO } from "./long_double.ts";

const OVERFLOW = err("increment or decrement would overflow");
const DECREMENT_OVERFLOW = err("decrement would overflow");
const NOT_FINITE = err("increment would produce NaN or Infinity");

/** INCR key */
function incr(context: DataContext, argv: readonly Bytes[]): Reply {
  return add(context, argv[1], 1);
}

/** DECR key */
function decr(context: DataContext, argv: readonly Bytes[]): Reply {
  return add(context, argv[1], -1);
}

/** INCRBY key increment */
function incrby(context: DataContext, argv: readonly Bytes[]): Reply {
  const delta = parseInt64(argv[2]);
  return delta === undefined ? NOT_INTEGER : add(context, argv[1], delta);
}

/** DECRBY key decrement */
function decrby(context: DataContext, argv: readonly Bytes[]): Reply {
  const delta = parseInt64(argv[2]);
  if (delta === undefined) return NOT_INTEGER;
  return delta === INT64_MIN ? DECREMENT_OVERFLOW : add(context, argv[1], -delta);
}

function add(context: DataContext, key: Bytes, delta: Int64): Reply {
  const record = context.find(key);
  if (record !== undefined && record.type !== "string") return WRONG_TYPE;
  const value = record === undefined ? 0 : parseInt64(record.value);
  if (value === undefined) return NOT_INTEGER;
  const sum = addInt64(value, delta);
  if (sum === undefined) return OVERFLOW;
  context.ops.set(context.db, key, String(sum), record?.expireAtMs ?? NO_EXPIRY);
  context.notify("string", "incrby", key);
  return sum;
}

/** INCRBYFLOAT key increment */
function incrbyfloat(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record !== undefined && record.type !== "string") return WRONG_TYPE;
  const value = record === undefined ? ZERO : parseLongDouble(record.value);
  const delta = parseLongDouble(argv[2]);
  if (value === undefined || delta === undefined) return NOT_FLOAT;
  const sum = addLongDoubles(value, delta);
  if (sum === undefined) return NOT_FINITE;
  const text = formatLongDouble(sum);
  // Redis does not look whether it is an integer.
  context.ops.set(context.db, argv[1], text, record?.expireAtMs ?? NO_EXPIRY, "embstr");
  context.notify("string", "incrbyfloat", argv[1]);
  return text;
}

/** The commands that count in a string value. */
export const stringNumberCommands: readonly Command[] = [
  quick(writeCommand("incr", 2, incr, FIRST_KEY)),
  quick(writeCommand("decr", 2, decr, FIRST_KEY)),
  quick(writeCommand("incrby", 3, incrby, FIRST_KEY)),
  quick(writeCommand("decrby", 3, decrby, FIRST_KEY)),
  writeCommand("incrbyfloat", 3, incrbyfloat, FIRST_KEY),
];
