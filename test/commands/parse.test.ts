import { addInt64, parseInt64 } from "../../src/base/int64.ts";
import { describe, expect, test } from "bun:test";

describe("parseInt64", () => {
  test("gives numbers up to 2^53 and bigints beyond", () => {
    expect(parseInt64("0")).toBe(0);
    expect(parseInt64("-1")).toBe(-1);
    expect(parseInt64("9007199254740991")).toBe(9007199254740991);
    expect(parseInt64("-9007199254740991")).toBe(-9007199254740991);
    expect(parseInt64("9007199254740992")).toBe(9007199254740992n);
    expect(parseInt64("9223372036854775807")).toBe(9223372036854775807n);
    expect(parseInt64("-9223372036854775808")).toBe(-9223372036854775808n);
  });

  test("refuses every other form", () => {
    const refused = ["", "-", "+1", "01", "-0", "00", " 1", "1 ", "1\0", "1.0", "1e3", "0x1", "x"];
    const tooLarge = ["9223372036854775808", "-9223372036854775809", "100000000000000000000"];
    for (const text of [...refused, ...tooLarge]) expect(parseInt64(text)).toBeUndefined();
  });
});

describe("addInt64", () => {
  test("returns to numbers where they are exact", () => {
    expect(addInt64(9007199254740992n, -1)).toBe(9007199254740991);
    expect(addInt64(9007199254740991, 1)).toBe(9007199254740992n);
  });

  test("is undefined beyond 64 bits", () => {
    expect(addInt64(9223372036854775807n, 1)).toBeUndefined();
    expect(addInt64(-9223372036854775808n, -1)).toBeUndefined();
    expect(addInt64(-9223372036854775808n, 9223372036854775807n)).toBe(-1);
  });
});
