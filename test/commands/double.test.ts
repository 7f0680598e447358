import { describe, expect, test } from "bun:test";
import { formatDouble, parseDouble, strtod } from "../../src/commands/double.ts";
import { formatHumanDouble, formatSixDecimals } from "../../src/commands/format_float.ts";

describe("formatDouble is C's %.17g", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [3, "3"],
    [-42, "-42"],
    [0.1, "0.10000000000000001"],
    [-1.5, "-1.5"],
    [1 / 3, "0.33333333333333331"],
    [1e15, "1000000000000000"],
    [2 ** 53 + 2, "9007199254740994"],
    [2 ** 56, "72057594037927936"],
    [1e16, "10000000000000000"],
    [1e17, "1e+17"],
    [123456789012345680000, "1.2345678901234568e+20"],
    [1e300, "1.0000000000000001e+300"],
    [5e-324, "4.9406564584124654e-324"],
    [0.0001, "0.0001"],
    [0.00012345, "0.00012344999999999999"],
    [0.00001, "1.0000000000000001e-05"],
    [Number.MAX_VALUE, "1.7976931348623157e+308"],
    // Half-way between two numbers of 17 digits: to even.
    [999999999999999.125, "999999999999999.12"],
    [-999999999999999.125, "-999999999999999.12"],
    [999999999999999.375, "999999999999999.38"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
  ];
  for (const [value, text] of cases) {
    test(text, () => expect(formatDouble(value)).toBe(text));
  }
});

describe("parseDouble", () => {
  const cases: [string, number | undefined][] = [
    ["1.5", 1.5],
    ["+1.5e3", 1500],
    [".5", 0.5],
    ["5.", 5],
    ["-0", -0],
    ["0e99999", 0],
    ["inf", Infinity],
    ["-Infinity", -Infinity],
    ["0x1p3", 8],
    ["0x.8", 0.5],
    ["-0xff.8p-4", -15.96875],
    ["0x1.00000000000008p0", 1],
    ["0x1.000000000000081p0", 1.0000000000000002],
    ["0x1p-1074", 5e-324],
    ["0x1.8p-1074", 1e-323],
    ["0x10000000000000000000000p-1074", 2 ** -986],
    ["0x3fffffffffffffffffffp-1080", 2 ** -1002],
    ["5e-324", 5e-324],
    ["", undefined],
    [" 1", undefined],
    ["1 ", undefined],
    ["1\0", undefined],
    ["nan", undefined],
    ["1e400", undefined],
    ["-1e400", undefined],
    ["1e-400", undefined],
    ["0x1p2000", undefined],
    ["0x1p-2000", undefined],
    ["0x", undefined],
    ["0x1p", undefined],
    ["1e", undefined],
    [".", undefined],
    ["1_000", undefined],
    ["0b1", undefined],
  ];
  for (const [text, value] of cases) {
    test(JSON.stringify(text), () => expect(parseDouble(text)).toBe(value as number));
  }
});

test("strtod takes spaces, nothing, and what is too large", () => {
  expect(strtod("")).toBe(0);
  expect(strtod(" \t\n1.5")).toBe(1.5);
  expect(strtod("1e400")).toBe(Infinity);
  expect(strtod("-1e-400")).toBe(-0);
  expect(strtod("1\0x")).toBe(1);
  expect(strtod("\0")).toBe(0);
  expect(strtod(" ")).toBe(undefined as unknown as number);
  expect(strtod("nan")).toBe(undefined as unknown as number);
  expect(strtod("1 ")).toBe(undefined as unknown as number);
});

test("formatHumanDouble and formatSixDecimals are exact", () => {
  expect(formatHumanDouble(13.361389338970184)).toBe("13.36138933897018433");
  expect(formatHumanDouble(-0)).toBe("0");
  expect(formatHumanDouble(-2)).toBe("-2");
  expect(formatSixDecimals(181)).toBe("181.000000");
  expect(formatSixDecimals(-0.0078125)).toBe("-0.007812");
  expect(formatSixDecimals(1e22)).toBe("10000000000000000000000.000000");
  expect(formatSixDecimals(-Infinity)).toBe("-inf");
});
