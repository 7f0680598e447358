import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_EXPIRY, NOTHING_APPLIED } from "../../src/storage/redis_operations.ts";
import { SqlRedisOperations } from "../../src/storage/sql_redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { ModelRedisOperations } from "./model_redis_operations.ts";
import { crashImage } from "./crash_image.ts";
import { redisOperationsSuite } from "./redis_operations_suite.ts";

const directory = mkdtempSync(join(tmpdir(), "balsa-sql-ops-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;
const driver = await loadSqlite();
const openState = (path: string) => driver.open(path, { synchronous: "normal" });
const newPath = () => join(directory, `state${files++}.db`);

redisOperationsSuite("ModelRedisOperations", () => {
  const ops = new ModelRedisOperations();
  return { ops, settle: () => {}, close: () => {} };
});

redisOperationsSuite("SqlRedisOperations", () => {
  const ops = new SqlRedisOperations(openState(newPath()));
  return { ops, settle: () => ops.commit(), close: () => ops.close() };
});

test("SqlRedisOperations: what was not committed is gone after a crash", () => {
  const path = newPath();
  const sql = openState(path);
  const ops = new SqlRedisOperations(sql);
  ops.set(0, "a", "1", NO_EXPIRY);
  ops.setApplied({ ...NOTHING_APPLIED, index: 1, term: 1, logTimeMs: 10, digest: 1 });
  ops.commit();
  const version = ops.find(0, "a")!.version;
  ops.flush(0);
  ops.set(0, "b", "2", NO_EXPIRY);
  ops.setApplied({ ...NOTHING_APPLIED, index: 2, term: 1, logTimeMs: 11, digest: 2 });

  const again = new SqlRedisOperations(openState(crashImage(path, newPath())));
  expect(again.applied).toEqual({
    ...NOTHING_APPLIED,
    index: 1,
    term: 1,
    logTimeMs: 10,
    digest: 1,
  });
  expect([...again.keys(0)]).toEqual(["a"]);
  again.set(0, "b", "2", NO_EXPIRY);
  expect(again.find(0, "b")!.version).toBe(version + 1);
  again.close();
  ops.close();
});

test("SqlRedisOperations: refuses a file of another program", () => {
  const path = newPath();
  const sql = openState(path);
  sql.exec("CREATE TABLE theirs(x)");
  expect(() => new SqlRedisOperations(sql)).toThrow("database of another program");
  sql.close();
});

test("SqlRedisOperations: refuses another format", () => {
  const sql = openState(newPath());
  new SqlRedisOperations(sql);
  sql.exec("PRAGMA user_version = 99");
  expect(() => new SqlRedisOperations(sql)).toThrow("its format is 99");
  sql.close();
});
