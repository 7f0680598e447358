import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { NameMap } from "../../src/storage/name_map.ts";

test("NameMap has what a Map has, small and large", () => {
  const prng = new Prng(1);
  const map = new NameMap<number>();
  const expected = new Map<string, number>();
  for (let step = 0; step < 60_000; step++) {
    const name = `${prng.below(2) === 0 ? "member" : ""}${prng.below(20_000)}`;
    expect(map.get(name)).toBe(expected.get(name));
    if (prng.below(4) === 0) {
      map.delete(name);
      expected.delete(name);
    } else if (!expected.has(name)) {
      map.add(name, step);
      expected.set(name, step);
    }
    expect(map.size).toBe(expected.size);
  }
  expect(expected.size).toBeGreaterThan(20_000);
  for (const [name, value] of expected) expect(map.get(name)).toBe(value);
});
