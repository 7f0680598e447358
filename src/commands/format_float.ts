import type { Bytes } from "../base/bytes.ts";
import type { LongDouble } from "./long_double.ts";

const DECIMALS = 17;
const SCALE = 10n ** BigInt(DECIMALS);

/**
 * A finite long double as Redis writes it for people (`%.17Lf` without trailing zeros): exact to
 * 17 decimals, ties to even, never "-0".
 */
export function formatLongDouble(number: LongDouble): Bytes {
  const scaled = scale(number.mantissa * SCALE, number.exponent);
  const digits = scaled.toString().padStart(DECIMALS + 1, "0");
  const whole = digits.slice(0, -DECIMALS);
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, "");
  const text = fraction === "" ? whole : `${whole}.${fraction}`;
  return number.negative && text !== "0" ? "-" + text : text;
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
