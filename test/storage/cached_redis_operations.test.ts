import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { redisOperationsSuite } from "./redis_operations_suite.ts";

const directory = mkdtempSync(join(tmpdir(), "balsa-cached-ops-"));
afterAll(() => rmSync(directory, { recursive: true }));
const driver = await loadSqlite();
let files = 0;
const newPath = () => join(directory, `state${files++}.db`);

for (const cacheBytes of [0, 4096, 1e9]) {
  redisOperationsSuite(`CachedRedisOperations, ${cacheBytes} bytes`, () => {
    const sql = driver.open(newPath(), { synchronous: "normal" });
    const ops = new CachedRedisOperations(sql, { cacheBytes, now: () => 0 });
    const settle = () => {
      ops.setApplied(ops.applied);
      ops.flushAll();
    };
    return { ops, settle, close: () => (settle(), ops.close()) };
  });
}

redisOperationsSuite("CachedRedisOperations, a flush always under way", () => {
  let nowMs = 0;
  const sql = driver.open(newPath(), { synchronous: "normal" });
  const ops = new CachedRedisOperations(sql, { cacheBytes: 0, now: () => ++nowMs });
  const settle = () => {
    ops.setApplied(ops.applied);
    for (let i = 0; i < 3; i++) ops.flushStep(1);
    if (ops.applied.index > 0) ops.flushAll();
  };
  return { ops, settle, close: () => (settle(), ops.close()) };
});
