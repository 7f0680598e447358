import type { Bytes } from "./bytes.ts";

/** Those of small numbers are made once. */
const SMALL_WORDS = Array.from({ length: 4096 }, (_, value) => makeWord(value));

/** An unsigned number of 32 bits as four bytes, big-endian. */
export function word(value: number): Bytes {
  return value < SMALL_WORDS.length ? SMALL_WORDS[value] : makeWord(value);
}

function makeWord(value: number): Bytes {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** The number that `word` wrote at `at`. */
export function readWord(data: Bytes, at: number): number {
  const high = data.charCodeAt(at) * 2 ** 24 + (data.charCodeAt(at + 1) << 16);
  return high + (data.charCodeAt(at + 2) << 8) + data.charCodeAt(at + 3);
}
