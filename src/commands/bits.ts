import { type Bytes, toBuffer } from "../base/bytes.ts";

/** The bit at an offset, the highest of a byte first; 0 behind the end. */
export function bitAt(value: Bytes, offset: number): 0 | 1 {
  const index = Math.floor(offset / 8);
  if (index >= value.length) return 0;
  return (value.charCodeAt(index) & (0x80 >> (offset % 8))) === 0 ? 0 : 1;
}

/** Bytes of a string that are looked at as an array at a time. */
const CHUNK_BYTES = 65_536;

/** How many of the bits first..last, both inside the string, are set; 0 for an empty range. */
export function countBits(value: Bytes, first: number, last: number): number {
  if (first > last) return 0;
  const firstByte = Math.floor(first / 8);
  const lastByte = Math.floor(last / 8);
  let count = 0;
  for (let start = firstByte; start <= lastByte; start += CHUNK_BYTES) {
    const bytes = chunkOf(value, start, lastByte);
    for (let index = 0; index < bytes.length; index++) count += POPULATION[bytes[index]];
  }
  // What the range leaves out of its first and its last byte.
  count -= POPULATION[value.charCodeAt(firstByte) & ~(0xff >> (first % 8))];
  return count - POPULATION[value.charCodeAt(lastByte) & (0x7f >> (last % 8))];
}

/** The offset of the first of the bits first..last that equals `bit`, or -1. */
export function firstBit(value: Bytes, bit: 0 | 1, first: number, last: number): number {
  const none = bit === 1 ? 0 : 0xff;
  const lastByte = Math.floor(last / 8);
  for (let start = Math.floor(first / 8); start <= lastByte; start += CHUNK_BYTES) {
    const bytes = chunkOf(value, start, lastByte);
    for (let index = 0; index < bytes.length; index++) {
      if (bytes[index] === none) continue;
      const found = firstBitOfByte(value, bit, start + index, first, last);
      if (found >= 0) return found;
    }
  }
  return -1;
}

function firstBitOfByte(
  value: Bytes,
  bit: 0 | 1,
  byte: number,
  first: number,
  last: number,
): number {
  for (let offset = Math.max(byte * 8, first); offset <= Math.min(byte * 8 + 7, last); offset++) {
    if (bitAt(value, offset) === bit) return offset;
  }
  return -1;
}

function chunkOf(value: Bytes, start: number, last: number): Uint8Array {
  return toBuffer(value.slice(start, Math.min(start + CHUNK_BYTES, last + 1)));
}

/** The number of set bits of each byte. */
const POPULATION = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});
