import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { asin, cos, sin } from "../../src/commands/trigonometry.ts";

/** Units in the last place between two doubles of one sign. */
function unitsBetween(a: number, b: number): number {
  const bits = (value: number) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return view.getBigInt64(0);
  };
  const difference = Number(bits(a) - bits(b));
  return Math.abs(difference);
}

describe("trigonometry", () => {
  const angles = Array.from(
    { length: 20_000 },
    (() => {
      const prng = new Prng(5);
      return () => prng.next() * Math.PI;
    })(),
  );
  const small = angles.map((angle, i) => angle * 2 ** -(i % 60));

  test("is within a unit in the last place of the engine's", () => {
    for (const angle of [...angles, ...small]) {
      expect(unitsBetween(sin(angle), Math.sin(angle))).toBeLessThanOrEqual(1);
      expect(sin(-angle)).toBe(-sin(angle));
      expect(unitsBetween(cos(angle), Math.cos(angle))).toBeLessThanOrEqual(1);
      const value = angle / Math.PI;
      expect(unitsBetween(asin(value), Math.asin(value))).toBeLessThanOrEqual(1);
    }
  });

  test("the ends", () => {
    expect([sin(0), sin(Math.PI / 2), sin(Math.PI)]).toEqual([0, 1, Math.sin(Math.PI)]);
    expect([cos(0), cos(Math.PI / 2), cos(Math.PI)]).toEqual([1, Math.cos(Math.PI / 2), -1]);
    expect([asin(0), asin(1), asin(0.5)]).toEqual([0, Math.PI / 2, 0.5235987755982989]);
    expect([asin(-0.1), asin(1.0000000000000002), asin(NaN)]).toEqual([NaN, NaN, NaN]);
  });
});
