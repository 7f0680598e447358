import { describe, expect, test } from "bun:test";
import { formatLongDouble } from "../../src/commands/format_float.ts";
import { addLongDoubles, parseLongDouble } from "../../src/commands/long_double.ts";

function sum(a: string, b: string): string {
  return formatLongDouble(addLongDoubles(parseLongDouble(a)!, parseLongDouble(b)!)!);
}

// The expected texts are those of redis-server 7.0.15 on x86-64; redis_rows.test.ts has more.
describe("long doubles", () => {
  test("round to 64 bits", () => {
    expect(sum("0.1", "0.2")).toBe("0.3");
    expect(sum("18446744073709551615", "0.5")).toBe("18446744073709551616");
    expect(sum("18446744073709551615", "0.25")).toBe("18446744073709551615");
    expect(sum("3.0e3", "5.0e3")).toBe("8000");
  });

  test("are written with 17 decimals, never as -0", () => {
    expect(sum("1e-17", "0")).toBe("0.00000000000000001");
    expect(sum("4e-18", "0")).toBe("0");
    expect(sum("-4e-18", "0")).toBe("0");
    expect(sum("-0", "-0")).toBe("0");
  });

  test("end at the range of the format", () => {
    expect(parseLongDouble("1.2e4932")).toBeUndefined();
    expect(parseLongDouble("1e-4960")).toBeUndefined();
    expect(parseLongDouble("1e-4950")?.mantissa).toBe(3n);
    const largest = parseLongDouble("1.18e4932")!;
    expect(addLongDoubles(largest, largest)).toBeUndefined();
  });

  test("take no time on long texts and exponents", () => {
    expect(parseLongDouble("1".repeat(5000) + "x")).toBeUndefined();
    expect(parseLongDouble("1e" + "9".repeat(5000))).toBeUndefined();
    expect(parseLongDouble("0".repeat(5118) + "1")).toEqual(parseLongDouble("1")!);
    expect(parseLongDouble("0".repeat(5119) + "1")).toBeUndefined();
  });
});
