import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { type OrderedItem, OrderedMap } from "../../src/storage/ordered_map.ts";

class Item implements OrderedItem {
  readonly name: string;
  readonly n: number;
  index = 0;
  constructor(name: string, n: number) {
    this.name = name;
    this.n = n;
  }
}

function namesOf(map: OrderedMap<Item>): string[] {
  return [...map.values()].map(({ name }) => name);
}

describe("OrderedMap", () => {
  test("random: the item of that rank, whatever was removed before", () => {
    const prng = new Prng(5);
    for (let round = 0; round < 20; round++) {
      const map = new OrderedMap<Item>();
      const count = 1 + prng.below(3000);
      for (let i = 0; i < count; i++) map.add(new Item(`m${i}`, map.nextPlace));
      const share = prng.next();
      for (let i = 0; i < count; i++) {
        if (map.size > 1 && prng.next() < share) map.remove(map.get(`m${i}`)!);
        if (prng.below(50) === 0) map.add(new Item(`late${i}`, map.nextPlace));
      }
      const names = namesOf(map);
      expect(names.length).toBe(map.size);
      for (let i = 0; i < 50; i++) {
        const number = prng.next();
        expect(map.random(() => number).name).toBe(names[Math.floor(number * names.length)]);
      }
      expect(map.random(() => 0).name).toBe(names[0]);
      expect(map.random(() => 1 - 2 ** -53).name).toBe(names[names.length - 1]);
    }
  });

  test("scan: finds what is there all along, while others come and go", () => {
    const prng = new Prng(9);
    const map = new OrderedMap<Item>();
    for (let i = 0; i < 1000; i++) map.add(new Item(`m${i}`, map.nextPlace));
    const seen = new Set<string>();
    let cursor = 0;
    do {
      const page = map.scan(cursor, 7);
      for (const name of page.elements) seen.add(name);
      cursor = page.cursor;
      for (let i = 0; i < 5; i++) {
        const item = map.get(`m${prng.below(500) * 2 + 1}`);
        if (item !== undefined) map.remove(item);
      }
      map.add(new Item(`late${cursor}`, map.nextPlace));
    } while (cursor !== 0);
    for (let i = 0; i < 1000; i += 2) expect(seen.has(`m${i}`)).toBe(true);
  });
});
