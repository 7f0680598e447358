import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Prng } from "../../src/base/prng.ts";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { FakeFlushCheckpointer } from "./fake_flush_writer.ts";

const driver = await loadSqlite();

/** Opens one on a new file, whose flushes run when chance has it, on a clock that looks move on. */
type Open = (prng: Prng, cacheBytes: number, wholeElementsMax: number) => CachedRedisOperations;

/** What opens them for a file's tests; the files are removed behind those. */
export function makeOpen(): Open {
  const directory = mkdtempSync(join(tmpdir(), "balsa-sparse-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  let files = 0;
  return (prng, cacheBytes, wholeElementsMax) => {
    const path = join(directory, `state${files++}.db`);
    const sql = driver.open(path, { synchronous: "normal" });
    const other = driver.open(path, { synchronous: "normal" });
    const checkpointer = new FakeFlushCheckpointer(sql, other, () => prng.below(2) === 0);
    let nowMs = 0;
    const now = () => ++nowMs;
    return new CachedRedisOperations(sql, { cacheBytes, wholeElementsMax, checkpointer, now });
  };
}
