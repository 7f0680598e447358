import { type Bytes, utf8Decode } from "../base/bytes.ts";
import {
  AnnouncedReply,
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  ErrorReply,
  KeyedReply,
  MapReply,
  NilArray,
  PairsReply,
  PushReply,
  type Reply,
  SequenceReply,
  SetReply,
  Status,
  TransactionReply,
  VerbatimReply,
} from "../resp/reply.ts";

/**
 * One reply as JSON text: `{"result":…}` or `{"error":"…"}`. RESP2's shapes: maps are flat arrays,
 * doubles strings, booleans 1 and 0. Strings are read as UTF-8 or, with `base64`, given as padded
 * base64 of their bytes, except for the status OK at the top and errors.
 */
export function replyJson(reply: Reply, base64: boolean): string {
  if (reply instanceof ErrorReply) return errorJson(utf8Decode(reply.text));
  if (reply instanceof Status && reply.text === "OK") return '{"result":"OK"}';
  return `{"result":${valueJson(reply, base64)}}`;
}

/** The body of every answer that is not a success; `members`: what a program may want of it. */
export function errorJson(text: string, members: Readonly<Record<string, number>> = {}): string {
  return JSON.stringify({ error: text, ...members });
}

function valueJson(reply: Reply, base64: boolean): string {
  if (typeof reply === "string") return textJson(reply, base64);
  if (reply === null) return "null";
  if (typeof reply === "number" || typeof reply === "bigint") return integerJson(reply, base64);
  if (Array.isArray(reply)) return arrayJson(reply, base64);
  return objectJson(reply as Exclude<Reply, readonly Reply[]>, base64);
}

function objectJson(reply: Reply, base64: boolean): string {
  if (reply instanceof Status || reply instanceof ErrorReply) return textJson(reply.text, base64);
  if (reply instanceof DoubleReply || reply instanceof VerbatimReply) {
    return textJson(reply.text, base64);
  }
  if (reply instanceof BigNumberReply) return textJson(reply.digits, base64);
  if (reply instanceof NilArray) return "null";
  if (reply instanceof BooleanReply) return reply.value ? "1" : "0";
  if (reply instanceof SetReply || reply instanceof PushReply) {
    return arrayJson(reply.items, base64);
  }
  if (reply instanceof MapReply) return arrayJson(reply.entries.flat(), base64);
  if (reply instanceof AnnouncedReply) return valueJson(reply.reply, base64);
  if (reply instanceof SequenceReply || reply instanceof TransactionReply) {
    return arrayJson(reply.replies, base64);
  }
  if (reply instanceof PairsReply) return arrayJson(reply.pairs.flat(), base64);
  if (reply instanceof KeyedReply) return arrayJson(reply.entries, base64);
  throw new TypeError("Cannot write as JSON: an unknown kind of reply");
}

function arrayJson(items: readonly Reply[], base64: boolean): string {
  let text = "[";
  for (let index = 0; index < items.length; index++) {
    if (index > 0) text += ",";
    text += valueJson(items[index], base64);
  }
  return text + "]";
}

/** Integers that JavaScript clients would round are given as text. */
function integerJson(value: number | bigint, base64: boolean): string {
  return -MAX_SAFE <= value && value <= MAX_SAFE ? String(value) : textJson(String(value), base64);
}

function textJson(bytes: Bytes, base64: boolean): string {
  return base64 ? `"${btoa(bytes)}"` : JSON.stringify(utf8Decode(bytes));
}

const MAX_SAFE = Number.MAX_SAFE_INTEGER;
