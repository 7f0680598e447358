import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openRaftLog, type RaftLog, type RaftLogOptions } from "../../src/storage/raft_log.ts";
import type { SqliteDriver } from "../../src/storage/sqlite_types.ts";
import { CONFIGURATION, entriesOf, entry, plain, snapshotAt } from "./raft_log_fixture.ts";

const TERM_1 = { term: 1, votedFor: 1, commit: 0 };

/** Where the logs of a test are. */
export interface LogPlace {
  readonly driver: SqliteDriver;
  readonly path: string;
  /** Of the log, in all that is opened there. */
  readonly options: RaftLogOptions;
  remove(): void;
  /** The machine dies and what was not synced is lost; undefined where that cannot be had. */
  crash?(): void;
}

/** What a log store must do, on whatever it stands. */
export function raftLogSuite(name: string, makePlace: () => LogPlace): void {
  describe(name, () => suite(makePlace));
}

function suite(makePlace: () => LogPlace): void {
  let place: LogPlace;
  let log: RaftLog;

  beforeEach(() => {
    place = makePlace();
    log = openRaftLog(place.driver, place.path, place.options);
  });

  afterEach(() => {
    log.close();
    place.remove();
  });

  function reopen(options?: RaftLogOptions): void {
    log.close();
    log = openRaftLog(place.driver, place.path, { ...place.options, ...options });
  }

  /** All entries, as plain values. */
  function contents(): unknown[] {
    return (log.entries(log.firstIndex, log.lastIndex + 1, Infinity) ?? []).map(plain);
  }

  describe("a new log", () => {
    test("is empty", () => {
      expect([log.firstIndex, log.lastIndex, log.bytes]).toEqual([1, 0, 0]);
      expect(log.identity).toBeUndefined();
      expect(log.hardState).toEqual({ term: 0, votedFor: 0, commit: 0 });
      expect(log.term(0)).toBe(0);
      expect(log.term(1)).toBeUndefined();
      expect(log.entries(1, 10, 1000)).toEqual([]);
    });

    test("keeps identity, hard state and kinds over a reopen", () => {
      const identity = { clusterId: "00ff".repeat(8), nodeId: 7, incarnation: 3, runs: [5, 4] };
      log.setIdentity(identity);
      const entries = [
        entry(1, 1, 0, "noop"),
        entry(2, 1, 300, "configuration"),
        entry(3, 300, 70_000),
        entry(4, 5_000_000_000, 1),
      ];
      log.append(entries, { term: 5_000_000_000, votedFor: 2, commit: 3 });
      reopen();
      expect(log.identity).toEqual(identity);
      expect(log.hardState).toEqual({ term: 5_000_000_000, votedFor: 2, commit: 3 });
      expect(contents()).toEqual(entries.map(plain));
      expect(log.wasClean).toBe(true);
    });

    test("takes a vote without entries", () => {
      log.append([], { term: 4, votedFor: 3, commit: 0 });
      reopen();
      expect(log.hardState).toEqual({ term: 4, votedFor: 3, commit: 0 });
    });
  });

  describe("append", () => {
    test("splits a large batch into rows of whole entries", () => {
      log.append(entriesOf(1, 40, 1, 100_000), TERM_1);
      reopen({ cacheBytes: 0 });
      expect(contents()).toEqual(entriesOf(1, 40, 1, 100_000).map(plain));
    });

    test("writes the commit index with the entries and not on its own", () => {
      log.append(entriesOf(1, 3), TERM_1);
      const fsyncs = log.metrics.fsyncs;
      log.append([], { ...TERM_1, commit: 3 });
      expect(log.metrics.fsyncs).toBe(fsyncs);
      log.append(entriesOf(4, 4), undefined);
      expect(log.metrics.fsyncs).toBe(fsyncs + 1);
      expect(log.hardState.commit).toBe(3);
      reopen();
      expect(log.hardState.commit).toBe(3);
    });

    test("truncates at a row's start, inside a row and at the first index", () => {
      log.append(entriesOf(1, 5), TERM_1);
      log.append(entriesOf(6, 10), TERM_1);
      const term2 = { term: 2, votedFor: 0, commit: 0 };
      log.append(entriesOf(6, 7, 2), term2);
      let expected = [...entriesOf(1, 5), ...entriesOf(6, 7, 2)].map(plain);
      expect(contents()).toEqual(expected);
      log.append(entriesOf(3, 4, 2), term2);
      expected = [...entriesOf(1, 2), ...entriesOf(3, 4, 2)].map(plain);
      expect(contents()).toEqual(expected);
      reopen({ cacheBytes: 0 });
      expect(contents()).toEqual(expected);
      log.append(entriesOf(1, 1, 2), term2);
      reopen();
      expect(contents()).toEqual(entriesOf(1, 1, 2).map(plain));
      expect(log.verify(1, Infinity)).toBeUndefined();
    });

    test("truncates at the first index inside a row that is half compacted", () => {
      log.append(entriesOf(1, 10), TERM_1);
      log.compact(snapshotAt(5, 1));
      const bytes = log.bytes;
      log.append(entriesOf(6, 7, 2), { term: 2, votedFor: 0, commit: 0 });
      expect(log.bytes).toBeLessThan(bytes);
      expect(contents()).toEqual(entriesOf(6, 7, 2).map(plain));
      reopen();
      expect(contents()).toEqual(entriesOf(6, 7, 2).map(plain));
    });

    test("refuses a gap, a lower term and the change of a committed entry", () => {
      log.append(entriesOf(1, 3), { term: 2, votedFor: 1, commit: 2 });
      expect(() => log.append(entriesOf(5, 5, 2), undefined)).toThrow(/gap/);
      expect(() => log.append([], TERM_1)).toThrow(/never goes back/);
      expect(() => log.append(entriesOf(2, 2, 2), undefined)).toThrow(/committed/);
      expect(contents()).toEqual(entriesOf(1, 3).map(plain));
    });
  });

  describe("entries", () => {
    test("stops at the byte bound but gives at least one", () => {
      for (const cacheBytes of [0, 1 << 20]) {
        reopen({ cacheBytes });
        if (log.lastIndex === 0) {
          for (let i = 1; i <= 10; i++) log.append([entry(i, 1, 100)], TERM_1);
        }
        expect(log.entries(3, 11, 1)?.map((e) => e.index)).toEqual([3]);
        expect(log.entries(3, 11, 299)?.map((e) => e.index)).toEqual([3, 4]);
        expect(log.entries(3, 11, 300)?.map((e) => e.index)).toEqual([3, 4, 5]);
        expect(log.entries(3, 5, 1e9)?.map((e) => e.index)).toEqual([3, 4]);
        expect(log.entries(9, 100, 1e9)?.map((e) => e.index)).toEqual([9, 10]);
        expect(log.entries(11, 12, 1e9)).toEqual([]);
      }
    });

    test("gives the very entries that were appended while they are cached", () => {
      const local = { reply: 1 };
      const own = { ...entry(1), local };
      log.append([own], TERM_1);
      expect(log.entries(1, 2, 100)?.[0]).toBe(own);
    });

    test("keeps the cache within its bound and reads the rest from the file", () => {
      reopen({ cacheBytes: 100_000 });
      for (let i = 1; i <= 100; i++) log.append([entry(i, 1, 5000)], TERM_1);
      expect(log.cachedBytes).toBeLessThanOrEqual(100_000);
      expect(log.cachedBytes).toBeGreaterThan(80_000);
      expect(contents()).toEqual(entriesOf(1, 100, 1, 5000).map(plain));
      expect(log.term(1)).toBe(1);
    });
  });

  describe("compact", () => {
    test("drops entries up to the index, inside a row too, and keeps its term", () => {
      log.append(entriesOf(1, 10), TERM_1);
      log.append(entriesOf(11, 20, 2), { term: 2, votedFor: 0, commit: 15 });
      const bytes = log.bytes;
      log.compact(snapshotAt(13, 2));
      for (const again of [false, true]) {
        if (again) reopen({ cacheBytes: 0 });
        expect([log.firstIndex, log.lastIndex]).toEqual([14, 20]);
        expect(log.snapshot).toEqual({ index: 13, term: 2, configuration: CONFIGURATION });
        expect([log.term(12), log.term(13), log.term(14)]).toEqual([undefined, 2, 2]);
        expect(log.entries(13, 20, 1e9)).toBeUndefined();
        expect(contents()).toEqual(entriesOf(14, 20, 2).map(plain));
        expect(log.bytes).toBeLessThan(bytes);
      }
    });

    test("may drop all, and the log goes on behind it", () => {
      log.append(entriesOf(1, 10), TERM_1);
      log.compact(snapshotAt(10, 1));
      expect([log.firstIndex, log.lastIndex, log.bytes]).toEqual([11, 10, 0]);
      expect(log.term(10)).toBe(1);
      reopen();
      expect([log.firstIndex, log.lastIndex, log.bytes]).toEqual([11, 10, 0]);
      log.append(entriesOf(11, 12), TERM_1);
      reopen();
      expect(contents()).toEqual(entriesOf(11, 12).map(plain));
    });

    test("deletes the rows bit by bit, with the appends that follow", () => {
      for (let i = 1; i <= 1000; i++) log.append([entry(i)], TERM_1);
      log.compact(snapshotAt(900, 1));
      for (let i = 1001; i <= 1010; i++) log.append([entry(i)], TERM_1);
      log.close();
      const database = place.driver.open(place.path, { synchronous: "full" });
      expect(database.prepare("SELECT min(first) AS m FROM log").get()?.m).toBe(901);
      database.close();
      log = openRaftLog(place.driver, place.path, place.options);
      expect(contents()).toEqual(entriesOf(901, 1010).map(plain));
    });
  });

  describe("reset", () => {
    test("replaces the log by a position ahead of it", () => {
      log.append(entriesOf(1, 10), TERM_1);
      log.reset(snapshotAt(500, 3));
      for (const again of [false, true]) {
        if (again) reopen();
        expect([log.firstIndex, log.lastIndex, log.bytes]).toEqual([501, 500, 0]);
        expect(log.term(500)).toBe(3);
        expect(log.hardState).toEqual({ term: 3, votedFor: 0, commit: 500 });
      }
      log.append(entriesOf(501, 503, 3), undefined);
      reopen();
      expect(contents()).toEqual(entriesOf(501, 503, 3).map(plain));
    });

    test("replaces the log by a position inside it", () => {
      log.append(entriesOf(1, 10), TERM_1);
      log.append(entriesOf(11, 20), TERM_1);
      log.reset(snapshotAt(15, 2));
      for (const again of [false, true]) {
        if (again) reopen();
        expect([log.firstIndex, log.lastIndex, log.bytes]).toEqual([16, 15, 0]);
        expect(contents()).toEqual([]);
      }
      log.append(entriesOf(16, 17, 2), undefined);
      reopen({ cacheBytes: 0 });
      expect(contents()).toEqual(entriesOf(16, 17, 2).map(plain));
    });
  });

  test("close makes later calls throw", () => {
    log.append(entriesOf(1, 2), TERM_1);
    log.close();
    expect(() => log.append(entriesOf(3, 3), undefined)).toThrow(/is closed/);
  });
}
