import type { Bytes } from "../base/bytes.ts";
import { type LongDouble, toLongDouble } from "./long_double.ts";

const DECIMALS = 17;

/**
 * A finite long double as Redis writes it for people (`%.17Lf` without trailing zeros): exact to
 * 17 decimals, ties to even, never "-0".
 */
export function formatLongDouble(number: LongDouble): Bytes {
  const text = fixed(number, DECIMALS).replace(/\.?0+$/, "");
  return number.negative && text !== "0" ? "-" + text : text;
}

/** A double for people: `formatLongDouble` of it. */
export function formatHumanDouble(value: number): Bytes {
  return formatLongDouble(toLongDouble(value));
}

/** C's `%.6f` of a double. */
export function formatSixDecimals(value: number): Bytes {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  return sign + (Math.abs(value) === Infinity ? "inf" : fixed(toLongDouble(value), 6));
}

/** The number without its sign, with so many decimals (at least one). */
function fixed(number: LongDouble, decimals: number): string {
  const scaled = scale(number.mantissa * 10n ** BigInt(decimals), number.exponent);
  const digits = scaled.toString().padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** value * 2^exponent to the nearest integer, ties to even. */
function scale(value: bigint, exponent: number): bigint {
  if (exponent >= 0) return value << BigInt(exponent);
  const shift = BigInt(-exponent);
  const quotient = value >> shift;
  const rest = value - (quotient << shift);
  const half = 1n << (shift - 1n);
  return rest > half || (rest === half && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}
