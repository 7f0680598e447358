import type { Bytes } from "../base/bytes.ts";
import { DoubleReply, type Reply } from "../resp/reply.ts";

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const HEXADECIMAL = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
/** A double that is exactly half-way between two numbers of 17 digits. */
const TIE = /^-?\d\.\d{16}50*e/;
/** Digits of a number that are other than zero. */
const NONZERO = /^[^e]*[1-9]/i;

/**
 * A double as Redis takes it for an argument: what strtod reads, but nothing around it, no NaN, and
 * nothing that is too large or too small for a double. Undefined for anything else.
 */
export function parseDouble(text: Bytes): number | undefined {
  const value = readDouble(text);
  if (value === undefined) return undefined;
  if (Math.abs(value) === Infinity) return INFINITE.test(text) ? value : undefined;
  return value === 0 && vanishes(text) ? undefined : value;
}

/**
 * A double as C's strtod reads the whole of a C string: spaces before it are passed over, nothing
 * at all is 0, what is too large is infinite. Undefined for NaN and for what is no number.
 */
export function strtod(text: Bytes): number | undefined {
  const end = text.indexOf("\0");
  const line = end < 0 ? text : text.slice(0, end);
  if (line === "") return 0;
  return readDouble(line.replace(/^[ \t-\r]+/, ""));
}

function readDouble(text: Bytes): number | undefined {
  if (DECIMAL.test(text)) return Number(text);
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  const hex = HEXADECIMAL.exec(text);
  if (hex === null) return undefined;
  const [, sign, whole, fraction = "", power = "0"] = hex;
  if (whole + fraction === "") return undefined;
  const value = scaled(BigInt("0x" + whole + fraction), Number(power) - 4 * fraction.length);
  return sign === "-" ? -value : value;
}

/** integer * 2^exponent, to the nearest double. */
function scaled(integer: bigint, exponent: number): number {
  if (integer === 0n) return 0;
  // Cut to 64 bits, the last of them set if any that was cut is: enough to round by.
  const excess = integer.toString(2).length - 64;
  let value = integer;
  let power = exponent;
  if (excess > 0) {
    value = integer >> BigInt(excess);
    if (value << BigInt(excess) !== integer) value |= 1n;
    power += excess;
  }
  if (power > 1024) return Infinity;
  if (power >= 0) return Number(value << BigInt(power));
  // Below the normal numbers there are fewer bits: round once, to what they hold.
  const lost = -1074 - power;
  if (lost <= 0) {
    return Number(value) * 2 ** Math.max(power, -1000) * 2 ** Math.min(0, power + 1000);
  }
  if (lost > 65) return 0;
  const kept = value >> BigInt(lost);
  const rest = value - (kept << BigInt(lost));
  const half = 1n << BigInt(lost - 1);
  const up = rest > half || (rest === half && (kept & 1n) === 1n);
  return Number(up ? kept + 1n : kept) * 2 ** -1074;
}

/** Whether a text that reads as 0 says another number. */
function vanishes(text: Bytes): boolean {
  return /^[+-]?0x/i.test(text) ? /^[^p]*x[^p]*[1-9a-f]/i.test(text) : NONZERO.test(text);
}

/** The double as Redis 7.0 writes it: C's `%.17g`, exact to 17 digits, ties to even. */
export function formatDouble(value: number): Bytes {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? "-0" : String(value);
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  const [digits, power] = seventeenDigits(value).split("e");
  const exponent = Number(power);
  const sign = value < 0 ? "-" : "";
  const all = digits.replace(/[-.]/g, "");
  if (exponent < -4 || exponent >= 17) {
    const fraction = all.slice(1).replace(/0+$/, "");
    const sized = String(Math.abs(exponent)).padStart(2, "0");
    const mantissa = fraction === "" ? all[0] : `${all[0]}.${fraction}`;
    return `${sign}${mantissa}e${exponent < 0 ? "-" : "+"}${sized}`;
  }
  const whole = exponent < 0 ? "0" : all.slice(0, exponent + 1);
  const fraction = exponent < 0 ? "0".repeat(-exponent - 1) + all : all.slice(exponent + 1);
  const shown = fraction.replace(/0+$/, "");
  return sign + (shown === "" ? whole : `${whole}.${shown}`);
}

/** The double as Redis stores it in its compact forms: integers in full, up to 2^62. */
export function formatCompactDouble(value: number): Bytes {
  const isInteger = Number.isInteger(value) && Math.abs(value) <= 2 ** 62;
  return isInteger ? String(BigInt(value)) : formatDouble(value);
}

/** "d.dddde±x" with 17 digits. toExponential rounds a tie up, C to even. */
function seventeenDigits(value: number): string {
  const text = value.toExponential(16);
  // A double of 18 digits, the last of them a 5, is a multiple of 2^-26.
  if ((value * 2 ** 26) % 1 !== 0 || !TIE.test(value.toExponential(60))) return text;
  const [digits, exponent] = text.split("e");
  const last = Number(digits.at(-1));
  return last % 2 === 0 ? text : `${digits.slice(0, -1)}${last - 1}e${exponent}`;
}

/** The reply that is a double. */
export function doubleReply(value: number): Reply {
  return new DoubleReply(formatDouble(value));
}
