import type { Bytes } from "../base/bytes.ts";
import { ErrorReply, NIL_ARRAY, type Reply } from "../resp/reply.ts";
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
import { KEYS_BEFORE_TIMEOUT } from "./define.ts";
import { parsePopRequest, popMembers, type ZsetEnd } from "./zset_pop.ts";

/** BZPOPMIN|BZPOPMAX key [key ...] timeout */
function bzpop(end: ZsetEnd): TryServe {
  return (context, argv) => {
    const timeoutMs = parseTimeout(argv[argv.length - 1]);
    if (timeoutMs instanceof ErrorReply) return timeoutMs;
    const keys = argv.slice(1, -1);
    return popFromFirst(context, keys, "zset", (key) => {
      const popped = popMembers(context, key, end, 1);
      return popped instanceof ErrorReply ? popped : [key, ...popped.flat()];
    }) ?? new Waiting(keys, timeoutMs);
  };
}

/** BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count] */
function bzmpop(context: DataContext, argv: readonly Bytes[]): Reply | Waiting {
  const request = parsePopRequest(argv, 2);
  if (request instanceof ErrorReply) return request;
  const timeoutMs = parseTimeout(argv[1]);
  if (timeoutMs instanceof ErrorReply) return timeoutMs;
  const { keys, end, count } = request;
  return popFromFirst(context, keys, "zset", (key) => {
    const popped = popMembers(context, key, end, count);
    return popped instanceof ErrorReply ? popped : [key, popped];
  }) ?? new Waiting(keys, timeoutMs);
}

/** The commands that wait for a member of a sorted set. */
export const zsetBlockingCommands: readonly Command[] = [
  blockingCommand("bzpopmin", -3, bzpop("min"), {
    keys: KEYS_BEFORE_TIMEOUT,
    type: "zset",
    nil: NIL_ARRAY,
  }),
  blockingCommand("bzpopmax", -3, bzpop("max"), {
    keys: KEYS_BEFORE_TIMEOUT,
    type: "zset",
    nil: NIL_ARRAY,
  }),
  blockingCommand("bzmpop", -5, bzmpop, {
    type: "zset",
    nil: NIL_ARRAY,
    timeoutMs: (argv) => timeoutAt(argv, 1),
  }),
];
