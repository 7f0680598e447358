import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NIL_ARRAY, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { ListEnd } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { TWO_KEYS, writeCommand } from "./define.ts";
import { notifyPop, notifyPush, popMany } from "./list.ts";
import { optionName, parseAtLeast } from "./parse.ts";

const NUMKEYS_NOT_POSITIVE = err("numkeys should be greater than 0");
const COUNT_NOT_POSITIVE = err("count should be greater than 0");

/** The end that LEFT or RIGHT names. */
export function parseEnd(text: Bytes): ListEnd | ErrorReply {
  const name = optionName(text);
  if (name === "left") return "head";
  return name === "right" ? "tail" : SYNTAX_ERROR;
}

/**
 * Takes the element at an end of one list to an end of another; the reply of LMOVE: that element,
 * null when there is no source.
 */
export function moveElement(
  context: DataContext,
  source: Bytes,
  target: Bytes,
  from: ListEnd,
  to: ListEnd,
): Reply {
  const list = context.edit(source, "list");
  if (list instanceof ErrorReply) return list;
  if (list.length === 0) return null;
  if (source === target && list.length === 1) {
    // Taken off, it would take the key and its expiry along.
    list.replace(0, list.at(0));
    notifyPush(context, target, to);
    notifyPop(context, source, from, list);
    return list.at(0);
  }
  const other = context.edit(target, "list");
  if (other instanceof ErrorReply) return other;
  const value = list.pop(from);
  other.push(to, value);
  notifyPush(context, target, to);
  notifyPop(context, source, from, list);
  return value;
}

/** LMOVE source destination LEFT|RIGHT LEFT|RIGHT */
function lmove(context: DataContext, argv: readonly Bytes[]): Reply {
  const from = parseEnd(argv[3]);
  if (from instanceof ErrorReply) return from;
  const to = parseEnd(argv[4]);
  if (to instanceof ErrorReply) return to;
  return moveElement(context, argv[1], argv[2], from, to);
}

/** RPOPLPUSH source destination */
function rpoplpush(context: DataContext, argv: readonly Bytes[]): Reply {
  return moveElement(context, argv[1], argv[2], "tail", "head");
}

/** What LMPOP asks for. */
export interface MultiPop {
  readonly keys: readonly Bytes[];
  readonly end: ListEnd;
  readonly count: number;
}

/** Reads numkeys key [key ...] LEFT|RIGHT [COUNT count] from argv[at] on. */
export function parseMultiPop(argv: readonly Bytes[], at: number): MultiPop | ErrorReply {
  const keyCount = parseAtLeast(1, argv[at], NUMKEYS_NOT_POSITIVE);
  if (keyCount instanceof ErrorReply) return keyCount;
  const endAt = at + keyCount + 1;
  if (endAt >= argv.length) return SYNTAX_ERROR;
  const end = parseEnd(argv[endAt]);
  if (end instanceof ErrorReply) return end;
  let count: number | undefined;
  for (let i = endAt + 1; i < argv.length; i += 2) {
    if (count !== undefined || optionName(argv[i]) !== "count" || i + 1 === argv.length) {
      return SYNTAX_ERROR;
    }
    const parsed = parseAtLeast(1, argv[i + 1], COUNT_NOT_POSITIVE);
    if (parsed instanceof ErrorReply) return parsed;
    count = parsed;
  }
  return { keys: argv.slice(at + 1, endAt), end, count: count ?? 1 };
}

/** Pops from the first list that is there; the reply of LMPOP. */
export function popFirst(context: DataContext, { keys, end, count }: MultiPop): Reply {
  for (const key of keys) {
    const list = context.edit(key, "list");
    if (list instanceof ErrorReply) return list;
    if (list.length > 0) return [key, popMany(context, key, list, end, count)];
  }
  return NIL_ARRAY;
}

/** LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count] */
function lmpop(context: DataContext, argv: readonly Bytes[]): Reply {
  const request = parseMultiPop(argv, 1);
  return request instanceof ErrorReply ? request : popFirst(context, request);
}

/** The commands that take elements from one of several lists, or from one to another. */
export const listMoveCommands: readonly Command[] = [
  writeCommand("lmove", 5, lmove, TWO_KEYS),
  writeCommand("rpoplpush", 3, rpoplpush, TWO_KEYS),
  writeCommand("lmpop", -4, lmpop),
];
