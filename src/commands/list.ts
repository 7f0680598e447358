import type { Bytes } from "../base/bytes.ts";
import {
  err,
  ErrorReply,
  NIL_ARRAY,
  NO_SUCH_KEY,
  NOT_INTEGER,
  OK,
  type Reply,
  SYNTAX_ERROR,
  wrongArity,
} from "../resp/reply.ts";
import type { ListEnd, ListOperations } from "../storage/collections.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { type DataRun, FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { optionName, parseOffset, parsePositive } from "./parse.ts";

const INDEX_OUT_OF_RANGE = err("index out of range");
/** LTRIM that drops more elements than this, and keeps few, makes the list anew. */
const TRIM_ANEW_MIN = 10_000;

/** LPUSH|RPUSH|LPUSHX|RPUSHX key element [element ...] */
function push(end: ListEnd, onlyExisting: boolean): DataRun {
  return (context, argv) => {
    const list = context.edit(argv[1], "list");
    if (list instanceof ErrorReply) return list;
    if (onlyExisting && list.length === 0) return 0;
    for (let i = 2; i < argv.length; i++) list.push(end, argv[i]);
    notifyPush(context, argv[1], end);
    return list.length;
  };
}

/** LPOP|RPOP key [count] */
function pop(end: ListEnd): DataRun {
  return (context, argv) => {
    if (argv.length > 3) return wrongArity(end === "head" ? "lpop" : "rpop");
    const count = argv.length === 3 ? parsePositive(argv[2]) : undefined;
    if (count instanceof ErrorReply) return count;
    const list = context.edit(argv[1], "list");
    if (list instanceof ErrorReply) return list;
    if (list.length === 0) return count === undefined ? null : NIL_ARRAY;
    if (count !== undefined) return popMany(context, argv[1], list, end, count);
    const value = list.pop(end);
    notifyPop(context, argv[1], end, list);
    return value;
  };
}

/** Takes up to `count` elements off an end of the list at `key`, in the order in which they come. */
export function popMany(
  context: DataContext,
  key: Bytes,
  list: ListOperations,
  end: ListEnd,
  count: number,
): Bytes[] {
  const popped: Bytes[] = [];
  if (count === 0) return popped;
  for (let left = Math.min(count, list.length); left > 0; left--) popped.push(list.pop(end));
  notifyPop(context, key, end, list);
  return popped;
}

/** Tells of elements that came to an end of a list. */
export function notifyPush(context: DataContext, key: Bytes, end: ListEnd): void {
  context.notify("list", end === "head" ? "lpush" : "rpush", key);
}

/** Tells of elements that went from an end of a list. */
export function notifyPop(
  context: DataContext,
  key: Bytes,
  end: ListEnd,
  list: ListOperations,
): void {
  context.notify("list", end === "head" ? "lpop" : "rpop", key);
  if (list.length === 0) context.notify("generic", "del", key);
}

/** LLEN key */
function llen(context: DataContext, argv: readonly Bytes[]): Reply {
  const list = context.read(argv[1], "list");
  if (list instanceof ErrorReply) return list;
  return list === undefined ? 0 : list.length;
}

/** LINDEX key index */
function lindex(context: DataContext, argv: readonly Bytes[]): Reply {
  const list = context.read(argv[1], "list");
  if (list === undefined) return null;
  if (list instanceof ErrorReply) return list;
  const index = indexIn(list, argv[2]);
  if (index === INDEX_OUT_OF_RANGE) return null;
  return index instanceof ErrorReply ? index : list.at(index);
}

/** LSET key index element */
function lset(context: DataContext, argv: readonly Bytes[]): Reply {
  const list = context.edit(argv[1], "list");
  if (list instanceof ErrorReply) return list;
  if (list.length === 0) return NO_SUCH_KEY;
  const index = indexIn(list, argv[2]);
  if (index instanceof ErrorReply) return index;
  list.replace(index, argv[3]);
  context.notify("list", "lset", argv[1]);
  return OK;
}

/** The index that a text names, a negative one from the tail. */
function indexIn(list: ListOperations, text: Bytes): number | ErrorReply {
  const index = parseOffset(text);
  if (index === undefined) return NOT_INTEGER;
  const fromHead = index < 0 ? list.length + index : index;
  return fromHead < 0 || fromHead >= list.length ? INDEX_OUT_OF_RANGE : fromHead;
}

interface Range {
  readonly start: number;
  readonly stop: number;
}

/** The range that argv[2] and argv[3] name, negative numbers not yet counted from the tail. */
function parseRange(argv: readonly Bytes[]): Range | ErrorReply {
  const start = parseOffset(argv[2]);
  const stop = parseOffset(argv[3]);
  return start === undefined || stop === undefined ? NOT_INTEGER : { start, stop };
}

/** The indexes of a list that are in a range, from the tail where negative; none: start > stop. */
function clip({ start, stop }: Range, length: number): Range {
  return {
    start: Math.max(0, start < 0 ? length + start : start),
    stop: Math.min(length - 1, stop < 0 ? length + stop : stop),
  };
}

/** LRANGE key start stop */
function lrange(context: DataContext, argv: readonly Bytes[]): Reply {
  const range = parseRange(argv);
  if (range instanceof ErrorReply) return range;
  const list = context.read(argv[1], "list");
  if (list === undefined) return [];
  if (list instanceof ErrorReply) return list;
  const { start, stop } = clip(range, list.length);
  return list.range(start, stop);
}

/** LTRIM key start stop */
function ltrim(context: DataContext, argv: readonly Bytes[]): Reply {
  const range = parseRange(argv);
  if (range instanceof ErrorReply) return range;
  const list = context.edit(argv[1], "list");
  if (list instanceof ErrorReply) return list;
  if (list.length === 0) return OK;
  const { start, stop } = clip(range, list.length);
  const kept = Math.max(0, stop - start + 1);
  const dropped = list.length - kept;
  if (kept === 0) context.ops.del(context.db, argv[1]);
  else if (dropped > TRIM_ANEW_MIN && dropped > kept * 2) {
    replaceList(context, argv[1], list.range(start, stop));
  } else {
    for (let left = list.length - 1 - stop; left > 0; left--) list.pop("tail");
    for (let left = start; left > 0; left--) list.pop("head");
  }
  context.notify("list", "ltrim", argv[1]);
  if (kept === 0) context.notify("generic", "del", argv[1]);
  return OK;
}

/** Gives a list other elements, in time that does not grow with those it had. */
function replaceList(context: DataContext, key: Bytes, values: readonly Bytes[]): void {
  const expireAtMs = context.find(key)?.expireAtMs ?? NO_EXPIRY;
  storeList(context, key, values);
  if (expireAtMs !== NO_EXPIRY) context.ops.setExpiry(context.db, key, expireAtMs);
}

/** Makes a key a list of these values, without expiry, whatever it was; absent when none. */
export function storeList(context: DataContext, key: Bytes, values: readonly Bytes[]): void {
  context.ops.del(context.db, key);
  const list = context.ops.edit(context.db, key, "list");
  for (const value of values) list.push("tail", value);
}

/** LINSERT key BEFORE|AFTER pivot element */
function linsert(context: DataContext, argv: readonly Bytes[]): Reply {
  const where = optionName(argv[2]);
  if (where !== "before" && where !== "after") return SYNTAX_ERROR;
  const list = context.edit(argv[1], "list");
  if (list instanceof ErrorReply) return list;
  if (list.length === 0) return 0;
  let index = 0;
  for (const value of list.values(0)) {
    if (value === argv[3]) break;
    index += 1;
  }
  if (index === list.length) return -1;
  list.insert(where === "before" ? index : index + 1, argv[4]);
  context.notify("list", "linsert", argv[1]);
  return list.length;
}

/** LREM key count element */
function lrem(context: DataContext, argv: readonly Bytes[]): Reply {
  const count = parseOffset(argv[2]);
  if (count === undefined) return NOT_INTEGER;
  const list = context.edit(argv[1], "list");
  if (list instanceof ErrorReply) return list;
  const limit = count === 0 ? list.length : Math.abs(count);
  const removed = list.removeEqual(argv[3], limit, count < 0);
  if (removed === 0) return 0;
  context.notify("list", "lrem", argv[1]);
  if (list.length === 0) context.notify("generic", "del", argv[1]);
  return removed;
}

/** The commands on lists, but for those of list_search.ts and list_move.ts. */
export const listCommands: readonly Command[] = [
  writeCommand("lpush", -3, push("head", false), FIRST_KEY),
  writeCommand("rpush", -3, push("tail", false), FIRST_KEY),
  writeCommand("lpushx", -3, push("head", true), FIRST_KEY),
  writeCommand("rpushx", -3, push("tail", true), FIRST_KEY),
  writeCommand("lpop", -2, pop("head"), FIRST_KEY),
  writeCommand("rpop", -2, pop("tail"), FIRST_KEY),
  readCommand("llen", 2, llen, FIRST_KEY),
  readCommand("lindex", 3, lindex, FIRST_KEY),
  writeCommand("lset", 4, lset, FIRST_KEY),
  readCommand("lrange", 4, lrange, FIRST_KEY),
  writeCommand("ltrim", 4, ltrim, FIRST_KEY),
  writeCommand("linsert", 5, linsert, FIRST_KEY),
  writeCommand("lrem", 4, lrem, FIRST_KEY),
];
