import type { Bytes } from "../base/bytes.ts";
import { ErrorReply, NIL_ARRAY, type Reply } from "../resp/reply.ts";
import type { ListEnd } from "../storage/collections.ts";
import {
  blockingCommand,
  parseTimeout,
  popFromFirst,
  timeoutAt,
  type TryServe,
  Waiting,
} from "./blocking.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { KEYS_BEFORE_TIMEOUT, TWO_KEYS } from "./define.ts";
import { notifyPop, popMany } from "./list.ts";
import { moveElement, parseEnd, parseMultiPop } from "./list_move.ts";

/** BLPOP|BRPOP key [key ...] timeout */
function pop(end: ListEnd): TryServe {
  return (context, argv) => {
    const timeoutMs = parseTimeout(argv[argv.length - 1]);
    if (timeoutMs instanceof ErrorReply) return timeoutMs;
    const keys = argv.slice(1, -1);
    return popFromFirst(context, keys, "list", (key) => {
      const list = context.edit(key, "list");
      if (list instanceof ErrorReply || list.length === 0) return undefined;
      const value = list.pop(end);
      notifyPop(context, key, end, list);
      return [key, value];
    }) ?? new Waiting(keys, timeoutMs);
  };
}

/** BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count] */
function blmpop(context: DataContext, argv: readonly Bytes[]): Reply | Waiting {
  const request = parseMultiPop(argv, 2);
  if (request instanceof ErrorReply) return request;
  const timeoutMs = parseTimeout(argv[1]);
  if (timeoutMs instanceof ErrorReply) return timeoutMs;
  const { keys, end, count } = request;
  return popFromFirst(context, keys, "list", (key) => {
    const list = context.edit(key, "list");
    if (list instanceof ErrorReply || list.length === 0) return undefined;
    return [key, popMany(context, key, list, end, count)];
  }) ?? new Waiting(keys, timeoutMs);
}

/** BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout */
function blmove(context: DataContext, argv: readonly Bytes[]): Reply | Waiting {
  const from = parseEnd(argv[3]);
  if (from instanceof ErrorReply) return from;
  const to = parseEnd(argv[4]);
  if (to instanceof ErrorReply) return to;
  return move(context, argv, from, to);
}

/** BRPOPLPUSH source destination timeout */
function brpoplpush(context: DataContext, argv: readonly Bytes[]): Reply | Waiting {
  return move(context, argv, "tail", "head");
}

function move(
  context: DataContext,
  argv: readonly Bytes[],
  from: ListEnd,
  to: ListEnd,
): Reply | Waiting {
  const timeoutMs = parseTimeout(argv[argv.length - 1]);
  if (timeoutMs instanceof ErrorReply) return timeoutMs;
  const record = context.find(argv[1]);
  if (record !== undefined && record.type !== "list" && context.wokenBy !== undefined) {
    return new Waiting([argv[1]], timeoutMs);
  }
  // A target of another type is an error when it is served, too.
  const moved = moveElement(context, argv[1], argv[2], from, to);
  return moved === null ? new Waiting([argv[1]], timeoutMs) : moved;
}

/** The commands that wait for an element of a list. */
export const listBlockingCommands: readonly Command[] = [
  blockingCommand("blpop", -3, pop("head"), {
    keys: KEYS_BEFORE_TIMEOUT,
    type: "list",
    nil: NIL_ARRAY,
  }),
  blockingCommand("brpop", -3, pop("tail"), {
    keys: KEYS_BEFORE_TIMEOUT,
    type: "list",
    nil: NIL_ARRAY,
  }),
  blockingCommand("blmove", 6, blmove, { keys: TWO_KEYS, type: "list", nil: null }),
  blockingCommand("brpoplpush", 4, brpoplpush, { keys: TWO_KEYS, type: "list", nil: null }),
  blockingCommand("blmpop", -5, blmpop, {
    type: "list",
    nil: NIL_ARRAY,
    timeoutMs: (argv) => timeoutAt(argv, 1),
  }),
];
