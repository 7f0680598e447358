import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { CachedKey } from "../../src/storage/cached_key.ts";
import { KeyMap } from "../../src/storage/key_map.ts";
import { NO_EXPIRY, PREFETCH_MAX } from "../../src/storage/redis_operations.ts";

function recordOf(key: string, id: number): CachedKey {
  return new CachedKey(key, "string", "v", NO_EXPIRY, 0, undefined, id, 0, 0);
}

/** Another string of the same bytes: no lookup may rest on identity. */
function copyOf(key: string): string {
  return key.split("").join("");
}

test("KeyMap: a Map by any number of keys, deletions and lookups ahead included", () => {
  for (const [seed, names] of [[1, 500], [2, 20_000], [3, 60_000]]) {
    const prng = new Prng(seed);
    const map = new KeyMap(prng.nextUint32());
    const model = new Map<string, CachedKey>();
    for (let step = 0; step < 150_000; step++) {
      const key = `key:${prng.below(names)}`;
      if (prng.below(10) < 6) {
        const record = recordOf(key, step + 1);
        map.set(key, record);
        model.set(key, record);
      } else {
        map.delete(copyOf(key));
        model.delete(key);
      }
      const other = `key:${prng.below(names)}`;
      if (map.get(copyOf(other)) !== model.get(other)) throw new Error(`step ${step}: ${other}`);
      if (step % 1000 === 0) {
        const ahead = Array.from({ length: PREFETCH_MAX }, () => `key:${prng.below(names * 2)}`);
        map.prefetch(ahead, prng.below(PREFETCH_MAX + 1));
      }
    }
    for (let at = 0; at < names; at++) {
      const key = `key:${at}`;
      if (map.get(key) !== model.get(key)) throw new Error(`at the end: ${key}`);
    }
    const round = new Set<CachedKey>();
    for (let next = map.advance(); next !== undefined; next = map.advance()) round.add(next);
    expect(round.size).toBe(model.size);
  }
});

test("KeyMap: names of all lengths, and those that differ in one byte", () => {
  const map = new KeyMap(7);
  const keys: string[] = [];
  for (let length = 0; length < 400; length++) {
    for (let n = 0; n < 30; n++) {
      keys.push("\xff".repeat(length).slice(2) + String.fromCharCode(n, length & 255));
    }
  }
  const unique = [...new Set(keys)];
  for (const [at, key] of unique.entries()) map.set(key, recordOf(key, at + 1));
  for (const [at, key] of unique.entries()) {
    if (map.get(copyOf(key))?.id !== at + 1) throw new Error(`the ${at}th name is lost`);
  }
  expect(map.get("\xff".repeat(500))).toBeUndefined();
});
