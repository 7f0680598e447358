import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath, URL } from "node:url";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { applyKillEntry } from "./cached_kill_entries.ts";
import { ModelRedisOperations } from "./model_redis_operations.ts";
import { dump } from "./redis_operations_fuzz.ts";

const ROUNDS = 5;
const child = fileURLToPath(new URL("./cached_kill_child.ts", import.meta.url));

/** Runs the child until it has reported some durable indexes; returns the last before its kill. */
async function runAndKill(path: string, reports: number): Promise<number> {
  const running = spawn(process.execPath, [child, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(running, "exit");
  let last = 0;
  let seen = 0;
  for await (const line of createInterface({ input: running.stdout })) {
    last = Number(line);
    if (++seen === reports) setTimeout(() => running.kill("SIGKILL"), 5 * reports);
  }
  await exit;
  return last;
}

test(
  "kill -9: the state is that of an applied index, no older than one reported durable",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "balsa-kill-ops-"));
    const driver = await loadSqlite();
    const path = join(directory, "state.db");
    const model = new ModelRedisOperations();
    for (let round = 0; round < ROUNDS; round++) {
      const reported = await runAndKill(path, 4 + 3 * round);
      const sql = driver.open(path, { synchronous: "normal" });
      const ops = new CachedRedisOperations(sql, { cacheBytes: 1e6, now: () => 0 });
      expect(ops.applied.index).toBeGreaterThanOrEqual(reported);
      expect(ops.durable.index).toBe(ops.applied.index);
      while (model.applied.index < ops.applied.index) {
        applyKillEntry(model, model.applied.index + 1);
      }
      expect(dump(ops) === dump(model)).toBe(true);
      expect(sql.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
      void ops.close();
    }
    expect(model.applied.index).toBeGreaterThan(0);
    rmSync(directory, { recursive: true });
  },
  60_000,
);
