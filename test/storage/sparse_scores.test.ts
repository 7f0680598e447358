import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import type { Collection } from "../../src/storage/collection.ts";
import type { ScoredMember, SortedSetOperations } from "../../src/storage/collections.ts";
import { makeOpen } from "./sparse_ops.ts";

// Ranks and ranges of a large sorted set of which SQL has the members, against the same in memory.

const open = makeOpen();

const MEMBERS = 2000;
const WHOLE_MAX = 100;

/** Some names are TEXT in SQL and some are BLOBs, one is empty. */
function nameOf(n: number): string {
  return n === 0 ? "" : n % 3 === 0 ? `m\xe9${n}\0` : `m${n}`;
}

/** Many members of one score, some of none other. */
function scoreOf(prng: Prng, n: number): number {
  const dice = prng.below(20);
  if (dice === 0) return prng.below(2) === 0 ? Infinity : -Infinity;
  return dice < 10 ? 7 : dice < 15 ? prng.next() * 20 : n;
}

function plain(members: Iterable<ScoredMember>): string {
  return JSON.stringify(Array.from(members, ({ name, score }) => [name, String(score)]));
}

for (const seed of [1, 2]) {
  test(`ranks in SQL are those in memory, seed ${seed}`, () => {
    const prng = new Prng(seed);
    const sparse = open(prng, 0, WHOLE_MAX);
    const whole = open(prng, 1e9, 1e9);
    const both = [sparse, whole];
    const edit = (change: (zset: SortedSetOperations) => unknown) => {
      const [found, expected] = both.map((ops) => change(ops.edit(0, "zset", "zset")));
      expect(found).toEqual(expected);
    };
    let used = 0;
    let next = 1000;
    for (let n = 0; n < MEMBERS; n++) {
      const score = scoreOf(prng, n);
      edit((zset) => zset.set(nameOf(n), score));
    }
    for (let index = 1; index <= 500; index++) {
      for (let change = prng.below(12); change > 0; change--) {
        const n = prng.below(MEMBERS);
        const [name, score] = [nameOf(n), scoreOf(prng, n)];
        const dice = prng.below(20);
        if (dice < 9) edit((zset) => zset.set(name, score));
        else if (dice < 14) edit((zset) => zset.remove(name));
        else if (dice < 16) edit((zset) => plain(zset.range(0, 0)) + zset.remove(name));
        else {
          // In order, as times are.
          const count = prng.below(5) === 0 ? 700 : 3;
          for (let i = 0; i < count; i++) edit((zset) => zset.set(`t${next + i}`, 30 + next + i));
          next += count;
        }
      }
      for (const ops of both) {
        ops.setApplied({ ...ops.applied, index });
        if (prng.below(3) === 0) ops.flushStep(prng.below(8));
        if (prng.below(30) === 0) ops.flushAll();
      }
      if (prng.below(40) === 0) sparse.reload();
      const zset = sparse.collection(0, "zset", "zset")!;
      if (prng.below(10) === 0) (zset as unknown as Collection).shed(WHOLE_MAX);
      if ((zset as unknown as Collection).isSparse) used++;
      const expected = whole.collection(0, "zset", "zset")!;
      const name = nameOf(prng.below(MEMBERS));
      expect([name, zset.rank(name)]).toEqual([name, expected.rank(name)]);
      const score = scoreOf(prng, prng.below(MEMBERS));
      for (const inclusive of [false, true]) {
        expect(zset.countBelow(score, inclusive)).toBe(expected.countBelow(score, inclusive));
      }
      const start = prng.below(expected.size);
      const stop = start + prng.below(prng.below(10) === 0 ? MEMBERS : 90);
      const reverse = prng.below(2) === 0;
      expect(plain(zset.range(start, stop, reverse)))
        .toBe(plain(expected.range(start, stop, reverse)));
      if (prng.below(50) > 0) continue;
      expect(plain(zset.range(0, 1e9))).toBe(plain(expected.range(0, 1e9)));
      expect(plain(zset.range(0, 1e9, true))).toBe(plain(expected.range(0, 1e9, true)));
    }
    expect(used).toBeGreaterThan(200);
    // All of one score: what is asked for by bytes alone.
    for (let n = 0; n < MEMBERS; n++) edit((zset) => zset.set(nameOf(n), 5));
    edit((zset) =>
      [...zset.range(0, 1e9)].map(({ name, score }) => score !== 5 && zset.remove(name))
    );
    for (const ops of both) {
      ops.setApplied({ ...ops.applied, index: 1000 });
      ops.flushAll();
    }
    sparse.reload();
    const [zset, expected] = both.map((ops) => ops.collection(0, "zset", "zset")!);
    for (let n = 0; n < 100; n++) {
      const name = nameOf(prng.below(MEMBERS));
      for (const inclusive of [false, true]) {
        expect(zset.countBefore(name, inclusive)).toBe(expected.countBefore(name, inclusive));
      }
    }
    for (const ops of both) void ops.close();
  });
}
