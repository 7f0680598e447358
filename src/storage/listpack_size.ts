import type { Bytes } from "../base/bytes.ts";
import { type Int64, parseInt64 } from "../base/int64.ts";

/** Header and end of an empty listpack. */
export const LISTPACK_EMPTY_BYTES = 7;

/** Bytes of the length that stands behind an element of this size in a listpack. */
export function backLengthBytes(size: number): number {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  return size < 268435455 ? 4 : 5;
}

/** Bytes that an element takes in a listpack; the text of an integer is kept as one. */
export function listpackBytes(text: Bytes): number {
  const number = parseInt64(text);
  if (number !== undefined) return listpackIntegerBytes(number);
  const { length } = text;
  const size = length + (length < 64 ? 1 : length < 4096 ? 2 : 5);
  return size + backLengthBytes(size);
}

/** Bytes that an integer takes in a listpack. */
export function listpackIntegerBytes(value: Int64): number {
  if (value >= 0 && value < 128) return 2;
  if (value >= -4096 && value < 4096) return 3;
  if (value >= -(2 ** 15) && value < 2 ** 15) return 4;
  if (value >= -(2 ** 23) && value < 2 ** 23) return 5;
  return value >= -(2 ** 31) && value < 2 ** 31 ? 6 : 10;
}
