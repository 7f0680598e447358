import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { WorkerCheckpointer } from "../../src/storage/checkpointer.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import type { SqliteDriver } from "../../src/storage/sqlite_types.ts";
import { fuzzRedisOperations } from "./redis_operations_fuzz.ts";

// Fuzzes with this runtime's own driver, and lets the state worker checkpoint and flush.
async function useWorker(driver: SqliteDriver, path: string): Promise<void> {
  const sql = driver.open(path, { synchronous: "normal" });
  const checkpointer = new WorkerCheckpointer(sql, driver.name);
  const ops = new CachedRedisOperations(sql, {
    cacheBytes: 1e8,
    now: () => 0,
    checkpointer,
    flushKeys: 5000,
  });
  for (let i = 0; i < 40; i++) ops.set(0, `k${i}`, "\xff".repeat(100_000), NO_EXPIRY);
  ops.setApplied({ ...ops.applied, index: 1 });
  ops.flushAll();
  checkpointer.afterCommit();
  if (!checkpointer.isBusy) throw new Error("the worker was not started");
  while (checkpointer.isBusy) await new Promise((resolve) => setTimeout(resolve, 5));
  checkpointer.afterCommit();
  for (let i = 0; i < 5000; i++) ops.set(0, `many${i}`, `${i}`, NO_EXPIRY);
  ops.setApplied({ ...ops.applied, index: 2 });
  // By hand: the clock stands still, so a flush is due by the number of keys alone.
  while (ops.durable.index < 2) {
    ops.flushStep(5);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const stored = sql.prepare("SELECT count(*) AS n FROM keys WHERE key >= 'many'").get();
  if (stored?.n !== 5000) throw new Error(`the worker wrote ${stored?.n} rows`);
  await ops.close();
}

const directory = mkdtempSync(join(tmpdir(), "balsa-fuzz-run-"));
try {
  const driver = await loadSqlite();
  await useWorker(driver, join(directory, "worker.db"));
  for (const seed of [1, 2]) fuzzRedisOperations({ driver, directory, seed, entries: 200 });
  process.stdout.write(`passed on ${driver.name}\n`);
} finally {
  rmSync(directory, { recursive: true });
}
