import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { fuzzRedisOperations } from "./redis_operations_fuzz.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);
const directory = mkdtempSync(join(tmpdir(), "balsa-fuzz-ops-"));
afterAll(() => rmSync(directory, { recursive: true }));
const driver = await loadSqlite();

// FUZZ_SEED=n runs that one seed; FUZZ_SEEDS=n the seeds 1..n. The last of these once failed: a
// flushed slot was given away again before its purge was recorded; a deleted key's old expiry was
// seen between the commit of its deletion and the end of that flush.
const { FUZZ_SEED, FUZZ_SEEDS } = process.env;
const seeds = FUZZ_SEED !== undefined
  ? [Number(FUZZ_SEED)]
  : FUZZ_SEEDS !== undefined
  ? Array.from({ length: Number(FUZZ_SEEDS) }, (_, i) => i + 1)
  : [1, 2, 3, 4, 5, 6, 10, 77, 80];

for (const seed of seeds) {
  test(`model, SQL and working set agree on random calls, seed ${seed}`, () => {
    fuzzRedisOperations({ driver, directory, seed, entries: 500 });
  }, 180_000);
}

test("on Deno too, with the state worker", () => {
  const deno = join(ROOT, "node_modules/.bin/deno");
  const script = join(ROOT, "test/storage/redis_operations_fuzz_run.ts");
  const { stdout, stderr } = spawnSync(deno, ["run", "-A", "--quiet", script], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(stdout).toBe("passed on node:sqlite\n");
}, 180_000);
