import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { ScoreOrder } from "../../src/storage/score_order.ts";

interface Item {
  name: string;
  score: number;
}

/** As ScoreOrder, by sorting an array. */
function sorted(items: Iterable<Item>): Item[] {
  return [...items].sort((a, b) =>
    a.score === b.score ? (a.name < b.name ? -1 : 1) : (a.score < b.score ? -1 : 1)
  );
}

function expectSame(order: ScoreOrder<Item>, items: ReadonlySet<Item>, prng: Prng): void {
  const all = sorted(items);
  expect(order.size).toBe(all.length);
  expect([...order.range(0, Infinity)]).toEqual(all);
  if (all.length === 0) return;
  const rank = prng.below(all.length);
  expect(order.rankOf(all[rank])).toBe(rank);
  const { score } = all[rank];
  expect(order.countWhile((item) => item.score < score)).toBe(
    all.filter((item) => item.score < score).length,
  );
  const stop = rank + prng.below(2000);
  expect([...order.range(rank, stop)]).toEqual(all.slice(rank, stop + 1));
  expect([...order.range(rank, stop, true)]).toEqual(all.slice(rank, stop + 1).reverse());
}

describe("ScoreOrder", () => {
  for (const [name, scores] of [["few scores", 3], ["many scores", 1e6]] as const) {
    test(`is a sorted array, with ${name}`, () => {
      const prng = new Prng(7);
      const order = new ScoreOrder<Item>();
      const items = new Set<Item>();
      // Grows to some thousand, shrinks to nothing, and again.
      for (let step = 0; step < 30_000; step++) {
        const growing = step % 15_000 < 9_000;
        if (items.size === 0 || prng.next() < (growing ? 0.85 : 0.05)) {
          const item = { name: `${prng.nextUint32()}`, score: prng.below(scores) - scores / 2 };
          items.add(item);
          order.insert(item);
        } else {
          const all = step % 2 === 0 ? [...order.range(0, 0)] : [];
          const [item] = all.length > 0 ? all : items;
          items.delete(item);
          order.remove(item);
        }
        if (step % 500 === 0) expectSame(order, items, prng);
      }
      for (const item of items) order.remove(item);
      expect([...order.range(0, 10)]).toEqual([]);
    });
  }

  test("fills, orders infinities and names by bytes", () => {
    const order = new ScoreOrder<Item>();
    const scores = [Infinity, 1, -Infinity, 0, Infinity, -Infinity, 1];
    const items = scores.map((score, i) => ({
      name: ["\xff", "a", "B", "", "b"][i % 5] + i,
      score,
    }));
    order.fill([...items]);
    expectSame(order, new Set(items), new Prng(1));
  });

  test("looks at few items, however many there are", () => {
    for (const [size, looks] of [[100, 10], [1_000_000, 25]]) {
      const order = new ScoreOrder<Item>();
      order.fill(
        Array.from({ length: size }, (_, i) => ({ name: `m${i}`, score: i * 7919 % size })),
      );
      for (const score of [0, 1, size / 2, size - 1, size]) {
        let looked = 0;
        const count = order.countWhile((item) => {
          looked += 1;
          return item.score < score;
        });
        expect(count).toBe(score);
        expect(looked).toBeLessThanOrEqual(looks);
      }
    }
  });
});
