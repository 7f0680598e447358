import { randomBytes } from "node:crypto";

/** Where chance comes from, given from outside so that a test can repeat it. */
export interface Entropy {
  bytes(count: number): Uint8Array;
}

export const SYSTEM_ENTROPY: Entropy = { bytes: (count) => randomBytes(count) };

const HEX = "0123456789abcdef";

/** `count` random bytes, in hex. */
export function randomHex(entropy: Entropy, count: number): string {
  let text = "";
  for (const byte of entropy.bytes(count)) text += HEX[byte >> 4] + HEX[byte & 15];
  return text;
}

/** An integer, 0..2^32-1. */
export function randomUint32(entropy: Entropy): number {
  const [a, b, c, d] = entropy.bytes(4);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** A number in [0, 1), with 32 random bits. */
export function randomFraction(entropy: Entropy): number {
  return randomUint32(entropy) / 2 ** 32;
}

/** What tells one run of a process from every other, of a copy of its data too: 48 random bits. */
export function drawRun(entropy: Entropy): number {
  return Number.parseInt(randomHex(entropy, 6), 16);
}
