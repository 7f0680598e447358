import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import { INT64_MAX, parseInt64 } from "../base/int64.ts";
import {
  err,
  ErrorReply,
  NOT_INTEGER,
  type Reply,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import { parseBitOffset } from "./bitmap.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { optionName, parseOffset } from "./parse.ts";
import { STRING_BYTES_MAX, TOO_LONG } from "./string_range.ts";

const INVALID_TYPE = err(
  "Invalid bitfield type. Use something like i16 u8. " +
    "Note that u64 is not supported but i64 is.",
);
const INVALID_OVERFLOW = err("Invalid OVERFLOW type specified");
const GET_ONLY = err("BITFIELD_RO only supports the GET subcommand");

type Overflow = "wrap" | "sat" | "fail";

interface Operation {
  readonly name: "get" | "set" | "incrby";
  readonly signed: boolean;
  readonly bits: number;
  readonly offset: number;
  /** The value of SET, the increment of INCRBY. */
  readonly operand: bigint;
  readonly overflow: Overflow;
}

/** BITFIELD key [GET type offset | [OVERFLOW w] SET type offset value | INCRBY …] … */
function bitfield(context: DataContext, argv: readonly Bytes[]): Reply {
  const operations = parseOperations(argv);
  if (operations instanceof ErrorReply) return operations;
  const record = context.find(argv[1]);
  if (record !== undefined && record.type !== "string") return WRONG_TYPE;
  let lengthBytes = 0;
  for (const { name, offset, bits } of operations) {
    if (name !== "get") lengthBytes = Math.max(lengthBytes, Math.ceil((offset + bits) / 8));
  }
  if (lengthBytes > STRING_BYTES_MAX) return TOO_LONG;
  const value = record?.value ?? "";
  const bytes = toBuffer(value.padEnd(lengthBytes, "\0"));
  const replies = operations.map((operation) => runOperation(bytes, operation));
  if (lengthBytes > 0) {
    const after = fromUint8Array(bytes);
    context.ops.set(context.db, argv[1], after, record?.expireAtMs ?? NO_EXPIRY, "raw");
    context.notify("string", "setbit", argv[1]);
  }
  return replies;
}

/** BITFIELD_RO key [GET type offset [GET type offset ...]] */
function bitfieldRo(context: DataContext, argv: readonly Bytes[]): Reply {
  const operations = parseOperations(argv);
  if (operations instanceof ErrorReply) return operations;
  if (operations.some((operation) => operation.name !== "get")) return GET_ONLY;
  const record = context.find(argv[1]);
  if (record !== undefined && record.type !== "string") return WRONG_TYPE;
  const bytes = toBuffer(record?.value ?? "");
  return operations.map((operation) => runOperation(bytes, operation));
}

function parseOperations(argv: readonly Bytes[]): Operation[] | ErrorReply {
  const operations: Operation[] = [];
  let overflow: Overflow = "wrap";
  let index = 2;
  while (index < argv.length) {
    const name = optionName(argv[index]);
    const left = argv.length - index - 1;
    if (name === "overflow" && left >= 1) {
      const word = optionName(argv[index + 1]);
      if (word !== "wrap" && word !== "sat" && word !== "fail") return INVALID_OVERFLOW;
      overflow = word;
      index += 2;
      continue;
    }
    if (!((name === "get" && left >= 2) || ((name === "set" || name === "incrby") && left >= 3))) {
      return SYNTAX_ERROR;
    }
    const type = parseType(argv[index + 1]);
    if (type instanceof ErrorReply) return type;
    const offset = parseBitOffset(argv[index + 2], type.bits);
    if (offset instanceof ErrorReply) return offset;
    const operand = name === "get" ? 0 : parseInt64(argv[index + 3]);
    if (operand === undefined) return NOT_INTEGER;
    operations.push({ name, ...type, offset, operand: BigInt(operand), overflow });
    index += name === "get" ? 3 : 4;
  }
  return operations;
}

function parseType(text: Bytes): { signed: boolean; bits: number } | ErrorReply {
  const signed = text.startsWith("i");
  if (!signed && !text.startsWith("u")) return INVALID_TYPE;
  const bits = parseOffset(text.slice(1));
  if (bits === undefined || bits < 1 || bits > (signed ? 64 : 63)) return INVALID_TYPE;
  return { signed, bits };
}

function runOperation(bytes: Uint8Array, operation: Operation): Reply {
  const { name, signed, bits, offset, operand } = operation;
  const before = read(bytes, offset, bits, signed);
  if (name === "get") return toReply(before);
  const wanted = name === "set" ? asField(operand, signed) : before + operand;
  const after = fit(wanted, operation);
  if (after === undefined) return null;
  write(bytes, offset, bits, after);
  return toReply(name === "set" ? before : after);
}

/** Redis takes the value of SET for an unsigned field as 64 unsigned bits. */
function asField(operand: bigint, signed: boolean): bigint {
  return signed ? operand : BigInt.asUintN(64, operand);
}

/** The value as the field can hold it; undefined when it cannot and overflow means failure. */
function fit(value: bigint, { name, signed, bits, overflow }: Operation): bigint | undefined {
  const max = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  const min = signed ? -max - 1n : 0n;
  if (value >= min && value <= max) return value;
  if (overflow === "fail") return undefined;
  // For SET, Redis's own comparison overflows far below the range and takes that for above it.
  const above = value > max || (name === "set" && bits < 64 && max - value > INT64_MAX);
  if (overflow === "sat") return above ? max : min;
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

function read(bytes: Uint8Array, offset: number, bits: number, signed: boolean): bigint {
  let value = 0n;
  const last = Math.floor((offset + bits - 1) / 8);
  for (let index = Math.floor(offset / 8); index <= last; index++) {
    value = (value << 8n) | BigInt(index < bytes.length ? bytes[index] : 0);
  }
  value >>= BigInt(last * 8 + 8 - offset - bits);
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

function write(bytes: Uint8Array, offset: number, bits: number, value: bigint): void {
  const first = Math.floor(offset / 8);
  const last = Math.floor((offset + bits - 1) / 8);
  const shift = BigInt(last * 8 + 8 - offset - bits);
  const mask = ((1n << BigInt(bits)) - 1n) << shift;
  let patch = BigInt.asUintN(bits, value) << shift;
  let keep = ~mask;
  for (let index = last; index >= first; index--) {
    bytes[index] = (bytes[index] & Number(keep & 0xffn)) | Number(patch & 0xffn);
    patch >>= 8n;
    keep >>= 8n;
  }
}

function toReply(value: bigint): Reply {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Integers of any width inside a string. */
export const bitfieldCommands: readonly Command[] = [
  writeCommand("bitfield", -2, bitfield, FIRST_KEY),
  readCommand("bitfield_ro", -2, bitfieldRo, FIRST_KEY),
];
