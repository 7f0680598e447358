import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Prng } from "../../src/base/prng.ts";
import { type BesideKeys, makeBesideKeys } from "../../src/server/beside_keys.ts";
import { InlineCheckpointer } from "../../src/storage/checkpointer.ts";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { fingerprint, IdempotencyTable } from "../../src/storage/idempotency_table.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { type SqlDatabase, SqliteError } from "../../src/storage/sqlite_types.ts";
import { crashImage } from "./crash_image.ts";

const directory = mkdtempSync(join(tmpdir(), "balsa-side-tables-"));
afterAll(() => rmSync(directory, { recursive: true }));
const driver = await loadSqlite();
let files = 0;
const newPath = () => join(directory, `state${files++}.db`);

/** A state with its side tables on a file. */
class State {
  readonly path: string;
  readonly beside: BesideKeys;
  readonly ops: CachedRedisOperations;

  constructor(path = newPath(), changesBytes = Infinity, wrap = (sql: SqlDatabase) => sql) {
    this.path = path;
    this.beside = makeBesideKeys(changesBytes);
    const { idempotency, changes } = this.beside;
    let nowMs = 0;
    this.ops = new CachedRedisOperations(
      wrap(driver.open(path, { synchronous: "normal" })),
      {
        cacheBytes: 1e6,
        now: () => ++nowMs,
        sideTables: [idempotency, changes],
        changes: changes.recorder,
      },
    );
  }

  /** An entry in which one command made `change`. */
  entry(command: string, change: (ops: CachedRedisOperations) => void): void {
    change(this.ops);
    this.beside.changes.recorder.endCommand(command);
    const index = this.ops.applied.index + 1;
    this.beside.changes.endEntry(index, index * 1000);
    this.ops.setApplied({ ...this.ops.applied, index });
  }

  set(key: string): void {
    this.entry("set", (ops) => ops.set(0, key, "v", NO_EXPIRY));
  }

  /** All changes behind an index, as `index kind db:key by command`. */
  changes(after: number): string[] {
    const lines: string[] = [];
    for (let at = after;;) {
      const entries = this.beside.changes.read(at);
      if (entries.length === 0) return lines;
      for (const { index, changes } of entries) {
        for (const { kind, db, key, command } of changes) {
          lines.push(`${index} ${kind} ${db}:${key} by ${command}`);
        }
        at = index;
      }
    }
  }
}

test("each key that a command changes is one change; what changes nothing is none", () => {
  const state = new State();
  state.entry("mset", (ops) => ops.mset(0, [["a", "1"], ["b", "2"], ["a", "3"]]));
  state.entry("del", (ops) => (ops.del(0, "a"), ops.del(0, "missing")));
  state.entry("del", (ops) => ops.del(0, "missing"));
  state.entry("rename", (ops) => ops.rename(0, "b", 1, "c\0ÿ"));
  state.entry("flushall", (ops) => {
    for (let db = 0; db < 16; db++) ops.flush(db);
  });
  state.entry("swapdb", (ops) => ops.swap(0, 12));
  const expected = [
    "1 set 0:b by mset",
    "1 set 0:a by mset",
    "2 del 0:a by del",
    "4 del 0:b by rename",
    "4 set 1:c\0ÿ by rename",
    "5 flush 1: by flushall",
    "6 swap 0:12 by swapdb",
  ];
  expect(state.changes(0)).toEqual(expected);
  state.ops.flushAll();
  expect(state.changes(0)).toEqual(expected);
  expect(state.changes(4)).toEqual(expected.slice(5));
});

test("changes are read the same while they are flushed, whatever the step", () => {
  const state = new State();
  const expected: string[] = [];
  for (let i = 1; i <= 400; i++) {
    state.set(`k${i}`);
    expected.push(`${i} set 0:k${i} by set`);
    state.ops.flushStep(i % 7);
    if (i % 20 === 0) expect(state.changes(0)).toEqual(expected);
  }
  state.ops.flushAll();
  expect(state.changes(0)).toEqual(expected);
});

test("the oldest changes go when there are too many, and are known to be gone", () => {
  const state = new State(newPath(), 10_000);
  for (let i = 1; i <= 1000; i++) {
    state.set(`k${i}`);
    if (i % 100 === 0) state.ops.flushAll();
  }
  const { trimmedIndex } = state.beside.changes;
  const kept = state.changes(trimmedIndex);
  expect(trimmedIndex).toBeGreaterThan(500);
  const stored = "SELECT count(*) AS n, min(log_index) AS first FROM changes";
  const reader = driver.open(state.path, { synchronous: "normal", readOnly: true });
  expect(reader.prepare(stored).get()).toEqual({ n: kept.length, first: trimmedIndex + 1 });
  reader.close();
  expect(kept[0]).toStartWith(`${trimmedIndex + 1} `);
  expect(kept.at(-1)).toStartWith("1000 ");
  state.ops.close();
  const again = new State(state.path, 10_000);
  expect(again.beside.changes.trimmedIndex).toBe(trimmedIndex);
  expect(again.changes(trimmedIndex)).toEqual(kept);
});

test("after a crash all stands as of the durable index", () => {
  const state = new State();
  const { idempotency } = state.beside;
  state.entry("set", () => idempotency.add("kept", "f", 5000, '"reply ÿ"'));
  state.entry("set", () => idempotency.add("gone", "f", 4000, '""'));
  state.set("a");
  state.ops.flushAll();
  state.entry("set", () => idempotency.expire(4000, 10));
  state.entry("set", () => idempotency.add("lost", "f", 9000, '""'));
  state.set("b");
  const image = new State(crashImage(state.path, newPath()));
  expect(image.ops.applied.index).toBe(3);
  expect(image.changes(0)).toEqual(["3 set 0:a by set"]);
  const found = image.beside.idempotency;
  expect([found.find("kept", 0)?.reply, found.size, found.nextExpiryMs()])
    .toEqual(['"reply ÿ"', 2, 4000]);
  state.ops.flushAll();
  state.ops.close();
  const closed = new State(state.path);
  expect(closed.beside.idempotency.find("gone", 0)).toBeUndefined();
  expect(closed.beside.idempotency.find("lost", 0)?.fingerprint).toBe("f");
  expect(closed.changes(0)).toHaveLength(2);
});

test("a flush that fails is written again, whole", () => {
  let fails = false;
  const failing = (sql: SqlDatabase): SqlDatabase => ({
    path: sql.path,
    close: () => sql.close(),
    prepare: (text) => sql.prepare(text),
    exec: (text) => {
      if (fails && text === "COMMIT") throw new SqliteError("full", "SQLITE_FULL");
      sql.exec(text);
    },
  });
  const state = new State(newPath(), 4000, failing);
  const { changes, idempotency } = state.beside;
  for (let i = 1; i <= 100; i++) state.set(`k${i}`);
  state.entry("set", () => idempotency.add("k", "f", 5000, '""'));
  const all = state.changes(0);
  fails = true;
  expect(() => state.ops.flushAll()).toThrow("full");
  const { trimmedIndex } = changes;
  expect(state.changes(trimmedIndex)).toEqual(all.slice(trimmedIndex));
  state.set("later");
  fails = false;
  state.ops.flushAll();
  expect(changes.trimmedIndex).toBeGreaterThanOrEqual(trimmedIndex);
  expect(state.changes(changes.trimmedIndex).slice(0, -1))
    .toEqual(all.slice(changes.trimmedIndex));
  expect(state.changes(100)).toEqual(["102 set 0:later by set"]);
  state.ops.close();
  expect(new State(state.path).beside.idempotency.find("k", 0)?.fingerprint).toBe("f");
});

test("another state.db takes the place of all that was there", async () => {
  const [leader, follower] = [new State(), new State()];
  for (let i = 1; i <= 30; i++) leader.set(`k${i}`);
  leader.entry("set", () => leader.beside.idempotency.add("k", "f", 5000, '""'));
  leader.ops.flushAll();
  follower.set("k1");
  follower.entry("set", () => follower.beside.idempotency.add("stale", "f", 5000, '""'));
  await follower.ops.replace(() => {
    const path = crashImage(leader.path, newPath());
    const sql = driver.open(path, { synchronous: "normal" });
    return { sql, checkpointer: new InlineCheckpointer(sql) };
  });
  expect(follower.changes(20)).toEqual(leader.changes(20));
  const { idempotency } = follower.beside;
  expect([idempotency.size, idempotency.find("k", 0)?.fingerprint]).toEqual([1, "f"]);
  follower.entry("set", () => idempotency.add("next", "f", 6000, '""'));
  follower.ops.flushAll();
});

test("IdempotencyTable agrees with a plain map on random calls", () => {
  const prng = new Prng(3);
  const table = new IdempotencyTable(1e9);
  const model = new Map<string, { expireAtMs: number; reply: string }>();
  for (let timeMs = 0; timeMs < 3000; timeMs++) {
    const key = `k${prng.below(200)}`;
    const known = model.get(key);
    const isKnown = known !== undefined && known.expireAtMs > timeMs;
    expect(table.find(key, timeMs)?.reply).toBe(isKnown ? known.reply : undefined);
    if (!isKnown) {
      const row = { expireAtMs: timeMs + 1 + prng.below(300), reply: String(timeMs) };
      table.add(key, "f", row.expireAtMs, row.reply);
      model.set(key, row);
    }
    table.expire(timeMs, 1 + prng.below(3));
  }
  table.expire(1e9, 1e9);
  expect([table.size, table.isFull]).toEqual([0, false]);
});

test("IdempotencyTable takes no more than its bytes", () => {
  const table = new IdempotencyTable(1000);
  let count = 0;
  const isFull = () => table.isFull;
  while (!isFull()) table.add(`k${count++}`, "f", count, '""');
  expect(count).toBe(5);
  table.expire(2, 10);
  expect(isFull()).toBe(false);
});

test("fingerprint tells databases and the limits of arguments apart", () => {
  const prints = [
    fingerprint(0, ["a", "b"]),
    fingerprint(1, ["a", "b"]),
    fingerprint(0, ["ab"]),
    fingerprint(0, ["a", "b", ""]),
    fingerprint(0, ["a", "\xff"]),
    fingerprint(0, ["a", "\x3f"]),
  ];
  expect(new Set(prints).size).toBe(prints.length);
  expect(fingerprint(0, ["a", "b"])).toBe(prints[0]);
});

test("however many replies are remembered between two flushes, all are there behind a restart", () => {
  const state = new State();
  const { idempotency } = state.beside;
  const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
  state.entry("set", () => {
    for (const key of keys) idempotency.add(key, "f", 5000, '""');
  });
  state.ops.flushAll();
  expect(new State(state.path).beside.idempotency.size).toBe(300);
  state.entry("set", () => idempotency.expire(5000, 250));
  state.ops.flushAll();
  expect(new State(state.path).beside.idempotency.size).toBe(50);
});
