/** An unsigned 64-bit integer: a number when it is a safe one, otherwise a bigint. */
export type Uint64 = number | bigint;

export const UINT64_MAX = 18446744073709551615n;

/** The integer modulo 2^64. */
export function toUint64(value: bigint): Uint64 {
  const wrapped = BigInt.asUintN(64, value);
  const number = Number(wrapped);
  return Number.isSafeInteger(number) ? number : wrapped;
}

/** The sum modulo 2^64. */
export function addUint64(a: Uint64, b: Uint64): Uint64 {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return toUint64(BigInt(a) + BigInt(b));
}
