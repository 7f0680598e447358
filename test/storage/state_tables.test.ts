import { NOTHING_APPLIED } from "../../src/storage/redis_operations.ts";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consumerOf } from "../../src/storage/stream_rows.ts";
import { TABLES_OF } from "../../src/storage/collections.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { readAppliedState, StateTables } from "../../src/storage/state_tables.ts";

const directory = mkdtempSync(join(tmpdir(), "balsa-state-tables-"));
afterAll(() => rmSync(directory, { recursive: true }));
const driver = await loadSqlite();

test("StateTables: no statement on keys scans or sorts", () => {
  const sql = driver.open(join(directory, "plans.db"), { synchronous: "normal" });
  const statements: string[] = [];
  new StateTables({
    path: sql.path,
    exec: (text) => sql.exec(text),
    close: () => sql.close(),
    prepare: (text) => {
      statements.push(text);
      return sql.prepare(text);
    },
  });
  const onKeys = statements.filter((text) => /\b(FROM|UPDATE) keys/.test(text));
  expect(onKeys.length).toBeGreaterThan(5);
  for (const text of onKeys) {
    const plan = sql.prepare(`EXPLAIN QUERY PLAN ${text}`).all().map(({ detail }) => detail);
    expect(plan.filter((step) => /SCAN|TEMP B-TREE/.test(String(step)))).toEqual([]);
  }
  sql.close();
});

test("StateTables: expiries go on behind a position among equal times", () => {
  const sql = driver.open(join(directory, "expiries.db"), { synchronous: "normal" });
  const tables = new StateTables(sql);
  for (let id = 1; id <= 10; id++) {
    const expireAtMs = id === 10 ? -5 : 1000;
    tables.insert(3, {
      id,
      key: `k${id}`,
      type: "string",
      version: id,
      expireAtMs,
      value: "",
      details: undefined,
    });
  }
  const first = tables.expiries(3, -Infinity, 0, 4);
  expect(first.map(({ id }) => id)).toEqual([10, 1, 2, 3]);
  const rest = tables.expiries(3, first[3].dueAtMs, first[3].id, 100);
  expect(rest.map(({ id }) => id)).toEqual([4, 5, 6, 7, 8, 9]);
  expect(tables.expiries(2, -Infinity, 0, 4)).toEqual([]);
  sql.close();
});

test("readAppliedState: reads a read-only copy", () => {
  const path = join(directory, "copy.db");
  const sql = driver.open(path, { synchronous: "normal" });
  const digest = 4_000_000_000;
  const position = { index: 2 ** 40, term: 3, logTimeMs: 1_700_000_000_000, digest };
  const state = { ...NOTHING_APPLIED, ...position };
  new StateTables(sql).setApplied(state, 9);
  sql.close();
  const copy = driver.open(path, { synchronous: "normal", readOnly: true });
  expect(readAppliedState(copy)).toEqual(state);
  copy.close();
});

test("a state.db of before streams gets their tables when it is opened to be written", () => {
  const path = join(directory, "older.db");
  const older = driver.open(path, { synchronous: "normal" });
  new StateTables(older).setDatabase(3, { slot: 3, keys: 7, expiring: 0, due: 0, lastId: 9 });
  for (const view of ["streams", "streams_pending"]) older.exec(`DROP VIEW ${view}`);
  const tables = TABLES_OF.stream;
  for (const table of tables) older.exec(`DROP TABLE ${table}`);
  older.close();
  const copy = driver.open(path, { synchronous: "normal", readOnly: true });
  expect(readAppliedState(copy).index).toBe(0);
  copy.close();
  const sql = driver.open(path, { synchronous: "normal" });
  const opened = new StateTables(sql);
  opened.elements.write("stream_entry", 5, [1, 2, "[]"]);
  expect(opened.elements.read("stream_entry", 5)).toHaveLength(1);
  expect(opened.databases()[3].keys).toBe(7);
  expect(sql.prepare("SELECT * FROM streams").all()).toEqual([]);
  sql.close();
});

test("a state.db of before consumers had a time of activity gets one, that of their use", () => {
  const path = join(directory, "before_activity.db");
  const older = driver.open(path, { synchronous: "normal" });
  new StateTables(older).elements.write("stream_consumer", 5, ["g", "ann", 1000, 900]);
  older.exec("ALTER TABLE stream_consumer DROP COLUMN active_at_ms");
  older.close();
  const sql = driver.open(path, { synchronous: "normal" });
  const { elements } = new StateTables(sql);
  elements.write("stream_consumer", 5, ["g", "bob", 2000, 1500]);
  expect(elements.read("stream_consumer", 5).map(consumerOf)).toEqual([
    { name: "ann", seenAtMs: 1000, activeAtMs: 1000 },
    { name: "bob", seenAtMs: 2000, activeAtMs: 1500 },
  ]);
  sql.close();
});
