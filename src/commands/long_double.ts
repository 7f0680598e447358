import type { Bytes } from "../base/bytes.ts";

/**
 * A number of the x87 80-bit format, which Redis calculates INCRBYFLOAT in: (-1)^negative *
 * mantissa * 2^exponent, with a mantissa of at most 64 bits. Infinity has the mantissa -1.
 */
export interface LongDouble {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

const MANTISSA_BITS = 64;
/** The exponent of the last bit of the smallest (subnormal) number. */
const EXPONENT_MIN = -16445;
/** Numbers of 2^this and more are infinite. */
const BITS_MAX = 16384;
/** Redis's buffer: a text of this many bytes or more is no number. */
const TEXT_BYTES_MAX = 5 * 1024;
/** Decimal exponents of a first digit beyond which all numbers overflow, or vanish. */
const DECIMAL_EXPONENT_MAX = 4933;
const DECIMAL_EXPONENT_MIN = -4966;

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** Whether it is an infinity. */
export function isInfinite({ mantissa }: LongDouble): boolean {
  return mantissa < 0n;
}

export const ZERO: LongDouble = { negative: false, mantissa: 0n, exponent: 0 };

/**
 * The nearest long double to a number as glibc's strtold reads it: decimal, hexadecimal with a
 * binary exponent, or infinite. Undefined when it is none (a space before it, NaN included) or
 * overflows or vanishes.
 */
export function parseLongDouble(text: Bytes): LongDouble | undefined {
  if (text.length === 0 || text.length >= TEXT_BYTES_MAX) return undefined;
  const decimal = DECIMAL.exec(text);
  if (decimal !== null) {
    return parseDecimal(decimal[1] === "-", decimal[2], decimal[3] ?? "", decimal[4]);
  }
  const hex = HEXADECIMAL.exec(text);
  if (hex !== null) return parseHex(hex[1] === "-", hex[2], hex[3] ?? "", hex[4]);
  const infinite = INFINITE.exec(text);
  return infinite === null ? undefined : infinity(infinite[1] === "-");
}

function parseDecimal(
  negative: boolean,
  whole: string,
  fraction: string,
  power: string | undefined,
): LongDouble | undefined {
  const digits = whole + fraction;
  if (digits === "") return undefined;
  const value = BigInt(digits);
  if (value === 0n) return { negative, mantissa: 0n, exponent: 0 };
  const exponent = Number(power ?? 0) - fraction.length;
  const leading = exponent + value.toString().length - 1;
  if (leading > DECIMAL_EXPONENT_MAX || leading < DECIMAL_EXPONENT_MIN) return undefined;
  const rounded = exponent >= 0
    ? round(negative, value * 10n ** BigInt(exponent), 1n, 0)
    : round(negative, value, 10n ** BigInt(-exponent), 0);
  return usable(rounded);
}

function parseHex(
  negative: boolean,
  whole: string,
  fraction: string,
  power: string | undefined,
): LongDouble | undefined {
  const digits = whole + fraction;
  if (digits === "") return undefined;
  const value = BigInt("0x" + digits);
  if (value === 0n) return { negative, mantissa: 0n, exponent: 0 };
  const exponent = Number(power ?? 0) - 4 * fraction.length;
  const leading = exponent + bitLength(value);
  if (leading > BITS_MAX + 1 || leading < EXPONENT_MIN - 1) return undefined;
  return usable(round(negative, value, 1n, exponent));
}

/** A number that was rounded from one that is finite and not zero: undefined when it is neither. */
function usable(number: LongDouble): LongDouble | undefined {
  return number.mantissa > 0n ? number : undefined;
}

/** The sum, rounded; undefined when it is infinite or not a number. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | undefined {
  if (a.mantissa < 0n || b.mantissa < 0n) return undefined;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = aligned(a, exponent) + aligned(b, exponent);
  if (sum === 0n) return ZERO;
  const rounded = round(sum < 0n, sum < 0n ? -sum : sum, 1n, exponent);
  return rounded.mantissa < 0n ? undefined : rounded;
}

function aligned(number: LongDouble, exponent: number): bigint {
  if (number.mantissa === 0n) return 0n;
  const shifted = number.mantissa << BigInt(number.exponent - exponent);
  return number.negative ? -shifted : shifted;
}

/** numerator / denominator * 2^exponent to the nearest long double, ties to even. */
function round(
  negative: boolean,
  numerator: bigint,
  denominator: bigint,
  exponent: number,
): LongDouble {
  const bits = bitLength(numerator) - bitLength(denominator);
  // The quotient lies between 2^(bits-1) and 2^(bits+1): this shift keeps 64 or 65 bits of it.
  let shift = Math.max(bits - MANTISSA_BITS, EXPONENT_MIN - exponent);
  let [quotient, twiceRest, divisor] = divide(numerator, denominator, shift);
  if (quotient >> 64n !== 0n) {
    shift += 1;
    [quotient, twiceRest, divisor] = divide(numerator, denominator, shift);
  }
  if (twiceRest > divisor || (twiceRest === divisor && (quotient & 1n) === 1n)) quotient += 1n;
  if (bitLength(quotient) + exponent + shift > BITS_MAX) return infinity(negative);
  return { negative, mantissa: quotient, exponent: exponent + shift };
}

/** The quotient of numerator / (denominator * 2^shift), twice its rest, and the divisor. */
function divide(
  numerator: bigint,
  denominator: bigint,
  shift: number,
): [bigint, bigint, bigint] {
  const dividend = shift < 0 ? numerator << BigInt(-shift) : numerator;
  const divisor = shift > 0 ? denominator << BigInt(shift) : denominator;
  const quotient = dividend / divisor;
  return [quotient, (dividend - quotient * divisor) * 2n, divisor];
}

/** A finite double, exactly. */
export function toLongDouble(value: number): LongDouble {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const power = Number(bits >> 52n) & 0x7ff;
  const fraction = bits & 0xfffffffffffffn;
  return {
    negative: bits >> 63n === 1n,
    mantissa: power === 0 ? fraction : fraction | (1n << 52n),
    exponent: Math.max(1, power) - 1075,
  };
}

function infinity(negative: boolean): LongDouble {
  return { negative, mantissa: -1n, exponent: 0 };
}

function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return hex.length * 4 - (Math.clz32(parseInt(hex[0], 16)) - 28);
}
