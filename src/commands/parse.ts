import type { Bytes } from "../base/bytes.ts";
import { err, type ErrorReply, NOT_INTEGER } from "../resp/reply.ts";

/** A signed 64-bit integer: a number when it is a safe one, otherwise a bigint. */
export type Int64 = number | bigint;

export const INT64_MAX = 9223372036854775807n;
export const INT64_MIN = -9223372036854775808n;
const INT32_MAX = 2147483647;
const INT32_MIN = -2147483648;

/**
 * A signed 64-bit integer in the one form that Redis takes (string2ll): decimal digits without
 * a leading zero, plus sign or space. Undefined for anything else.
 */
export function parseInt64(text: Bytes): Int64 | undefined {
  const length = text.length;
  if (length === 0 || length > 20) return undefined;
  const negative = text.charCodeAt(0) === 45;
  let index = negative ? 1 : 0;
  if (text.charCodeAt(index) === 48) return length === 1 ? 0 : undefined;
  if (index === length) return undefined;
  const digits = length - index;
  let value = 0;
  for (; index < length; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (digits <= 15) return negative ? -value : value;
  return toInt64(BigInt(text));
}

/** The integer as an Int64; undefined when it takes more than 64 bits. */
export function toInt64(value: bigint): Int64 | undefined {
  if (value > INT64_MAX || value < INT64_MIN) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The sum, undefined when it overflows 64 bits. */
export function addInt64(a: Int64, b: Int64): Int64 | undefined {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return toInt64(BigInt(a) + BigInt(b));
}

/**
 * `parseInt64` as a number, for offsets and counts: beyond 2^53 it is rounded, which only ever
 * compares it with lengths far below. Undefined when the text is no integer.
 */
export function parseOffset(text: Bytes): number | undefined {
  const value = parseInt64(text);
  return value === undefined ? undefined : Number(value);
}

/** A signed 32-bit integer, or Redis's error for one that is not. */
export function parseInt32(text: Bytes): number | ErrorReply {
  const value = parseInt64(text);
  if (value === undefined) return NOT_INTEGER;
  if (value > INT32_MAX || value < INT32_MIN) return INT32_RANGE;
  return Number(value);
}

const INT32_RANGE = err(`value is out of range, value must between ${INT32_MIN} and ${INT32_MAX}`);

/**
 * The name of an option in lower case. Redis compares options as C strings, so that it ends at
 * the first zero byte.
 */
export function optionName(text: Bytes): string {
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).toLowerCase();
}
