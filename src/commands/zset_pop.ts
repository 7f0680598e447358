import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NIL_ARRAY, PairsReply, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { type DataRun, FIRST_KEY, writeCommand } from "./define.ts";
import { doubleReply } from "./double.ts";
import { optionName, parseAtLeast, parsePositive } from "./parse.ts";
import { notifyRemoved } from "./zset_store.ts";

const NO_KEYS = err("numkeys should be greater than 0");
const NO_COUNT = err("count should be greater than 0");

export type ZsetEnd = "min" | "max";

/** ZPOPMIN|ZPOPMAX key [count] */
function zpop(end: ZsetEnd): DataRun {
  return (context, argv) => {
    if (argv.length > 3) return SYNTAX_ERROR;
    const count = argv.length === 3 ? parsePositive(argv[2]) : undefined;
    if (count instanceof ErrorReply) return count;
    const popped = popMembers(context, argv[1], end, count ?? 1);
    if (popped instanceof ErrorReply) return popped;
    return count === undefined ? popped.flat() : new PairsReply(popped);
  };
}

/** Takes up to `count` members off an end; each with its score. Empty when there is no key. */
export function popMembers(
  context: DataContext,
  key: Bytes,
  end: ZsetEnd,
  count: number,
): (readonly [Bytes, Reply])[] | ErrorReply {
  const zset = context.edit(key, "zset");
  if (zset instanceof ErrorReply) return zset;
  const members = end === "min"
    ? zset.range(0, count - 1)
    : zset.range(Math.max(0, zset.size - count), zset.size - 1, true);
  const popped = Array.from(members, ({ name, score }) => [name, doubleReply(score)] as const);
  for (const [name] of popped) zset.remove(name);
  if (popped.length > 0) notifyRemoved(context, key, `zpop${end}`, zset);
  return popped;
}

/** What a command of the form `numkeys key [key ...] MIN|MAX [COUNT count]` says. */
export interface PopRequest {
  readonly keys: readonly Bytes[];
  readonly end: ZsetEnd;
  readonly count: number;
}

/** Parses `numkeys key [key ...] MIN|MAX [COUNT count]` from argv[start] on. */
export function parsePopRequest(argv: readonly Bytes[], start: number): PopRequest | ErrorReply {
  const keyCount = parseAtLeast(1, argv[start], NO_KEYS);
  if (keyCount instanceof ErrorReply) return keyCount;
  const endAt = start + 1 + keyCount;
  if (endAt >= argv.length) return SYNTAX_ERROR;
  const end = optionName(argv[endAt]);
  if (end !== "min" && end !== "max") return SYNTAX_ERROR;
  let count: number | undefined;
  for (let i = endAt + 1; i < argv.length; i += 2) {
    if (count !== undefined || optionName(argv[i]) !== "count" || i + 1 === argv.length) {
      return SYNTAX_ERROR;
    }
    const parsed = parseAtLeast(1, argv[i + 1], NO_COUNT);
    if (parsed instanceof ErrorReply) return parsed;
    count = parsed;
  }
  return { keys: argv.slice(start + 1, endAt), end, count: count ?? 1 };
}

/** ZMPOP numkeys key [key ...] MIN|MAX [COUNT count] */
function zmpop(context: DataContext, argv: readonly Bytes[]): Reply {
  const request = parsePopRequest(argv, 1);
  return request instanceof ErrorReply ? request : popFirst(context, request) ?? NIL_ARRAY;
}

/** Pops from the first key that exists: its name and what came; undefined when there is none. */
export function popFirst(context: DataContext, request: PopRequest): Reply | undefined {
  for (const key of request.keys) {
    if (context.find(key) === undefined) continue;
    const popped = popMembers(context, key, request.end, request.count);
    return popped instanceof ErrorReply ? popped : [key, popped];
  }
  return undefined;
}

/** The commands that take members off an end of a sorted set. */
export const zsetPopCommands: readonly Command[] = [
  writeCommand("zpopmin", -2, zpop("min"), FIRST_KEY),
  writeCommand("zpopmax", -2, zpop("max"), FIRST_KEY),
  writeCommand("zmpop", -4, zmpop),
];
