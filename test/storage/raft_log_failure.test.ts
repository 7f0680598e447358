import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { openRaftLog, RaftLog } from "../../src/storage/raft_log.ts";
import { openLogDatabase } from "../../src/storage/raft_log_database.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import {
  type SqlDatabase,
  SqliteError,
  type SqlStatement,
  type SqlValue,
} from "../../src/storage/sqlite_types.ts";
import { entriesOf, plain, snapshotAt, temporaryDirectory } from "./raft_log_fixture.ts";

const driver = await loadSqlite();
const RUN = fileURLToPath(new URL("raft_log_full_disk_run.ts", import.meta.url).href);
const TERM_1 = { term: 1, votedFor: 1, commit: 0 };
const TERM_2 = { term: 2, votedFor: 1, commit: 0 };
let directory: ReturnType<typeof temporaryDirectory>;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "log.db");
});

afterEach(() => directory.remove());

/** A connection whose `failAt`th statement to run fails. */
class FaultyDatabase implements SqlDatabase {
  readonly path: string;
  readonly #database: SqlDatabase;
  code = "SQLITE_IOERR";
  failAt = 0;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.path = database.path;
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare(sql: string): SqlStatement {
    const statement = this.#database.prepare(sql);
    const faulty = <T>(run: (...params: SqlValue[]) => T) => (...params: SqlValue[]): T => {
      if (this.failAt > 0 && --this.failAt === 0) throw new SqliteError("injected", this.code);
      return run(...params);
    };
    return {
      run: faulty((...params) => statement.run(...params)),
      get: faulty((...params) => statement.get(...params)),
      all: faulty((...params) => statement.all(...params)),
    };
  }

  close(): void {
    this.#database.close();
  }
}

function openFaulty(): { log: RaftLog; faulty: FaultyDatabase } {
  const faulty = new FaultyDatabase(openLogDatabase(driver, path));
  return { log: new RaftLog(faulty), faulty };
}

const OPERATIONS: Record<string, (log: RaftLog) => void> = {
  "an append": (log) => log.append(entriesOf(11, 12), undefined),
  "an append with a new term": (log) => log.append(entriesOf(11, 12, 2), TERM_2),
  "a truncation": (log) => log.append(entriesOf(4, 5, 2), TERM_2),
  "a vote": (log) => log.append([], TERM_2),
  "a compaction": (log) => log.compact(snapshotAt(4, 1)),
  "a reset": (log) => log.reset(snapshotAt(40, 2)),
};

function snapshotOf(log: RaftLog): unknown {
  const entries = log.entries(log.firstIndex, log.lastIndex + 1, Infinity) ?? [];
  return [log.hardState, log.snapshot, log.lastIndex, log.bytes, entries.map(plain)];
}

for (const [name, operate] of Object.entries(OPERATIONS)) {
  test(`a full disk at any statement of ${name} leaves all as it was`, () => {
    const { log, faulty } = openFaulty();
    log.append(entriesOf(1, 6), TERM_1);
    log.append(entriesOf(7, 10), TERM_1);
    const before = snapshotOf(log);
    faulty.code = "SQLITE_FULL";
    let failed = 0;
    for (let failAt = 1;; failAt++) {
      faulty.failAt = failAt;
      try {
        operate(log);
        break;
      } catch (error) {
        expect((error as SqliteError).code).toBe("SQLITE_FULL");
        expect(snapshotOf(log)).toEqual(before);
        failed++;
      }
    }
    faulty.failAt = 0;
    expect(failed).toBeGreaterThan(0);
    const after = snapshotOf(log);
    expect(after).not.toEqual(before);
    log.close();
    const reopened = openRaftLog(driver, path);
    expect(snapshotOf(reopened)).toEqual(after);
    expect(reopened.verify(1, Infinity)).toBeUndefined();
    reopened.close();
  });
}

test("an I/O error is final", () => {
  const { log, faulty } = openFaulty();
  log.append(entriesOf(1, 3), TERM_1);
  faulty.failAt = 1;
  expect(() => log.append(entriesOf(4, 4), undefined)).toThrow("injected");
  for (const operate of Object.values(OPERATIONS)) {
    expect(() => operate(log)).toThrow(/cannot be used any more: injected/);
  }
  log.close();
  const reopened = openRaftLog(driver, path);
  expect(reopened.lastIndex).toBe(3);
  expect(reopened.wasClean).toBe(false);
  reopened.close();
});

describe("a disk that is really full", () => {
  const small = ["-m", "sh", "-c"];
  const possible = spawnSync("unshare", [...small, "mount -t tmpfs -o size=1m none /mnt"])
    .status === 0;
  test.skipIf(!possible)(
    `refuses appends until there is room${possible ? "" : ": no mount"}`,
    () => {
      const script = `mount -t tmpfs -o size=24m none "$0" && exec "$@"`;
      const command = [script, directory.path, process.execPath, RUN, directory.path];
      const run = spawnSync("unshare", [...small, ...command], { encoding: "utf8" });
      expect(run.stderr).toBe("");
      expect(run.stdout).toBe("ok\n");
    },
  );
});

test("the WAL stays bounded while the log grows", () => {
  const log = openRaftLog(driver, path);
  let largest = 0;
  for (let i = 0; i < 60; i++) {
    log.append(entriesOf(i * 2 + 1, i * 2 + 2, 1, 250_000), TERM_1);
    largest = Math.max(largest, statSync(path + "-wal").size);
  }
  expect(largest).toBeGreaterThan(2_000_000);
  expect(largest).toBeLessThan(10_000_000);
  log.close();
});

test("a WAL that one large batch made is cut back", () => {
  const log = openRaftLog(driver, path);
  log.append(entriesOf(1, 1, 1, 30_000_000), TERM_1);
  expect(statSync(path + "-wal").size).toBeGreaterThan(30_000_000);
  for (let i = 2; i <= 4; i++) log.append(entriesOf(i, i), undefined);
  expect(statSync(path + "-wal").size).toBeLessThanOrEqual(16 * 1024 * 1024);
  log.close();
});
