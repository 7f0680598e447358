import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Checkpointer,
  InlineCheckpointer,
  WorkerCheckpointer,
} from "../../src/storage/checkpointer.ts";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import type { SqlDatabase } from "../../src/storage/sqlite_types.ts";

const directory = mkdtempSync(join(tmpdir(), "balsa-checkpointer-"));
afterAll(() => rmSync(directory, { recursive: true }));
const driver = await loadSqlite();
const FLUSH_BYTES = 4_000_000;

const kinds: [string, (sql: SqlDatabase) => Checkpointer][] = [
  ["InlineCheckpointer", (sql) => new InlineCheckpointer(sql)],
  ["WorkerCheckpointer", (sql) => new WorkerCheckpointer(sql, driver.name)],
];

for (const [name, make] of kinds) {
  test(`${name}: the -wal file stays as long as one flush`, async () => {
    const path = join(directory, `${name}.db`);
    const sql = driver.open(path, { synchronous: "normal" });
    const checkpointer = make(sql);
    const ops = new CachedRedisOperations(sql, { cacheBytes: 1e8, now: () => 0, checkpointer });
    for (let round = 1; round <= 10; round++) {
      for (let i = 0; i < 40; i++) {
        ops.set(0, `k${i}`, `${round % 10}`.repeat(FLUSH_BYTES / 40), NO_EXPIRY);
      }
      ops.setApplied({ ...ops.applied, index: round });
      // At once it is not due: the clock stands still.
      ops.flushAll();
      checkpointer.afterCommit();
      while (checkpointer.isBusy) {
        expect(ops.flushWaitMs()).toBeGreaterThan(0);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const left = sql.prepare("PRAGMA wal_checkpoint(NOOP)").get()!;
      expect(left.log).toBe(left.checkpointed);
    }
    expect(statSync(`${path}-wal`).size).toBeLessThan(2 * FLUSH_BYTES);
    await ops.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
  });
}
