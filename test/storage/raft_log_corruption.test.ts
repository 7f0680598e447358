import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import type { SqlDatabase } from "../../src/storage/sqlite_types.ts";
import { LogCorruptError, StorageFormatError } from "../../src/storage/storage_errors.ts";
import { entriesOf, entry, plain, snapshotAt, temporaryDirectory } from "./raft_log_fixture.ts";

const driver = await loadSqlite();
const TERM_1 = { term: 1, votedFor: 1, commit: 0 };
let directory: ReturnType<typeof temporaryDirectory>;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "log.db");
});

afterEach(() => directory.remove());

/** A closed log of ten rows of ten entries. */
function makeLog(at = path): void {
  const log = openRaftLog(driver, at);
  for (let i = 0; i < 10; i++) log.append(entriesOf(i * 10 + 1, i * 10 + 10), TERM_1);
  log.close();
}

function edit(change: (database: SqlDatabase) => void): void {
  const database = driver.open(path, { synchronous: "full" });
  change(database);
  database.close();
}

function openError(): Error {
  try {
    openRaftLog(driver, path).close();
  } catch (error) {
    return error as Error;
  }
  throw new Error("the log opened");
}

describe("a damaged row at the end is refused when the log is opened", () => {
  const changes: Record<string, string> = {
    "a byte of data": "UPDATE log SET data = CAST(substr(data, 1, 30) || x'00' || " +
      "substr(data, 32) AS BLOB) WHERE first = 91",
    "data cut short": "UPDATE log SET data = substr(data, 1, 100) WHERE first = 91",
    "data as text": "UPDATE log SET data = 'text' WHERE first = 91",
    "the checksum": "UPDATE log SET checksum = checksum + 1 WHERE first = 91",
    "the last index": "UPDATE log SET last = 101 WHERE first = 91",
    "the term": "UPDATE log SET last_term = 2 WHERE first = 91",
    "the commit index": "UPDATE log SET commit_index = 99 WHERE first = 91",
    "a row moved elsewhere": "UPDATE log SET first = 101, last = 110 WHERE first = 91",
    "a row copied on": "INSERT INTO log SELECT 101, 110, first_term, last_term, commit_index, " +
      "end_bytes, checksum, data FROM log WHERE first = 91",
  };
  for (const [name, sql] of Object.entries(changes)) {
    test(name, () => {
      makeLog();
      edit((database) => database.exec(sql));
      const error = openError();
      expect(error).toBeInstanceOf(LogCorruptError);
      expect(error.message).toContain(path);
      expect(error.message).toMatch(/entries (91|101)\.\.\d+/);
      expect(error.message).toContain("remove its data directory and let it join");
      expect(error.message).not.toContain("\n");
    });
  }
});

test("a row of another log is refused", () => {
  makeLog();
  const other = join(directory.path, "other.db");
  makeLog(other);
  edit((database) => {
    database.exec(`ATTACH '${other}' AS other`);
    database.exec("DELETE FROM log WHERE first = 91");
    database.exec("INSERT INTO log SELECT * FROM other.log WHERE first = 91");
  });
  expect(openError().message).toMatch(/entries 91\.\.100: the checksum does not match/);
});

test("a gap near the end is refused when the log is opened", () => {
  makeLog();
  edit((database) => database.exec("DELETE FROM log WHERE first IN (61, 71)"));
  expect(openError().message).toMatch(/entries 61\.\.80: they are missing/);
});

test("a missing first row is refused when the log is opened", () => {
  makeLog();
  edit((database) => database.exec("DELETE FROM log WHERE first = 1"));
  expect(openError().message).toMatch(/entries 1\.\.10: they are missing/);
});

test("a lost last row is not silently a shorter log when its commit was known", () => {
  const log = openRaftLog(driver, path);
  log.append(entriesOf(1, 10), TERM_1);
  log.append(entriesOf(11, 20), { ...TERM_1, commit: 10 });
  log.append([], { ...TERM_1, commit: 20 });
  log.close();
  edit((database) => database.exec("DELETE FROM log WHERE first = 11"));
  expect(openError().message).toMatch(/entries 11\.\.20: they are missing/);
});

test("damage far from the end is found when read, and never served", () => {
  const log = openRaftLog(driver, path);
  for (let i = 1; i <= 30; i++) log.append([entry(i, 1, 500_000)], TERM_1);
  log.close();
  edit((database) => {
    database.exec("UPDATE log SET data = zeroblob(length(data)) WHERE first = 5");
  });
  const damaged = openRaftLog(driver, path);
  expect(damaged.entries(4, 5, 1e9)?.map(plain)).toEqual([plain(entry(4, 1, 500_000))]);
  expect(() => damaged.entries(4, 10, 1e9)).toThrow(/entries 5\.\.5: the checksum does not match/);
  expect(() => damaged.append([entry(31)], undefined)).toThrow(/cannot be used any more/);
  damaged.close();
});

test("verify goes through the log in bounded steps and finds damage", () => {
  const log = openRaftLog(driver, path);
  for (let i = 1; i <= 30; i++) log.append([entry(i, 1, 400_000)], TERM_1);
  const steps: number[] = [];
  for (let next: number | undefined = 1; next !== undefined;) {
    steps.push(next);
    next = log.verify(next, 1_000_000);
  }
  expect(steps).toEqual([1, 4, 7, 10, 13, 16, 19, 22, 25, 28]);
  log.close();
  edit((database) => database.exec("DELETE FROM log WHERE first = 8"));
  const damaged = openRaftLog(driver, path);
  expect(damaged.verify(1, 1_000_000)).toBe(4);
  expect(() => damaged.verify(7, 1_000_000)).toThrow(/entries 8\.\.8: they are missing/);
  damaged.close();
});

test("flipped bytes anywhere in the file are detected or harmless", async () => {
  makeLog();
  const original = await Bun.file(path).bytes();
  const expected = entriesOf(1, 100).map(plain);
  let detected = 0;
  for (let at = 100; at < original.length; at += 173) {
    const bytes = original.slice();
    bytes[at] ^= 0x55;
    writeFileSync(path, bytes);
    try {
      const log = openRaftLog(driver, path, { cacheBytes: 0 });
      try {
        expect(log.hardState).toEqual(TERM_1);
        const found = log.entries(1, 101, Infinity) ?? [];
        expect(found.map(plain)).toEqual(expected);
      } finally {
        log.close();
      }
    } catch (error) {
      if (!(error instanceof LogCorruptError)) throw error;
      detected++;
    }
  }
  expect(detected).toBeGreaterThan(10);
}, 180_000);

describe("what is not a log of Balsa", () => {
  test("is refused when it is no database", () => {
    const garbage = "garbage! ".repeat(2000);
    writeFileSync(path, garbage);
    expect(openError()).toBeInstanceOf(LogCorruptError);
    expect(openError().message).toContain("not a database");
  });

  test("is refused and left alone when it is another database", () => {
    edit((database) => database.exec("CREATE TABLE log(first); INSERT INTO log VALUES (7)"));
    const error = openError();
    expect(error).toBeInstanceOf(StorageFormatError);
    expect(error.message).toContain("is not a log of Balsa");
    edit((database) => expect(database.prepare("SELECT first FROM log").get()?.first).toBe(7));
  });

  test("is refused when its format version is newer", () => {
    makeLog();
    edit((database) => {
      const value = JSON.stringify({ version: 2, salt: 1 });
      database.prepare("UPDATE meta SET value = ?, checksum = ? WHERE key = 'format'")
        .run(value, Bun.hash.crc32(`format\0${value}`));
    });
    const error = openError();
    expect(error).toBeInstanceOf(StorageFormatError);
    expect(error.message).toContain("format version 2, and this program reads up to 1");
  });

  test("is refused when the meta table was changed", () => {
    makeLog();
    edit((database) => {
      const value = JSON.stringify({ ...TERM_1, votedFor: 2 });
      database.prepare("UPDATE meta SET value = ? WHERE key = 'hard_state'").run(value);
    });
    expect(openError().message).toContain('"hard_state" of the meta table: its checksum');
  });

  test("is refused when hard state was lost", () => {
    makeLog();
    edit((database) => database.exec("DELETE FROM meta WHERE key = 'hard_state'"));
    expect(openError().message).toContain('"hard_state" of the meta table');
  });
});

test("a position that was compacted needs its rows", () => {
  const log = openRaftLog(driver, path);
  log.append(entriesOf(1, 10), TERM_1);
  log.append(entriesOf(11, 20), TERM_1);
  log.compact(snapshotAt(5, 1));
  log.close();
  edit((database) => database.exec("DELETE FROM log WHERE first = 1"));
  expect(openError().message).toMatch(/entries 6\.\.10: they are missing/);
});
