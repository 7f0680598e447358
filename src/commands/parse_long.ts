import type { Bytes } from "../base/bytes.ts";
import { err, type ErrorReply, NOT_INTEGER } from "../resp/reply.ts";

const INT_MIN = -2147483648;
const INT_MAX = 2147483647;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/;

/**
 * A 64-bit integer in Redis's strict form (no plus, leading zeros or blanks), as a number that is
 * exact within 2^53; undefined when it is not one.
 */
export function parseLong(text: Bytes): number | undefined {
  if (!INTEGER.test(text)) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  const exact = BigInt(text);
  return exact < INT64_MIN || exact > INT64_MAX ? undefined : value;
}

/** A 32-bit integer, or Redis's error for what is none. */
export function parseIntOrError(text: Bytes): number | ErrorReply {
  const value = parseLong(text);
  if (value === undefined) return NOT_INTEGER;
  if (value < INT_MIN || value > INT_MAX) {
    return err(`value is out of range, value must between ${INT_MIN} and ${INT_MAX}`);
  }
  return value;
}
