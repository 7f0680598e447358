import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { err, type ErrorReply, NOT_INTEGER } from "../resp/reply.ts";

const INT32_MAX = 2147483647;
const INT32_MIN = -2147483648;

/**
 * `parseInt64` as a number, for offsets and counts: beyond 2^53 it is rounded, which only ever
 * compares it with lengths far below. Undefined when the text is no integer.
 */
export function parseOffset(text: Bytes): number | undefined {
  const value = parseInt64(text);
  return value === undefined ? undefined : Number(value);
}

const NOT_POSITIVE = err("value is out of range, must be positive");

/** A count of 0 or more, rounded as by `parseOffset`; Redis's error for anything else. */
export function parsePositive(text: Bytes): number | ErrorReply {
  return parseAtLeast(0, text, NOT_POSITIVE);
}

/** `parseOffset` of a number that is at least `least`; `error` for anything else. */
export function parseAtLeast(least: number, text: Bytes, error: ErrorReply): number | ErrorReply {
  const value = parseOffset(text);
  return value === undefined || value < least ? error : value;
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
