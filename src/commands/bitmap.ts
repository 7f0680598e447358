import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { BULK_BYTES_MAX } from "../constants.ts";
import {
  err,
  ErrorReply,
  NOT_INTEGER,
  type Reply,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import { bitAt, countBits, firstBit } from "./bits.ts";
import type { Command, KeyPositions } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { optionName, parseOffset } from "./parse.ts";
import { overwrite, STRING_BYTES_MAX, TOO_LONG } from "./string_range.ts";

const OFFSET_RANGE = err("bit offset is not an integer or out of range");
const BIT_RANGE = err("bit is not an integer or out of range");
const NOT_A_BIT = err("The bit argument must be 1 or 0.");
const ONE_SOURCE = err("BITOP NOT must be called with a single source key.");
const BITOP_KEYS: KeyPositions = { first: 2, last: -1, step: 1 };

/**
 * The offset of a bit; "#n" is n times `bits`, where `bits` is not 0. An error when it is not
 * inside the longest string.
 */
export function parseBitOffset(text: Bytes, bits: number): number | ErrorReply {
  const scaled = bits > 0 && text.startsWith("#");
  const value = parseInt64(scaled ? text.slice(1) : text);
  if (value === undefined) return OFFSET_RANGE;
  const offset = Number(value) * (scaled ? bits : 1);
  return offset >= 0 && offset < BULK_BYTES_MAX * 8 ? offset : OFFSET_RANGE;
}

/** SETBIT key offset value */
function setbit(context: DataContext, argv: readonly Bytes[]): Reply {
  const offset = parseBitOffset(argv[2], 0);
  if (offset instanceof ErrorReply) return offset;
  const bit = parseInt64(argv[3]);
  if (bit !== 0 && bit !== 1) return BIT_RANGE;
  const record = context.find(argv[1]);
  if (record !== undefined && record.type !== "string") return WRONG_TYPE;
  const value = record?.value ?? "";
  const index = Math.floor(offset / 8);
  if (index >= STRING_BYTES_MAX) return TOO_LONG;
  const byte = index < value.length ? value.charCodeAt(index) : 0;
  const mask = 0x80 >> (offset % 8);
  const changed = bit === 1 ? byte | mask : byte & ~mask;
  if (changed !== byte || record === undefined || index >= value.length) {
    const after = overwrite(value, index, String.fromCharCode(changed));
    context.ops.set(context.db, argv[1], after, record?.expireAtMs ?? NO_EXPIRY, "raw");
    context.notify("string", "setbit", argv[1]);
  }
  return (byte & mask) === 0 ? 0 : 1;
}

/** GETBIT key offset */
function getbit(context: DataContext, argv: readonly Bytes[]): Reply {
  const offset = parseBitOffset(argv[2], 0);
  if (offset instanceof ErrorReply) return offset;
  const record = context.find(argv[1]);
  if (record === undefined) return 0;
  return record.type === "string" ? bitAt(record.value, offset) : WRONG_TYPE;
}

/** BITCOUNT key [start end [BYTE|BIT]] */
function bitcount(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record === undefined) return 0;
  if (record.type !== "string") return WRONG_TYPE;
  const value = record.value;
  if (argv.length === 2) return countBits(value, 0, value.length * 8 - 1);
  if (argv.length !== 4 && argv.length !== 5) return SYNTAX_ERROR;
  const start = parseOffset(argv[2]);
  const end = parseOffset(argv[3]);
  if (start === undefined || end === undefined) return NOT_INTEGER;
  if (start < 0 && end < 0 && start > end) return 0;
  const unit = bitsOfUnit(argv[4]);
  if (unit === undefined) return SYNTAX_ERROR;
  const [first, last] = clampRange(start, end, (value.length * 8) / unit);
  return countBits(value, first * unit, last * unit + unit - 1);
}

/** BITPOS key bit [start [end [BYTE|BIT]]] */
function bitpos(context: DataContext, argv: readonly Bytes[]): Reply {
  const bit = parseInt64(argv[2]);
  if (bit === undefined) return NOT_INTEGER;
  if (bit !== 0 && bit !== 1) return NOT_A_BIT;
  const record = context.find(argv[1]);
  if (record === undefined) return bit === 1 ? -1 : 0;
  if (record.type !== "string") return WRONG_TYPE;
  if (argv.length > 6) return SYNTAX_ERROR;
  const start = argv.length > 3 ? parseOffset(argv[3]) : 0;
  if (start === undefined) return NOT_INTEGER;
  const unit = bitsOfUnit(argv[5]);
  if (unit === undefined) return SYNTAX_ERROR;
  const end = argv.length > 4 ? parseOffset(argv[4]) : -1;
  if (end === undefined) return NOT_INTEGER;
  const value = record.value;
  const [first, last] = clampRange(start, end, (value.length * 8) / unit);
  if (first > last) return -1;
  const position = firstBit(value, bit, first * unit, last * unit + unit - 1);
  // Without an end, zeros follow the string for ever.
  if (position < 0 && bit === 0 && argv.length < 5) return value.length * 8;
  return position;
}

/** 8 or 1: the bits that an index counts, undefined for another word. */
function bitsOfUnit(word: Bytes | undefined): number | undefined {
  if (word === undefined) return 8;
  const name = optionName(word);
  if (name === "byte") return 8;
  return name === "bit" ? 1 : undefined;
}

/** A range with negative ends counted from `length`, inside it where it is not empty. */
function clampRange(start: number, end: number, length: number): [number, number] {
  const first = Math.max(0, start < 0 ? length + start : start);
  const last = Math.max(0, end < 0 ? length + end : end);
  return [first, Math.min(last, length - 1)];
}

/** BITOP AND|OR|XOR|NOT destkey key [key ...] */
function bitop(context: DataContext, argv: readonly Bytes[]): Reply {
  const operation = optionName(argv[1]);
  if (!["and", "or", "xor", "not"].includes(operation)) return SYNTAX_ERROR;
  if (operation === "not" && argv.length !== 4) return ONE_SOURCE;
  const sources: Bytes[] = [];
  for (let index = 3; index < argv.length; index++) {
    const record = context.find(argv[index]);
    if (record !== undefined && record.type !== "string") return WRONG_TYPE;
    sources.push(record?.value ?? "");
  }
  const result = operation === "not" ? inverted(sources[0]) : combined(sources, operation);
  if (result.length > 0) {
    context.ops.set(context.db, argv[2], result, NO_EXPIRY, "raw");
    context.notify("string", "set", argv[2]);
  } else if (context.find(argv[2]) !== undefined) {
    context.ops.del(context.db, argv[2]);
    context.notify("generic", "del", argv[2]);
  }
  return result.length;
}

function inverted(source: Bytes): Bytes {
  const bytes = toBuffer(source);
  for (let index = 0; index < bytes.length; index++) bytes[index] = ~bytes[index];
  return fromUint8Array(bytes);
}

/** All sources combined by "and", "or" or "xor", short ones followed by zero bytes. */
function combined(sources: readonly Bytes[], operation: string): Bytes {
  let length = 0;
  for (const source of sources) length = Math.max(length, source.length);
  const result = toBuffer(sources[0].padEnd(length, "\0"));
  for (let index = 1; index < sources.length; index++) {
    const source = toBuffer(sources[index]);
    const common = source.length;
    if (operation === "and") {
      for (let at = 0; at < common; at++) result[at] &= source[at];
      result.fill(0, common);
    } else if (operation === "or") {
      for (let at = 0; at < common; at++) result[at] |= source[at];
    } else {
      for (let at = 0; at < common; at++) result[at] ^= source[at];
    }
  }
  return fromUint8Array(result);
}

/** The commands on strings as arrays of bits, BITFIELD excepted. */
export const bitmapCommands: readonly Command[] = [
  writeCommand("setbit", 4, setbit, FIRST_KEY),
  readCommand("getbit", 3, getbit, FIRST_KEY),
  readCommand("bitcount", -2, bitcount, FIRST_KEY),
  readCommand("bitpos", -3, bitpos, FIRST_KEY),
  writeCommand("bitop", -4, bitop, BITOP_KEYS),
];
