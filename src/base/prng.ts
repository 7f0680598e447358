/**
 * A small deterministic generator (mulberry32): the same seed gives the same numbers on every
 * node and runtime. Not for secrets.
 */
export class Prng {
  #state: number;

  /** `seed`: any 32-bit integer. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The next integer, 0..2^32-1. */
  nextUint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** The next number in [0, 1), with 53 random bits. */
  next(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** An integer in [0, limit), `limit` 1..2^53. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
}
