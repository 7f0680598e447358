import { Prng } from "../../src/base/prng.ts";
import {
  NO_EXPIRY,
  NOTHING_APPLIED,
  type RedisOperations,
} from "../../src/storage/redis_operations.ts";

/** Applies the log entry with this index: changes that are a function of it. */
export function applyKillEntry(ops: RedisOperations, index: number): void {
  const prng = new Prng(index);
  for (let i = 0; i < 3; i++) {
    const db = prng.below(2);
    const key = `key${prng.below(2000)}`;
    const dice = prng.below(100);
    if (dice < 70) ops.set(db, key, `${index}`.repeat(1 + prng.below(20)), NO_EXPIRY);
    else if (dice < 90) ops.del(db, key);
    else if (dice < 99) ops.rename(db, key, 1 - db, `key${prng.below(2000)}`);
    else if (index % 50 === 0) ops.flush(db);
  }
  const digest = prng.nextUint32();
  ops.setApplied({ ...NOTHING_APPLIED, index, term: 1, logTimeMs: index, digest });
}
