import { assert } from "../../src/base/assert.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { SetOperations } from "../../src/storage/collections.ts";
import type { CollectionFuzz } from "./fuzz_collections.ts";

type Step =
  | { call: "add" | "remove"; members: readonly Bytes[] }
  | { call: "pop"; numbers: readonly number[] };

export const SET_FUZZ: CollectionFuzz<SetOperations, Step> = {
  make({ prng, name, value }) {
    const dice = prng.next();
    const many = prng.below(8) === 0 ? 60 : 4;
    const member = () => prng.below(4) === 0 ? value() : name();
    const members = Array.from({ length: 1 + prng.below(many) }, member);
    if (dice < 0.5) return { call: "add", members };
    if (dice < 0.75) return { call: "remove", members };
    return { call: "pop", numbers: members.map(() => prng.next()) };
  },

  run(set, step) {
    if (step.call !== "pop") return step.members.map((member) => set[step.call](member));
    return step.numbers.slice(0, set.size).map((number) => {
      const member = set.random(() => number);
      return [member, set.remove(member)];
    });
  },

  dump(set) {
    const members = [...set.members()];
    return [set.size, members, members.every((member) => set.has(member))];
  },

  probe(set, { prng }) {
    const seen = new Set<Bytes>();
    let cursor = 0;
    do {
      const page = set.scan(cursor, 1 + prng.below(4));
      for (const member of page.elements) seen.add(member);
      cursor = page.cursor;
    } while (cursor !== 0);
    assert(seen.size === set.size, "a scan of a set that stands still finds each member");
  },
};
