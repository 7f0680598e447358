import { assert } from "../../src/base/assert.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { SortedSetOperations } from "../../src/storage/collections.ts";
import type { CollectionFuzz } from "./fuzz_collections.ts";

type Step =
  | { call: "set"; member: Bytes; score: number }
  | { call: "remove"; member: Bytes }
  | { call: "popFirst" }
  | { call: "removeAll" };

/** Whole numbers (drivers bind them as INTEGER) and others, far apart and near. */
const SCORES = [
  0,
  -0,
  1,
  -1,
  0.1,
  -2.5,
  3,
  2 ** 31,
  -(2 ** 53),
  2 ** 62,
  1e17 + 16,
  1e300,
  5e-324,
  Infinity,
  -Infinity,
];

export const SORTED_SET_FUZZ: CollectionFuzz<SortedSetOperations, Step> = {
  make({ prng, name }) {
    const dice = prng.next();
    if (dice < 0.6) {
      return { call: "set", member: name(), score: SCORES[prng.below(SCORES.length)] };
    }
    if (dice < 0.85) return { call: "remove", member: name() };
    return dice < 0.97 ? { call: "popFirst" } : { call: "removeAll" };
  },

  run(zset, step) {
    switch (step.call) {
      case "set":
        return zset.set(step.member, step.score);
      case "remove":
        return zset.remove(step.member);
      case "popFirst":
        return [...zset.range(0, 0)].map(({ name }) => [name, zset.remove(name)]);
      case "removeAll":
        return [...zset.range(0, zset.size - 1)].map(({ name }) => zset.remove(name));
    }
  },

  dump(zset) {
    const members = [...zset.range(0, zset.size - 1)].map(({ name, score }) => [
      name,
      Object.is(score, -0) ? "-0" : String(score),
      zset.score(name) === score,
      zset.rank(name),
    ]);
    const counts = SCORES.map((score) => [
      zset.countBelow(score, false),
      zset.countBelow(score, true),
    ]);
    const reversed = [...zset.range(1, zset.size, true)].map(({ name }) => name);
    return [zset.size, members, counts, reversed];
  },

  probe(zset, { prng }) {
    const seen = new Set<Bytes>();
    let cursor = 0;
    do {
      const page = zset.scan(cursor, 1 + prng.below(4));
      for (const member of page.elements) seen.add(member);
      cursor = page.cursor;
    } while (cursor !== 0);
    assert(seen.size === zset.size, "a scan of a sorted set that stands still finds each member");
  },
};
