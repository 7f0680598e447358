import { assert } from "../../src/base/assert.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { ListEnd, ListOperations } from "../../src/storage/collections.ts";
import type { CollectionFuzz } from "./fuzz_collections.ts";

/** `at` is a place between the ends, 0 to 1. */
type Step =
  | { call: "push" | "pop"; end: ListEnd; values: readonly Bytes[] }
  | { call: "insert" | "replace"; at: number; values: readonly Bytes[] }
  | { call: "removeEqual"; value: Bytes; limit: number; reverse: boolean };

export const LIST_FUZZ: CollectionFuzz<ListOperations, Step> = {
  make({ prng, name, value }) {
    const dice = prng.next();
    const end = prng.below(2) === 0 ? "head" : "tail";
    const element = () => prng.below(2) === 0 ? name() : value();
    const many = prng.below(8) === 0 ? 60 : 4;
    const values = Array.from({ length: 1 + prng.below(many) }, element);
    if (dice < 0.35) return { call: "push", end, values };
    if (dice < 0.6) return { call: "pop", end, values };
    // Often at one place, so that there is no room left.
    const at = prng.below(2) === 0 ? 0.5 : prng.next();
    if (dice < 0.8) return { call: "insert", at, values };
    if (dice < 0.9) return { call: "replace", at, values };
    const reverse = prng.below(2) === 0;
    return { call: "removeEqual", value: name(), limit: 1 + prng.below(3), reverse };
  },

  run(list, step) {
    switch (step.call) {
      case "push":
        for (const value of step.values) list.push(step.end, value);
        return list.length;
      case "pop":
        return step.values.slice(0, list.length).map(() => list.pop(step.end));
      case "insert": {
        const index = Math.floor(step.at * (list.length + 1));
        for (const value of step.values) list.insert(index, value);
        return list.length;
      }
      case "replace":
        if (list.length === 0) return 0;
        list.replace(Math.floor(step.at * list.length), step.values[0]);
        return list.length;
      case "removeEqual":
        return list.removeEqual(step.value, step.limit, step.reverse);
    }
  },

  dump(list) {
    return [list.length, list.range(0, list.length - 1)];
  },

  probe(list, { prng }) {
    const all = list.range(0, list.length - 1);
    const index = prng.below(all.length);
    const stop = index + prng.below(all.length - index);
    const same = (found: Iterable<Bytes>, expected: readonly Bytes[]) =>
      assert(JSON.stringify([...found]) === JSON.stringify(expected), "the same elements");
    same([list.at(index)], [all[index]]);
    same(list.range(index, stop), all.slice(index, stop + 1));
    same(list.values(index), all.slice(index));
    same(list.values(index, true), all.slice(0, index + 1).reverse());
  },
};
