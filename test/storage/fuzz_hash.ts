import { assert } from "../../src/base/assert.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { HashOperations } from "../../src/storage/collections.ts";
import type { CollectionFuzz } from "./fuzz_collections.ts";

type Step =
  | { call: "set"; field: Bytes; value: Bytes; expireAtMs: number }
  | { call: "remove"; field: Bytes }
  | { call: "removeAll" }
  | { call: "expire"; timeMs: number; limit: number };

export const HASH_FUZZ: CollectionFuzz<HashOperations, Step> = {
  make({ prng, name, value, expiry }) {
    const dice = prng.next();
    if (dice < 0.6) return { call: "set", field: name(), value: value(), expireAtMs: expiry() };
    if (dice < 0.92) return { call: "remove", field: name() };
    if (dice < 0.95) return { call: "removeAll" };
    return { call: "expire", timeMs: 1000 + prng.below(50), limit: 1 + prng.below(4) };
  },

  run(hash, step) {
    switch (step.call) {
      case "set":
        return hash.set(step.field, step.value, step.expireAtMs);
      case "remove":
        return hash.remove(step.field);
      case "removeAll":
        return [...hash.entries()].map(([field]) => hash.remove(field));
      case "expire":
        return hash.expired(step.timeMs, step.limit).map((field) => hash.remove(field));
    }
  },

  dump(hash) {
    const fields = [...hash.entries()].map(([field, { value, expireAtMs }]) => [
      field,
      value,
      String(expireAtMs),
      hash.get(field)?.value,
    ]);
    return [hash.size, String(hash.nextExpiryMs), fields];
  },

  probe(hash, { prng }) {
    const seen = new Set<Bytes>();
    let cursor = 0;
    do {
      const page = hash.scan(cursor, 1 + prng.below(4));
      for (const field of page.elements) seen.add(field);
      cursor = page.cursor;
    } while (cursor !== 0);
    assert(seen.size === hash.size, "a scan of a hash that stands still finds each field");
    assert(hash.get(hash.random(() => prng.next())) !== undefined, "a random field exists");
  },
};
