import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import type { SqlDatabase } from "../../src/storage/sqlite_types.ts";
import { SqliteError } from "../../src/storage/sqlite_types.ts";
import { redisOperationsSuite } from "./redis_operations_suite.ts";

const directory = mkdtempSync(join(tmpdir(), "balsa-cached-ops-"));
afterAll(() => rmSync(directory, { recursive: true }));
const driver = await loadSqlite();
let files = 0;
const newPath = () => join(directory, `state${files++}.db`);

for (const [cacheBytes, wholeElementsMax] of [[0, 4096], [4096, 4096], [1e9, 4096], [0, 0]]) {
  const sizes = `${cacheBytes} bytes, ${wholeElementsMax} elements`;
  redisOperationsSuite(`CachedRedisOperations, ${sizes}`, () => {
    const sql = driver.open(newPath(), { synchronous: "normal" });
    const ops = new CachedRedisOperations(sql, { cacheBytes, wholeElementsMax, now: () => 0 });
    const settle = () => {
      ops.setApplied(ops.applied);
      ops.flushAll();
    };
    return { ops, settle, close: () => (settle(), void ops.close()) };
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
  return { ops, settle, close: () => (settle(), void ops.close()) };
});

/** Ops on a clock that stands still, and an applied index to count up. */
function make(cacheBytes: number, wrap = (sql: SqlDatabase) => sql) {
  const clock = { nowMs: 0, stepMs: 0 };
  const sql = wrap(driver.open(newPath(), { synchronous: "normal" }));
  const ops = new CachedRedisOperations(sql, {
    cacheBytes,
    now: () => clock.nowMs += clock.stepMs,
  });
  const applied = () => {
    ops.setApplied({ ...ops.applied, index: ops.applied.index + 1 });
  };
  return { clock, sql, ops, applied };
}

test("flushWaitMs: idle, age, bytes and nothing to do", () => {
  const { clock, ops, applied } = make(100_000);
  expect(ops.flushWaitMs()).toBe(Infinity);
  ops.set(0, "k", "v", NO_EXPIRY);
  applied();
  expect(ops.flushWaitMs()).toBe(50);
  for (clock.nowMs = 40; clock.nowMs < 3980; clock.nowMs += 40) {
    applied();
    expect(ops.flushWaitMs()).toBe(Math.min(50, 4000 - clock.nowMs));
    expect(ops.flushStep(1)).toBe(false);
  }
  clock.nowMs = 4000;
  expect(ops.flushWaitMs()).toBe(0);
  expect(ops.flushStep(1)).toBe(false);
  expect([ops.durable.index, ops.flushWaitMs()]).toEqual([ops.applied.index, Infinity]);
  ops.set(0, "k", "v".repeat(30_000), NO_EXPIRY);
  applied();
  expect(ops.flushWaitMs()).toBe(0);
  void ops.close();
});

test("flushStep: a state is written in steps, later changes in the next flush", () => {
  const { clock, sql, ops, applied } = make(1e6);
  for (let i = 0; i < 1000; i++) ops.set(0, `k${i}`, "old", NO_EXPIRY);
  applied();
  ops.flushWaitMs();
  clock.nowMs = 100;
  clock.stepMs = 1;
  let steps = 0;
  while (ops.flushStep(10)) {
    if (++steps > 1) continue;
    for (let i = 0; i < 1000; i += 2) ops.set(0, `k${i}`, "new", NO_EXPIRY);
    ops.del(0, "k1");
    applied();
  }
  expect(steps).toBeGreaterThan(3);
  expect(ops.durable.index).toBe(1);
  const values = sql.prepare("SELECT value, count(*) AS n FROM redis GROUP BY value").all();
  expect(values).toEqual([{ value: "old", n: 1000 }]);
  expect([ops.getBinary(0, "k2"), ops.getBinary(0, "k3"), ops.size(0)]).toEqual([
    "new",
    "old",
    999,
  ]);
  ops.flushAll();
  expect(sql.prepare("SELECT count(*) AS n FROM redis WHERE value = 'new'").get()).toEqual({
    n: 500,
  });
  expect(ops.durable.index).toBe(2);
  void ops.close();
});

test("memory stays near cacheBytes once flushed, backlogged before", () => {
  const cacheBytes = 100_000;
  const { ops, applied } = make(cacheBytes);
  for (let i = 0; i < 2000; i++) ops.set(0, `k${i}`, "v".repeat(100), NO_EXPIRY);
  applied();
  expect(ops.backlogged).toBe(true);
  expect(ops.memory.dirtyBytes).toBeGreaterThan(cacheBytes);
  ops.flushAll();
  expect(ops.backlogged).toBe(false);
  for (let i = 0; i < 4000; i++) expect(ops.getBinary(0, `k${i % 2000}`)).toBe("v".repeat(100));
  expect(ops.memory.heldBytes).toBeLessThan(cacheBytes + 1000);
  expect(ops.memory.dirtyBytes).toBe(0);
  void ops.close();
});

test("a value and a key larger than the whole cache", () => {
  const { ops, applied } = make(10_000);
  const large = "\xff\0".repeat(100_000);
  ops.set(0, large, large, NO_EXPIRY);
  ops.set(0, "k", "v", NO_EXPIRY);
  applied();
  ops.flushAll();
  for (let i = 0; i < 3; i++) {
    expect(ops.getBinary(0, large) === large).toBe(true);
    for (let j = 0; j < 100; j++) ops.find(0, `absent${j}`);
    expect(ops.memory.heldBytes).toBeLessThan(10_000 + 2 * large.length);
  }
  void ops.close();
});

test("the file shrinks after its keys are gone, by FLUSHDB or one by one, in short steps", () => {
  for (const byFlush of [true, false]) {
    const { clock, sql, ops, applied } = make(1e8);
    for (let i = 0; i < 3000; i++) ops.set(0, `k${i}`, "v".repeat(6000), NO_EXPIRY);
    ops.set(1, "stays", "v", NO_EXPIRY);
    applied();
    ops.flushAll();
    if (byFlush) ops.flush(0);
    else for (let i = 0; i < 3000; i++) ops.del(0, `k${i}`);
    applied();
    ops.flushAll();
    clock.stepMs = 1;
    let steps = 0;
    while (ops.flushWaitMs() === 0) steps += Number(ops.flushStep(2)) + 1;
    expect(steps).toBeGreaterThan(10);
    expect(sql.prepare("SELECT count(*) AS n FROM keys").get()).toEqual({ n: 1 });
    expect(Number(sql.prepare("PRAGMA page_count").get()!.page_count)).toBeLessThan(1300);
    expect(ops.getBinary(1, "stays")).toBe("v");
    void ops.close();
  }
});

test("a lock of another program: the flush is tried again, the disk is not full", () => {
  let locked = false;
  const { clock, ops, applied } = make(1e6, (sql) => ({
    path: sql.path,
    prepare: (text) => sql.prepare(text),
    close: () => sql.close(),
    exec: (text) => {
      if (locked && text.startsWith("BEGIN")) throw new SqliteError("is locked", "SQLITE_BUSY");
      sql.exec(text);
    },
  }));
  locked = true;
  ops.set(0, "a", "1", NO_EXPIRY);
  applied();
  ops.flushWaitMs();
  clock.nowMs = 60;
  expect(ops.flushStep(10)).toBe(false);
  expect([ops.retry.isLocked, ops.diskFull, ops.flushWaitMs()]).toEqual([true, false, 4000]);
  locked = false;
  clock.nowMs = 4060;
  ops.flushStep(10);
  expect([ops.retry.isLocked, ops.durable.index]).toEqual([false, 1]);
  locked = true;
  ops.set(0, "a", "2", NO_EXPIRY);
  applied();
  void ops.close();
});

test("a full disk: the flush is tried again, nothing is lost", () => {
  let full = false;
  const { clock, ops, applied } = make(1e6, (sql) => ({
    path: sql.path,
    prepare: (text) => sql.prepare(text),
    close: () => sql.close(),
    exec: (text) => {
      if (full && text === "COMMIT") throw new SqliteError("disk is full", "SQLITE_FULL");
      sql.exec(text);
    },
  }));
  ops.set(0, "a", "1", NO_EXPIRY);
  applied();
  ops.flushAll();
  full = true;
  for (const key of ["a", "b"]) ops.set(0, key, "2", 500);
  applied();
  ops.flushWaitMs();
  clock.nowMs = 60;
  expect(ops.flushStep(10)).toBe(false);
  expect([ops.diskFull, ops.durable.index, ops.flushWaitMs()]).toEqual([true, 1, 1000]);
  ops.set(0, "b", "3", NO_EXPIRY);
  applied();
  full = false;
  clock.nowMs = 1060;
  expect(ops.flushStep(10)).toBe(false);
  expect([ops.diskFull, ops.durable.index]).toEqual([false, 2]);
  ops.flushAll();
  expect([ops.durable.index, ops.nextExpiryMs()]).toEqual([3, 500]);
  expect([...ops.keys(0)].map((key) => ops.getBinary(0, key))).toEqual(["2", "3"]);
  ops.set(0, "a", "4", NO_EXPIRY);
  applied();
  full = true;
  void ops.close();
  expect(ops.durable.index).toBe(3);
});

test("a change within an entry is never flushed before its end", () => {
  const { ops, applied } = make(0);
  ops.set(0, "a", "1", NO_EXPIRY);
  expect(ops.flushWaitMs()).toBe(Infinity);
  expect(ops.flushStep(10)).toBe(false);
  expect(ops.durable.index).toBe(0);
  expect(() => ops.flushAll()).toThrow("as of an applied entry");
  applied();
  expect(ops.flushWaitMs()).toBe(0);
  void ops.close();
});

test("sqlite3 reads the keys while the database is open", () => {
  const { sql, ops, applied } = make(1e6);
  ops.set(3, "greeting", "hello", 1_700_000_000_500);
  ops.set(0, "it's", "\0\xff", NO_EXPIRY);
  applied();
  ops.flushAll();
  const query = "SELECT db, key, type, expires_utc, hex(value) FROM redis ORDER BY db;" +
    "SELECT value FROM keys WHERE key = 'greeting'";
  const { stdout, error } = spawnSync("sqlite3", ["-readonly", sql.path, query]);
  void ops.close();
  // Not installed everywhere; the tables are then covered by the other tests.
  if (error !== undefined) return;
  expect(stdout.toString()).toBe(
    "0|it's|string||00FF\n3|greeting|string|2023-11-14 22:13:20.500|68656C6C6F\nhello\n",
  );
});

test("idleSeconds counts from the last use; peek is none", () => {
  const { ops, applied } = make(0);
  ops.setClock(5000);
  ops.set(0, "key", "value", NO_EXPIRY);
  ops.setClock(8000);
  expect(ops.idleSeconds(0, "key")).toBe(3);
  expect(ops.peek(0, "key")?.value).toBe("value");
  expect(ops.idleSeconds(0, "key")).toBe(3);
  ops.find(0, "key");
  expect(ops.idleSeconds(0, "key")).toBe(0);
  expect(ops.idleSeconds(0, "absent")).toBe(0);
  applied();
  ops.flushAll();
  // The clock hand of a cache without room marks it, and may drop it: then it counts from anew.
  ops.setClock(12_000);
  ops.peek(0, "key");
  expect([0, 4]).toContain(ops.idleSeconds(0, "key"));
  void ops.close();
});

test("a collection larger than the cache is read once while it is in use", () => {
  const { ops, applied } = make(1000);
  ops.setClock(0);
  const list = ops.edit(0, "big", "list");
  for (let i = 0; i < 30; i++) list.push("tail", "x".repeat(100_000));
  for (let i = 0; i < 300; i++) ops.set(0, `k${i}`, "v", NO_EXPIRY);
  applied();
  ops.flushAll();
  const useOthers = () => {
    for (let i = 0; i < 600; i++) ops.find(0, `k${i % 300}`);
  };
  const first = ops.collection(0, "big", "list");
  for (let second = 1; second <= 9; second += 3) {
    ops.setClock(second * 1000);
    useOthers();
    expect(ops.collection(0, "big", "list") === first).toBe(true);
  }
  ops.setClock(12_000);
  useOthers();
  const again = ops.collection(0, "big", "list");
  expect(again === first).toBe(false);
  expect(again?.length).toBe(30);
  void ops.close();
});
