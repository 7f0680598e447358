import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import type { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import type { Collection } from "../../src/storage/collection.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import { addUint64 } from "../../src/base/uint64.ts";
import { compareIds, ID_MAX, ID_ZERO, idAfter, idOf } from "../../src/storage/stream_id.ts";
import type { StreamOperations } from "../../src/storage/streams.ts";
import {
  dumpCollection,
  type FuzzValues,
  makeSteps,
  probeCollection,
  runSteps,
} from "./fuzz_collections.ts";
import { makeOpen } from "./sparse_ops.ts";

// Lists and streams of which parts are in SQL alone, against the same ones in memory.

const open = makeOpen();

const FILLED = 300;
const WHOLE_MAX = 48;

function fill(ops: CachedRedisOperations, type: "list" | "stream"): void {
  if (type === "list") {
    const list = ops.edit(0, "list", "list");
    for (let n = 0; n < FILLED; n++) list.push("tail", `f${n % 30}`);
    return;
  }
  const stream: StreamOperations = ops.edit(0, "stream", "stream");
  for (let n = 0; n < FILLED; n++) {
    const words = n % 5 === 0 ? ["field", "value"] : ["other", `${n}`];
    stream.append({ ...idAfter(stream.lastId)!, words }, { entries: 4, bytes: 200 });
  }
}

for (const seed of [1, 2, 3]) {
  test(`lists and streams in SQL answer as those in memory, seed ${seed}`, () => {
    const prng = new Prng(seed);
    const values: FuzzValues = {
      prng,
      name: () => `f${prng.below(30)}`,
      value: () => `v${prng.below(1000)}`,
      expiry: () => NO_EXPIRY,
    };
    const partial = open(prng, 0, WHOLE_MAX);
    const whole = open(prng, 1e9, 1e9);
    const both = [partial, whole];
    const used = { list: 0, stream: 0 };
    for (let index = 1; index <= 250; index++) {
      const type = prng.below(2) === 0 ? "list" : "stream";
      const isShort = (partial.find(0, type)?.size ?? 0) <= WHOLE_MAX;
      if (isShort) { for (const ops of both) fill(ops, type); }
      const steps = makeSteps(type, values);
      const [found, expected] = both.map((ops) => runSteps(ops, 0, type, type, steps));
      expect([index, steps, found]).toEqual([index, steps, expected]);
      for (const ops of both) {
        ops.setApplied({ ...ops.applied, index });
        if (prng.below(3) === 0) ops.flushStep(prng.below(8));
        if (prng.below(20) === 0) ops.flushAll();
      }
      // As on a node that reads it anew, and on one where the clock hand comes by just now.
      if (prng.below(20) === 0) partial.reload();
      const collection = partial.collection(0, type, type) as unknown as Collection;
      if (prng.below(3) === 0) collection?.shed(WHOLE_MAX);
      if (collection?.isSparse) used[type]++;
      for (const ops of both) probeCollection(ops, 0, type, values);
      if (prng.below(4) === 0) {
        const [found, expected] = both.map((ops) => dumpCollection(ops, 0, type));
        expect([index, found]).toEqual([index, expected]);
      }
      if (prng.below(60) === 0) { for (const ops of both) ops.del(0, type); }
      if (prng.below(60) === 0) {
        for (const ops of both) ops.copy(0, type, 0, "other"), ops.rename(0, "other", 0, type);
      }
    }
    expect(used.list).toBeGreaterThan(20);
    expect(used.stream).toBeGreaterThan(20);
    for (const ops of both) {
      ops.setApplied(ops.applied);
      void ops.close();
    }
  });
}

for (const seed of [1, 2, 3]) {
  test(`a stream whose ids begin anew is the same in SQL and in memory, seed ${seed}`, () => {
    const prng = new Prng(seed);
    const partial = open(prng, 0, 2);
    const both = [partial, open(prng, 1e9, 1e9)];
    let lowered = 0;
    for (let index = 1; index <= 1000; index++) {
      const dice = prng.next();
      const [count, random] = [prng.below(4), prng.next()];
      for (const ops of both) {
        const stream: StreamOperations = ops.edit(0, "stream", "stream");
        const ids = [...stream.range(ID_ZERO, ID_MAX)].map(idOf);
        if (dice < 0.4) {
          for (let n = 0; n <= count; n++) {
            const id = { ms: stream.lastId.ms, seq: addUint64(stream.lastId.seq, 1 + count) };
            stream.append({ ...id, words: ["field", `${index}`] }, { entries: 4, bytes: 200 });
          }
        } else if (dice < 0.6) {
          stream.trim({ isApproximate: false, limit: 0, lengthMax: count });
        } else if (dice < 0.8) {
          for (const id of ids.slice(Math.floor(random * ids.length))) stream.remove(id);
        } else {
          const lastId = ids.at(-1) ?? { ms: 0, seq: 1 };
          if (compareIds(lastId, stream.lastId) < 0) lowered++;
          stream.setCounters({ lastId });
        }
        ops.setApplied({ ...ops.applied, index });
        if (random < 0.3) ops.flushStep(prng.below(3));
        if (random < 0.1) ops.flushAll();
      }
      if (prng.below(4) === 0) partial.reload();
      (partial.collection(0, "stream", "stream") as unknown as Collection)?.shed(2);
      const [found, expected] = both.map((ops) => dumpCollection(ops, 0, "stream"));
      expect([index, found]).toEqual([index, expected]);
    }
    expect(lowered).toBeGreaterThan(50);
    for (const ops of both) {
      ops.setApplied(ops.applied);
      void ops.close();
    }
  });
}
