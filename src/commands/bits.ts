import type { Bytes } from "../base/bytes.ts";

/** The bit at an offset, the highest of a byte first; 0 behind the end. */
export function bitAt(value: Bytes, offset: number): 0 | 1 {
  const index = Math.floor(offset / 8);
  if (index >= value.length) return 0;
  return (value.charCodeAt(index) & (0x80 >> (offset % 8))) === 0 ? 0 : 1;
}

/** How many of the bits first..last, both inside the string, are set; 0 for an empty range. */
export function countBits(value: Bytes, first: number, last: number): number {
  if (first > last) return 0;
  const firstByte = Math.floor(first / 8);
  const lastByte = Math.floor(last / 8);
  let count = 0;
  for (let index = firstByte; index <= lastByte; index++) {
    count += POPULATION[value.charCodeAt(index)];
  }
  // What the range leaves out of its first and its last byte.
  count -= POPULATION[value.charCodeAt(firstByte) & ~(0xff >> (first % 8))];
  return count - POPULATION[value.charCodeAt(lastByte) & (0x7f >> (last % 8))];
}

/** The offset of the first of the bits first..last that equals `bit`, or -1. */
export function firstBit(value: Bytes, bit: 0 | 1, first: number, last: number): number {
  const none = bit === 1 ? 0 : 0xff;
  let offset = first;
  while (offset <= last) {
    if (offset % 8 === 0 && value.charCodeAt(offset / 8) === none) {
      offset += 8;
    } else {
      if (bitAt(value, offset) === bit) return offset;
      offset++;
    }
  }
  return -1;
}

/** The number of set bits of each byte. */
const POPULATION = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});
