import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Collection } from "../../src/storage/collection.ts";
import { NO_EXPIRY, type RedisOperations } from "../../src/storage/redis_operations.ts";
import { pageOfCollection } from "./fuzz_collections.ts";
import { makeOpen } from "./sparse_ops.ts";

// Collections of which SQL has the elements, against the same ones in memory.

const open = makeOpen();

const TYPES = ["hash", "set", "zset"] as const;
type Type = typeof TYPES[number];

interface Step {
  readonly type: Type;
  readonly call: "put" | "remove" | "read" | "count" | "random";
  readonly name: Bytes;
  readonly number: number;
}

/** Carries a step out; resolves to all that it answers. */
function run(ops: RedisOperations, { type, call, name, number }: Step): unknown {
  if (call === "count") return ops.find(0, type)?.size;
  if (call !== "put" && call !== "remove" && ops.find(0, type) === undefined) return undefined;
  if (call === "random") {
    return type === "zset" || ops.collection(0, type, type)!.random(() => number / 5);
  }
  if (type === "hash") {
    if (call === "read") return ops.collection(0, type, type)!.get(name)?.value;
    const hash = ops.edit(0, type, type);
    return call === "remove" ? hash.remove(name) : hash.set(name, `${number}`, NO_EXPIRY);
  }
  if (type === "set") {
    if (call === "read") return ops.collection(0, type, type)!.has(name);
    const set = ops.edit(0, type, type);
    return call === "remove" ? set.remove(name) : set.add(name);
  }
  if (call === "read") return ops.collection(0, type, type)!.score(name);
  const zset = ops.edit(0, type, type);
  return call === "remove" ? zset.remove(name) : zset.set(name, number);
}

/** All elements, in the order that they have. */
function elements(ops: RedisOperations, type: Type): string {
  if (ops.find(0, type) === undefined) return "absent";
  if (type === "hash") {
    const all = [...ops.collection(0, type, type)!.entries()];
    return JSON.stringify(all.map(([name, { value }]) => [name, value]));
  }
  if (type === "set") return JSON.stringify([...ops.collection(0, type, type)!.members()]);
  const zset = ops.collection(0, type, type)!;
  const { elements } = zset.scan(0, 1000);
  return JSON.stringify(elements.map((name) => [name, zset.score(name)]));
}

function makeStep(prng: Prng): Step {
  const calls = ["put", "put", "put", "remove", "remove", "read", "count", "random"] as const;
  const call = calls[prng.below(calls.length)];
  const n = prng.below(40);
  const name = n % 7 === 0 ? `\xe9${n}\0` : `f${n}`;
  return { type: TYPES[prng.below(3)], call, name, number: prng.below(5) };
}

for (const seed of [1, 2, 3, 4]) {
  test(`collections in SQL answer as those in memory, seed ${seed}`, () => {
    const prng = new Prng(seed);
    const sparse = open(prng, 0, 3);
    const whole = open(prng, 1e9, 1e9);
    let index = 0;
    let used = 0;
    for (let i = 0; i < 1500; i++) {
      const steps = Array.from({ length: 1 + prng.below(4) }, () => makeStep(prng));
      for (const step of steps) {
        expect([step, run(sparse, step)]).toEqual([step, run(whole, step)]);
      }
      index++;
      for (const ops of [sparse, whole]) {
        ops.setApplied({ ...ops.applied, index });
        if (prng.below(3) === 0) ops.flushStep(prng.below(8));
        if (prng.below(40) === 0) ops.flushAll();
      }
      const type = TYPES[prng.below(3)];
      // As on a node where the clock hand comes by just now.
      if (prng.below(10) === 0) {
        const collection = sparse.collection(0, type, type) as unknown as Collection | undefined;
        collection?.shed(3);
      }
      if ((sparse.find(0, type)?.size ?? 0) > 3) {
        const collection = sparse.collection(0, type, type) as unknown as Collection;
        if (collection.isSparse) used++;
      }
      const [cursor, count] = [prng.below(60), 1 + prng.below(6)];
      expect(pageOfCollection(sparse, 0, type, cursor, count))
        .toBe(pageOfCollection(whole, 0, type, cursor, count));
      expect(sparse.find(0, type)?.encoding).toBe(whole.find(0, type)?.encoding as string);
      if (prng.below(4) === 0) expect(elements(sparse, type)).toBe(elements(whole, type));
      if (prng.below(50) === 0) sparse.del(0, type), whole.del(0, type);
      if (prng.below(60) === 0) {
        for (const ops of [sparse, whole]) ops.copy(0, type, 0, "other");
        for (const ops of [sparse, whole]) ops.rename(0, "other", 0, type);
      }
    }
    expect(used).toBeGreaterThan(200);
    for (const ops of [sparse, whole]) {
      ops.setApplied(ops.applied);
      void ops.close();
    }
  });
}
