import { describe, expect, test } from "bun:test";
import { countBits, firstBit } from "../../src/commands/bits.ts";

const LENGTH_BYTES = 200_000;
const LAST = LENGTH_BYTES * 8 - 1;

describe("strings of several chunks", () => {
  test("countBits counts each bit of the range once", () => {
    const value = "\xf0".repeat(LENGTH_BYTES);
    expect(countBits(value, 0, LAST)).toBe(LENGTH_BYTES * 4);
    expect(countBits(value, 2, LAST - 4)).toBe(LENGTH_BYTES * 4 - 2);
    expect(countBits(value, 65_535 * 8 + 3, 65_536 * 8)).toBe(2);
    expect(countBits(value, 5, 4)).toBe(0);
  });

  test("firstBit finds the bit in whichever chunk it is", () => {
    for (const at of [0, 65_535, 65_536, 131_072, 199_999]) {
      const value = "\0".repeat(at) + "\x10" + "\0".repeat(LENGTH_BYTES - at - 1);
      expect(firstBit(value, 1, 0, LAST)).toBe(at * 8 + 3);
      expect(firstBit(value, 1, at * 8 + 4, LAST)).toBe(-1);
      expect(firstBit(value, 1, 0, at * 8 + 2)).toBe(-1);
    }
  });
});
