import { deepStrictEqual, ok, strictEqual, throws } from "node:assert";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { textColumn, textOf } from "../../src/storage/sqlite.ts";
import { readPragma } from "../../src/storage/sqlite_open.ts";
import { type SqliteDriver, SqliteError } from "../../src/storage/sqlite_types.ts";

type Case = (driver: SqliteDriver, directory: string) => void;

/** What every driver must do the same, on every runtime. Returns the number of cases run. */
export function runSqliteSuite(driver: SqliteDriver): number {
  const directory = mkdtempSync(join(tmpdir(), "balsa-sqlite-"));
  try {
    for (const [name, run] of Object.entries(CASES)) {
      const own = join(directory, name.replaceAll(" ", "_"));
      mkdirSync(own);
      try {
        run(driver, own);
      } catch (error) {
        throw new Error(`${driver.name}: ${name}`, { cause: error });
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return Object.keys(CASES).length;
}

const FULL = { synchronous: "full" } as const;

const CASES: Record<string, Case> = {
  "sets and verifies pragmas": pragmas,
  "keeps values of every type": values,
  "keeps TEXT with every byte and NULs": text,
  "returns undefined for no row": noRow,
  "counts changes": changes,
  "runs several statements in exec": severalStatements,
  "runs transactions": transactions,
  "persists": persists,
  "releases the files at close": releases,
  "opens read-only": readOnly,
  "names its failures": failures,
  "reports a full disk": full,
  "reports a corrupt database": corrupt,
  "reports a lock": busy,
};

function open(driver: SqliteDriver, directory: string) {
  return driver.open(join(directory, "test.db"), FULL);
}

function pragmas(driver: SqliteDriver, directory: string): void {
  for (const synchronous of ["full", "normal"] as const) {
    const path = join(directory, `${synchronous}.db`);
    const db = driver.open(path, { synchronous, cacheBytes: 8 << 20 });
    strictEqual(readPragma(db, "synchronous"), synchronous === "full" ? 2 : 1);
    strictEqual(readPragma(db, "journal_mode"), "wal");
    strictEqual(readPragma(db, "cache_size"), -8192);
    strictEqual(readPragma(db, "foreign_keys"), 0);
    strictEqual(readPragma(db, "mmap_size"), 0);
    strictEqual(db.path, path);
    db.close();
  }
}

function values(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v, i INTEGER)");
  const insert = db.prepare("INSERT INTO t(v, i) VALUES (?, ?)");
  const select = db.prepare("SELECT v, i, typeof(v) AS tv, typeof(i) AS ti FROM t WHERE id = ?");
  const blob = new Uint8Array(70_000).map((_, i) => i & 255);
  const integers = [0, -1, 2 ** 31, 2 ** 40, -(2 ** 52), Number.MAX_SAFE_INTEGER];
  for (const integer of integers) insert.run(null, integer);
  integers.forEach((integer, at) => {
    const row = select.get(at + 1);
    strictEqual(row?.i, integer);
    strictEqual(row?.ti, "integer");
    strictEqual(row?.v, null);
  });
  db.exec("DELETE FROM t");
  for (const value of [1.5, -Infinity, Infinity, "", "text", blob, new Uint8Array(0)]) {
    strictEqual(insert.run(value, 0), 1);
    const row = db.prepare("SELECT v FROM t ORDER BY id DESC LIMIT 1").get();
    if (value instanceof Uint8Array) {
      ok(row?.v instanceof Uint8Array);
      deepStrictEqual([...row.v], [...value]);
    } else strictEqual(row?.v, value);
  }
  // A view into a larger buffer is bound as its own bytes.
  insert.run(blob.subarray(10, 13), 7);
  const view = db.prepare("SELECT v FROM t WHERE i = 7").get()?.v as Uint8Array;
  deepStrictEqual([...view], [10, 11, 12]);
  strictEqual(select.get(1)?.tv, "real");
  strictEqual(select.get(4)?.tv, "text");
  strictEqual(select.get(6)?.tv, "blob");
  db.close();
}

function text(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID");
  const every = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  const keys = ["", "\0", "\0\0", "a", "a\0", "a\0b", "\x7f", "\x80", "\xff", "\xff\0", every];
  const insert = db.prepare("INSERT INTO t VALUES (?, ?)");
  for (const key of keys) insert.run(key, key + "\0" + key);
  const get = db.prepare(`SELECT ${textColumn(driver, "v")} AS v FROM t WHERE k = ?`);
  for (const key of keys) strictEqual(textOf(get.get(key)?.v ?? "none"), key + "\0" + key);
  const all = db.prepare(`SELECT ${textColumn(driver, "k")} AS k FROM t ORDER BY t.k`).all();
  deepStrictEqual(all.map((row) => textOf(row.k)), [...keys].sort());
  db.close();
}

function noRow(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(a)");
  const select = db.prepare("SELECT a FROM t WHERE a = ?");
  strictEqual(select.get(1), undefined);
  deepStrictEqual(select.all(1), []);
  db.exec("INSERT INTO t VALUES (1)");
  strictEqual(select.get(1)?.a, 1);
  strictEqual(select.all(1)[0].a, 1);
  strictEqual(select.get(2), undefined);
  db.close();
}

function changes(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
  const upsert = db.prepare("INSERT INTO t VALUES (?, ?) ON CONFLICT DO UPDATE SET b = excluded.b");
  strictEqual(upsert.run(1, 1), 1);
  strictEqual(upsert.run(1, 2), 1);
  strictEqual(upsert.run(2, 2), 1);
  strictEqual(db.prepare("UPDATE t SET b = 3").run(), 2);
  strictEqual(db.prepare("UPDATE t SET b = 3 WHERE a = 9").run(), 0);
  strictEqual(db.prepare("DELETE FROM t").run(), 2);
  const returning = db.prepare("INSERT INTO t VALUES (?, ?) RETURNING a");
  strictEqual(returning.get(5, 6)?.a, 5);
  strictEqual(db.prepare("SELECT count(*) AS n FROM t").get()?.n, 1);
  db.close();
}

function severalStatements(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE a(x); CREATE TABLE b(x);\nINSERT INTO b VALUES (1); -- end\n");
  strictEqual(db.prepare("SELECT x FROM b").get()?.x, 1);
  db.close();
}

function transactions(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(a)");
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const rollback = db.prepare("ROLLBACK");
  const insert = db.prepare("INSERT INTO t VALUES (?)");
  const count = () => db.prepare("SELECT count(*) AS n FROM t").get()?.n;
  for (let round = 0; round < 3; round++) {
    begin.run();
    insert.run(1);
    rollback.run();
    strictEqual(count(), round);
    begin.run();
    insert.run(1);
    commit.run();
    strictEqual(count(), round + 1);
  }
  db.close();
}

function persists(driver: SqliteDriver, directory: string): void {
  let db = open(driver, directory);
  db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (42)");
  db.close();
  db = open(driver, directory);
  strictEqual(db.prepare("SELECT a FROM t").get()?.a, 42);
  db.close();
}

function releases(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(a)");
  const insert = db.prepare("INSERT INTO t VALUES (1)");
  insert.run();
  ok(existsSync(db.path + "-wal"));
  db.close();
  // SQLite removes it when the last connection is truly closed.
  ok(!existsSync(db.path + "-wal"));
  throws(() => insert.run(), SqliteError);
}

function readOnly(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  const reader = driver.open(db.path, { ...FULL, readOnly: true });
  strictEqual(reader.prepare("SELECT a FROM t").get()?.a, 1);
  failsWith("SQLITE_READONLY", () => reader.exec("INSERT INTO t VALUES (2)"));
  failsWith("SQLITE_READONLY", () => reader.prepare("INSERT INTO t VALUES (?)").run(2));
  db.exec("INSERT INTO t VALUES (3)");
  strictEqual(reader.prepare("SELECT count(*) AS n FROM t").get()?.n, 2);
  reader.close();
  db.close();
  const missing = join(directory, "missing.db");
  failsWith("SQLITE_CANTOPEN", () => driver.open(missing, { ...FULL, readOnly: true }));
  ok(!existsSync(missing));
}

function failures(driver: SqliteDriver, directory: string): void {
  failsWith("SQLITE_CANTOPEN", () => driver.open(join(directory, "no", "x.db"), FULL));
  failsWith("SQLITE_CANTOPEN", () => driver.open(directory, FULL));
  const garbage = join(directory, "garbage.db");
  writeFileSync(garbage, "not a database ".repeat(1000));
  failsWith("SQLITE_NOTADB", () => driver.open(garbage, FULL));
  const db = open(driver, directory);
  failsWith("SQLITE_ERROR", () => db.exec("SELEC"));
  failsWith("SQLITE_ERROR", () => db.prepare("SELECT x FROM missing"));
  db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
  const insert = db.prepare("INSERT INTO t VALUES (?, ?)");
  insert.run(1, 2);
  failsWith("SQLITE_CONSTRAINT", () => insert.run(1, 2));
  failsWith("SQLITE_CONSTRAINT", () => db.exec("INSERT INTO t VALUES (1, 2)"));
  failsWith("SQLITE_RANGE", () => insert.run(1, 2, 3));
  strictEqual(insert.run(2, 2), 1);
  db.close();
}

function full(driver: SqliteDriver, directory: string): void {
  const db = open(driver, directory);
  db.exec("CREATE TABLE t(a BLOB); PRAGMA max_page_count = 20");
  const insert = db.prepare("INSERT INTO t VALUES (?)");
  insert.run(new Uint8Array(10_000));
  failsWith("SQLITE_FULL", () => insert.run(new Uint8Array(200_000)));
  failsWith("SQLITE_FULL", () => db.exec("INSERT INTO t VALUES (zeroblob(200000))"));
  strictEqual(db.prepare("SELECT count(*) AS n FROM t").get()?.n, 1);
  db.exec("PRAGMA max_page_count = 1000");
  strictEqual(insert.run(new Uint8Array(200_000)), 1);
  db.close();
}

function corrupt(driver: SqliteDriver, directory: string): void {
  const path = join(directory, "corrupt.db");
  let db = driver.open(path, FULL);
  db.exec("CREATE TABLE t(a, b); CREATE INDEX i ON t(b)");
  const insert = db.prepare("INSERT INTO t VALUES (?, ?)");
  for (let i = 0; i < 500; i++) insert.run(i, "x".repeat(50));
  const root = Number(
    db.prepare("SELECT rootpage AS p FROM sqlite_master WHERE name = 't'").get()?.p,
  );
  db.close();
  overwrite(path, (root - 1) * 4096, 4096);
  db = driver.open(path, FULL);
  failsWith("SQLITE_CORRUPT", () => db.prepare("SELECT a FROM t WHERE a = 7").all());
  failsWith("SQLITE_CORRUPT", () => db.prepare("SELECT a FROM t WHERE a = 7").get());
  db.close();
}

function busy(driver: SqliteDriver, directory: string): void {
  const first = open(driver, directory);
  first.exec("CREATE TABLE t(a)");
  const second = driver.open(first.path, FULL);
  second.exec("PRAGMA busy_timeout = 0");
  first.exec("BEGIN IMMEDIATE");
  failsWith("SQLITE_BUSY", () => second.exec("INSERT INTO t VALUES (1)"));
  failsWith("SQLITE_BUSY", () => second.prepare("INSERT INTO t VALUES (?)").run(1));
  first.exec("COMMIT");
  second.exec("INSERT INTO t VALUES (1)");
  second.close();
  first.close();
}

function overwrite(path: string, offset: number, length: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xee, offset, offset + length);
  writeFileSync(path, bytes);
}

function failsWith(code: string, run: () => unknown): void {
  throws(run, (error: unknown) => {
    ok(error instanceof SqliteError, `not a SqliteError: ${error}`);
    strictEqual(error.code, code, error.message);
    return true;
  });
}
