import type { Bytes } from "../base/bytes.ts";

const MULTIPLIER_HIGH = 0xc6a4a793;
const MULTIPLIER_LOW = 0x5bd1e995;

/**
 * MurmurHash2 of 64 bits (Austin Appleby's MurmurHash64A, little-endian), which Redis hashes the
 * elements of a HyperLogLog with. The halves are unsigned 32-bit integers.
 */
export function murmurHash64(data: Bytes, seed: number): { high: number; low: number } {
  const state = new Uint64(0, data.length);
  state.multiply();
  state.low = (state.low ^ seed) >>> 0;
  const block = new Uint64(0, 0);
  const blocksEnd = data.length - (data.length % 8);
  for (let at = 0; at < blocksEnd; at += 8) {
    block.low = read32(data, at, 4);
    block.high = read32(data, at + 4, 4);
    block.multiply();
    block.mix();
    block.multiply();
    state.xor(block);
    state.multiply();
  }
  const rest = data.length - blocksEnd;
  if (rest > 0) {
    block.low = read32(data, blocksEnd, Math.min(rest, 4));
    block.high = read32(data, blocksEnd + 4, rest - 4);
    state.xor(block);
    state.multiply();
  }
  state.mix();
  state.multiply();
  state.mix();
  return { high: state.high, low: state.low };
}

/** `count` bytes as a little-endian integer; 0 when there are none. */
function read32(data: Bytes, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) {
    value = (value << 8) | data.charCodeAt(at + index);
  }
  return value >>> 0;
}

/** An unsigned 64-bit integer in two halves. */
class Uint64 {
  high: number;
  low: number;

  constructor(high: number, low: number) {
    this.high = high;
    this.low = low;
  }

  xor(other: Uint64): void {
    this.high = (this.high ^ other.high) >>> 0;
    this.low = (this.low ^ other.low) >>> 0;
  }

  /** this ^= this >> 47 */
  mix(): void {
    this.low = (this.low ^ (this.high >>> 15)) >>> 0;
  }

  /** Times the multiplier, modulo 2^64. */
  multiply(): void {
    const [a0, a1] = [this.low & 0xffff, this.low >>> 16];
    const [b0, b1] = [MULTIPLIER_LOW & 0xffff, MULTIPLIER_LOW >>> 16];
    const low = a0 * b0;
    const middleA = a0 * b1;
    const middleB = a1 * b0;
    const middle = (low >>> 16) + (middleA & 0xffff) + (middleB & 0xffff);
    const carried = a1 * b1 + (middleA >>> 16) + (middleB >>> 16) + (middle >>> 16);
    const crossed = Math.imul(this.low, MULTIPLIER_HIGH) + Math.imul(this.high, MULTIPLIER_LOW);
    this.high = (carried + crossed) >>> 0;
    this.low = ((middle << 16) | (low & 0xffff)) >>> 0;
  }
}
