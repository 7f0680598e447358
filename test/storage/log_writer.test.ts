import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CommitPace } from "../../src/storage/commit_pace.ts";
import { type LogJob, type LogWriter, WorkerLogWriter } from "../../src/storage/log_writer.ts";
import { openRaftLog, type RaftLog } from "../../src/storage/raft_log.ts";
import type { AppendOutcome } from "../../src/storage/raft_log_types.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { SqliteError } from "../../src/storage/sqlite_types.ts";
import { entriesOf, plain, snapshotAt, temporaryDirectory } from "./raft_log_fixture.ts";

const driver = await loadSqlite();
const TERM_1 = { term: 1, votedFor: 1, commit: 0 };
let directory: ReturnType<typeof temporaryDirectory>;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "log.db");
});

afterEach(() => directory.remove());

/** A log whose appends a worker writes, in term 1, with entries 1 to 3. */
function openBeside(): RaftLog {
  const log = openRaftLog(driver, path, { writer: "worker" });
  log.append(entriesOf(1, 3), TERM_1);
  return log;
}

/** Begins an append beside the loop; resolves to its outcome. */
function appended(log: RaftLog, first: number, last: number): Promise<AppendOutcome> {
  return new Promise((resolve, reject) => {
    log.onWritten = () => {
      try {
        log.poll();
      } catch (error) {
        reject(error);
      }
    };
    expect(log.append(entriesOf(first, last), undefined, resolve)).toBe(false);
  });
}

function stored(log: RaftLog): unknown[] {
  return (log.entries(log.firstIndex, log.lastIndex + 1, Infinity) ?? []).map(plain);
}

describe("a log whose appends a worker writes", () => {
  test("shows them when they are durable", async () => {
    const log = openBeside();
    const writing = appended(log, 4, 5);
    expect(log.lastIndex).toBe(3);
    expect(await writing).toBe("durable");
    expect(log.lastIndex).toBe(5);
    expect(log.metrics.fsyncs).toBeGreaterThan(1);
    await log.stopWriter();
    log.close();
    const reopened = openRaftLog(driver, path, { cacheBytes: 0 });
    expect(stored(reopened)).toEqual(entriesOf(1, 5).map(plain));
    expect(reopened.wasClean).toBe(true);
    reopened.close();
  });

  test("has what else is written wait for the append under way", async () => {
    const log = openBeside();
    for (let index = 4; index < 40; index += 4) {
      const outcomes: AppendOutcome[] = [];
      const written = (outcome: AppendOutcome) => outcomes.push(outcome);
      expect(log.append(entriesOf(index, index + 3), undefined, written)).toBe(false);
      log.compact(snapshotAt(index - 2, 1));
      expect(log.lastIndex).toBe(index + 3);
      expect(outcomes).toEqual([]);
      log.poll();
      expect(outcomes).toEqual(["durable"]);
    }
    // A truncation, and a vote, are written on the loop.
    const replaced = { term: 2, votedFor: 0, commit: 0 };
    expect(log.append(entriesOf(39, 39, 2), replaced, () => {})).toBe(true);
    expect(log.append([], { ...replaced, votedFor: 2 }, () => {})).toBe(true);
    await log.stopWriter();
    log.close();
    const reopened = openRaftLog(driver, path, { cacheBytes: 0 });
    expect([reopened.firstIndex, reopened.lastIndex]).toEqual([35, 39]);
    expect(reopened.hardState).toMatchObject({ term: 2, votedFor: 2 });
    expect(reopened.verify(1, Infinity)).toBeUndefined();
    reopened.close();
  });

  test("takes rows of many megabytes, and moves the -wal file", async () => {
    const log = openBeside();
    let next = 4;
    for (let i = 0; i < 20; i++) {
      const entries = entriesOf(next, next + 2, 1, 300_000);
      const isDone = new Promise<AppendOutcome>((resolve) => {
        log.onWritten = () => log.poll();
        log.append(entries, undefined, resolve);
      });
      expect(await isDone).toBe("durable");
      next += 3;
    }
    expect(Bun.file(`${path}-wal`).size).toBeLessThan(10_000_000);
    await log.stopWriter();
    log.close();
  });
});

/** A writer that fails as it is told. */
class FailingWriter implements LogWriter {
  onDone = (): void => {};
  failure: unknown;
  job: LogJob | undefined;

  begin(job: LogJob): void {
    this.job = job;
  }

  tookMs(): number | undefined {
    if (this.failure !== undefined) throw this.failure;
    return undefined;
  }

  wait(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe("a writer that fails", () => {
  let writer: FailingWriter;
  let log: RaftLog;

  beforeEach(() => {
    writer = new FailingWriter();
    log = openRaftLog(driver, path, { writer: "worker", makeWriter: () => writer });
    log.append(entriesOf(1, 3), TERM_1);
  });

  test("for want of room leaves all as it was", () => {
    const outcomes: AppendOutcome[] = [];
    for (let attempt = 1; attempt <= 2; attempt++) {
      writer.failure = undefined;
      expect(log.append(entriesOf(4, 4), undefined, (each) => outcomes.push(each))).toBe(false);
      log.poll();
      expect(outcomes.length).toBe(attempt - 1);
      writer.failure = new SqliteError("database or disk is full", "SQLITE_FULL");
      log.poll();
      expect(outcomes.length).toBe(attempt);
    }
    expect(outcomes).toEqual(["full", "full"]);
    expect(log.lastIndex).toBe(3);
    log.compact(snapshotAt(2, 1));
    expect(stored(log)).toEqual(entriesOf(3, 3).map(plain));
    log.close();
  });

  test("for good ends the use of the log", () => {
    log.append(entriesOf(4, 4), undefined, () => {});
    writer.failure = new Error("the worker died");
    expect(() => log.poll()).toThrow("the worker died");
    expect(() => log.append(entriesOf(4, 4), undefined)).toThrow(/cannot be used any more/);
    expect(() => log.compact(snapshotAt(2, 1))).toThrow(/cannot be used any more/);
    log.close();
    const reopened = openRaftLog(driver, path);
    expect([reopened.lastIndex, reopened.wasClean]).toEqual([3, false]);
    reopened.close();
  });
});

test("a worker that cannot go on is an error", async () => {
  const log = openRaftLog(driver, path, {
    writer: "worker",
    makeWriter: () => new WorkerLogWriter(join(directory.path, "missing", "log.db"), driver.name),
  });
  log.append(entriesOf(1, 3), TERM_1);
  await expect(appended(log, 4, 4)).rejects.toThrow("the worker died");
  log.close();
});

describe("auto", () => {
  test("a disk is slow when its commits take more than a millisecond, a spike makes none", () => {
    const pace = new CommitPace();
    for (let i = 0; i < 100; i++) pace.took(0.2);
    pace.took(500);
    expect(pace.isSlow).toBe(false);
    for (let i = 0; i < 20; i++) pace.took(5);
    expect(pace.isSlow).toBe(true);
    for (let i = 0; i < 100; i++) pace.took(0.8);
    expect(pace.isSlow).toBe(true);
    for (let i = 0; i < 100; i++) pace.took(0.2);
    expect(pace.isSlow).toBe(false);
  });

  test("the loop writes until the disk is slow", () => {
    const writer = new FailingWriter();
    const log = openRaftLog(driver, path, { writer: "auto", makeWriter: () => writer });
    log.append(entriesOf(1, 3), TERM_1);
    const isBeside = !log.append(entriesOf(4, 4), undefined, () => {});
    // Whatever this disk is like: a job was begun just when the append was not durable.
    expect(writer.job !== undefined).toBe(isBeside);
    log.close();
  });
});
