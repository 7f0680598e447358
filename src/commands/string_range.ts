import type { Bytes } from "../base/bytes.ts";
import { BULK_BYTES_MAX } from "../constants.ts";
import { err, NOT_INTEGER, type Reply, WRONG_TYPE } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, quick, readCommand, writeCommand } from "./define.ts";
import { parseOffset } from "./parse.ts";

/**
 * The longest string value. Redis allows 64 bytes more: a string of V8 ends 24 bytes short of
 * 512 MiB, and the reply with its header must be one as well.
 */
export const STRING_BYTES_MAX = BULK_BYTES_MAX - 64;

export const TOO_LONG = err("string exceeds maximum allowed size (proto-max-bulk-len)");
const OFFSET_OUT_OF_RANGE = err("offset is out of range");

/** STRLEN key */
function strlen(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record === undefined) return 0;
  return record.type === "string" ? record.value.length : WRONG_TYPE;
}

/** APPEND key value */
function append(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record === undefined) {
    context.ops.set(context.db, argv[1], argv[2], NO_EXPIRY);
    context.notify("string", "append", argv[1]);
    return argv[2].length;
  }
  if (record.type !== "string") return WRONG_TYPE;
  const length = record.value.length + argv[2].length;
  if (length > STRING_BYTES_MAX) return TOO_LONG;
  context.ops.set(context.db, argv[1], record.value + argv[2], record.expireAtMs, "raw");
  context.notify("string", "append", argv[1]);
  return length;
}

/** SETRANGE key offset value */
function setrange(context: DataContext, argv: readonly Bytes[]): Reply {
  const offset = parseOffset(argv[2]);
  if (offset === undefined) return NOT_INTEGER;
  if (offset < 0) return OFFSET_OUT_OF_RANGE;
  const record = context.find(argv[1]);
  if (record !== undefined && record.type !== "string") return WRONG_TYPE;
  const before = record?.value ?? "";
  const patch = argv[3];
  if (patch.length === 0) return before.length;
  if (offset + patch.length > STRING_BYTES_MAX) return TOO_LONG;
  const after = overwrite(before, offset, patch);
  context.ops.set(context.db, argv[1], after, record?.expireAtMs ?? NO_EXPIRY, "raw");
  context.notify("string", "setrange", argv[1]);
  return after.length;
}

/** `text` with `patch` at `offset`, filled up with zero bytes. */
export function overwrite(text: Bytes, offset: number, patch: Bytes): Bytes {
  if (offset > text.length) return text + "\0".repeat(offset - text.length) + patch;
  return text.slice(0, offset) + patch + text.slice(offset + patch.length);
}

/** GETRANGE key start end; SUBSTR likewise */
function getrange(context: DataContext, argv: readonly Bytes[]): Reply {
  const start = parseOffset(argv[2]);
  const end = parseOffset(argv[3]);
  if (start === undefined || end === undefined) return NOT_INTEGER;
  const record = context.find(argv[1]);
  if (record === undefined) return "";
  if (record.type !== "string") return WRONG_TYPE;
  const length = record.value.length;
  if (start < 0 && end < 0 && start > end) return "";
  const first = Math.max(0, start < 0 ? length + start : start);
  const last = Math.min(length - 1, Math.max(0, end < 0 ? length + end : end));
  return first > last ? "" : record.value.slice(first, last + 1);
}

/** The commands on parts of string values. */
export const stringRangeCommands: readonly Command[] = [
  quick(readCommand("strlen", 2, strlen, FIRST_KEY)),
  writeCommand("append", 3, append, FIRST_KEY),
  writeCommand("setrange", 4, setrange, FIRST_KEY),
  readCommand("getrange", 4, getrange, FIRST_KEY),
  readCommand("substr", 4, getrange, FIRST_KEY),
];
