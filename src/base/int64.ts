import type { Bytes } from "./bytes.ts";

/** A signed 64-bit integer: a number when it is a safe one, otherwise a bigint. */
export type Int64 = number | bigint;

export const INT64_MAX = 9223372036854775807n;
export const INT64_MIN = -9223372036854775808n;

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
