import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  NO_EXPIRY,
  NOTHING_APPLIED,
  type RedisOperations,
} from "../../src/storage/redis_operations.ts";

/** An implementation under test. */
export interface Subject {
  readonly ops: RedisOperations;
  /** Writes what is pending, by whatever means it has. */
  settle(): void;
  close(): void;
}

const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");

/** The behaviour every RedisOperations shares. `make` gives an empty one. */
export function redisOperationsSuite(name: string, make: () => Subject): void {
  describe(name, () => {
    let subject: Subject;
    let ops: RedisOperations;
    beforeEach(() => {
      subject = make();
      ops = subject.ops;
    });
    afterEach(() => subject.close());
    const check = (title: string, body: () => void) => test(title, body);

    oneKey(check, () => ops);
    oneDatabase(check, () => subject);
    expiry(check, () => subject);

    test("applied: what setApplied recorded", () => {
      expect(ops.applied).toEqual({
        ...NOTHING_APPLIED,
        index: 0,
        term: 0,
        logTimeMs: 0,
        digest: 0,
      });
      const state = {
        ...NOTHING_APPLIED,
        index: 7,
        term: 2,
        logTimeMs: 1_700_000_000_000,
        digest: 0xffffffff,
      };
      ops.setApplied(state);
      subject.settle();
      expect(ops.applied).toEqual(state);
      expect(ops.durable.index).toBe(7);
    });
  });
}

type Check = (title: string, body: () => void) => void;

function oneKey(check: Check, get: () => RedisOperations): void {
  check("set and find: any bytes as key and value", () => {
    const ops = get();
    const values = ["", "a", ALL_BYTES, "\0", "caf\xe9", "x".repeat(100_000), "123", "1.50"];
    for (const value of values) {
      ops.set(0, value, value, NO_EXPIRY);
      expect(ops.getBinary(0, value) === value).toBe(true);
    }
    expect(ops.size(0)).toBe(values.length);
    for (const value of values) expect(ops.find(0, value)?.value === value).toBe(true);
  });
  check("set: replaces value and expiry, and the version grows", () => {
    const ops = get();
    ops.set(0, "k", "1", 5000);
    const first = ops.find(0, "k");
    ops.set(0, "k", "2", NO_EXPIRY);
    const second = ops.find(0, "k");
    expect(first).toMatchObject({ type: "string", value: "1", expireAtMs: 5000 });
    expect(second).toMatchObject({ type: "string", value: "2", expireAtMs: NO_EXPIRY });
    expect(second!.version).toBeGreaterThan(first!.version);
    expect([ops.size(0), ops.sizeWithExpiry(0)]).toEqual([1, 0]);
  });
  check("mset: sets each pair, the last of a key wins", () => {
    const ops = get();
    ops.set(2, "a", "old", 5000);
    ops.mset(2, [["a", "1"], ["b", "2"], ["a", "3"]]);
    expect(["a", "b"].map((key) => ops.getBinary(2, key))).toEqual(["3", "2"]);
    expect(ops.find(2, "a")!.expireAtMs).toBe(NO_EXPIRY);
  });
  check("del: true once; a key made again has a new version", () => {
    const ops = get();
    ops.set(0, "k", "v", 9000);
    const { version } = ops.find(0, "k")!;
    expect([ops.del(0, "k"), ops.del(0, "k")]).toEqual([true, false]);
    expect(ops.find(0, "k")).toBeUndefined();
    expect([ops.size(0), ops.sizeWithExpiry(0)]).toEqual([0, 0]);
    ops.set(0, "k", "v", NO_EXPIRY);
    expect(ops.find(0, "k")!.version).toBeGreaterThan(version);
  });
  check("setExpiry: sets, clears, false when absent", () => {
    const ops = get();
    ops.set(0, "k", "v", NO_EXPIRY);
    expect(ops.setExpiry(0, "k", 2 ** 52)).toBe(true);
    expect([ops.find(0, "k")!.expireAtMs, ops.sizeWithExpiry(0)]).toEqual([2 ** 52, 1]);
    expect(ops.setExpiry(0, "k", NO_EXPIRY)).toBe(true);
    expect([ops.find(0, "k")!.expireAtMs, ops.sizeWithExpiry(0)]).toEqual([NO_EXPIRY, 0]);
    expect(ops.setExpiry(0, "absent", 1)).toBe(false);
  });
  check("rename: across databases, over a target, onto itself", () => {
    const ops = get();
    ops.set(0, "a", "1", 4000);
    ops.set(1, "b", "2", NO_EXPIRY);
    expect(ops.rename(0, "a", 1, "b")).toBe(true);
    expect(ops.find(0, "a")).toBeUndefined();
    expect(ops.find(1, "b")).toMatchObject({ value: "1", expireAtMs: 4000 });
    expect([ops.size(0), ops.size(1), ops.sizeWithExpiry(1)]).toEqual([0, 1, 1]);
    const before = ops.find(1, "b");
    expect(ops.rename(1, "b", 1, "b")).toBe(true);
    expect(ops.find(1, "b")).toMatchObject({ value: "1", version: before!.version });
    expect(ops.rename(1, "absent", 1, "absent")).toBe(false);
  });
  check("copy: leaves the source", () => {
    const ops = get();
    ops.set(0, "a", "1", 4000);
    expect(ops.copy(0, "a", 0, "b")).toBe(true);
    ops.set(0, "a", "2", NO_EXPIRY);
    expect(ops.find(0, "b")).toMatchObject({ value: "1", expireAtMs: 4000 });
    expect(ops.copy(0, "absent", 0, "b")).toBe(false);
    expect(ops.getBinary(0, "b")).toBe("1");
  });
}

function oneDatabase(check: Check, get: () => Subject): void {
  check("keys: creation order; an overwrite keeps its place, a rename does not", () => {
    const { ops, settle } = get();
    for (const key of ["c", "a", "b", "d"]) ops.set(0, key, "", NO_EXPIRY);
    ops.set(0, "c", "again", NO_EXPIRY);
    ops.rename(0, "a", 0, "e");
    expect([...ops.keys(0)]).toEqual(["c", "b", "d", "e"]);
    settle();
    expect([...ops.keys(0)]).toEqual(["c", "b", "d", "e"]);
    expect([...ops.keys(1)]).toEqual([]);
  });
  check("scan: pages cover all that stays, whatever else comes and goes", () => {
    const { ops, settle } = get();
    for (let i = 0; i < 1000; i++) ops.set(0, `k${i}`, "", NO_EXPIRY);
    settle();
    for (let i = 1000; i < 1500; i++) ops.set(0, `k${i}`, "", NO_EXPIRY);
    const seen: string[] = [];
    let cursor = 0;
    let round = 0;
    do {
      const page = ops.scan(0, cursor, 10);
      expect(page.keys.length).toBeLessThanOrEqual(10);
      seen.push(...page.keys);
      cursor = page.cursor;
      ops.del(0, `k${(round * 7) % 1500 | 1}`);
      ops.set(0, `k${(round * 4) % 1500 & ~1}`, "again", NO_EXPIRY);
      ops.set(0, `new${round++}`, "", NO_EXPIRY);
      if (round === 70) settle();
    } while (cursor !== 0 && round < 5000);
    const kept = seen.filter((key) => /^k\d*[02468]$/.test(key));
    expect(kept).toEqual(Array.from({ length: 750 }, (_, i) => `k${i * 2}`));
  });
  check("randomKey: only existing keys, and each of a few", () => {
    const { ops, settle } = get();
    expect(ops.randomKey(0, 0.5)).toBeUndefined();
    for (let i = 0; i < 300; i++) ops.set(0, `k${i}`, "", NO_EXPIRY);
    settle();
    for (let i = 0; i < 300; i++) if (i % 100 !== 99) ops.del(0, `k${i}`);
    const seen = new Set<string>();
    for (let i = 0; i < 30; i++) seen.add(ops.randomKey(0, i / 30)!);
    expect([...seen].sort()).toEqual(["k199", "k299", "k99"]);
  });
  check("flush: empties one database only, which then starts anew", () => {
    const { ops, settle } = get();
    for (let i = 0; i < 50; i++) ops.set(0, `k${i}`, "", i % 2 === 0 ? 100 : NO_EXPIRY);
    ops.set(1, "other", "1", NO_EXPIRY);
    settle();
    ops.set(0, "unsettled", "", 50);
    ops.flush(0);
    expect([ops.size(0), ops.sizeWithExpiry(0), ops.size(1)]).toEqual([0, 0, 1]);
    expect([ops.find(0, "k1"), ops.find(0, "unsettled")]).toEqual([undefined, undefined]);
    expect([...ops.keys(0)]).toEqual([]);
    expect(ops.nextExpiryMs()).toBe(NO_EXPIRY);
    expect(ops.expired(1e15, 10)).toEqual([]);
    ops.set(0, "k1", "new", NO_EXPIRY);
    settle();
    expect([...ops.keys(0)]).toEqual(["k1"]);
  });
  check("flush: again and again", () => {
    const { ops, settle } = get();
    for (let i = 0; i < 700; i++) {
      ops.set(0, `k${i}`, "", NO_EXPIRY);
      if (i % 50 === 0) settle();
      ops.flush(0);
    }
    ops.set(0, "k", "", NO_EXPIRY);
    expect([...ops.keys(0)]).toEqual(["k"]);
  });
  check("swap: exchanges keys, sizes and expiries", () => {
    const { ops, settle } = get();
    ops.set(0, "a", "0", 100);
    ops.set(5, "a", "5", NO_EXPIRY);
    settle();
    ops.set(5, "b", "5", NO_EXPIRY);
    ops.swap(0, 5);
    ops.swap(3, 3);
    expect([ops.getBinary(0, "a"), ops.getBinary(5, "a")]).toEqual(["5", "0"]);
    expect([ops.size(0), ops.size(5), ops.sizeWithExpiry(5)]).toEqual([2, 1, 1]);
    expect(ops.expired(100, 10)).toEqual([{ db: 5, key: "a" }]);
    settle();
    expect([...ops.keys(0)]).toEqual(["a", "b"]);
  });
}

function expiry(check: Check, get: () => Subject): void {
  check("expired: by time, database, then creation, up to the limit", () => {
    const { ops, settle } = get();
    ops.set(1, "b1", "", 20);
    ops.set(0, "late", "", 21);
    ops.set(0, "a2", "", 10);
    ops.set(0, "never", "", NO_EXPIRY);
    settle();
    ops.set(0, "a3", "", 20);
    ops.set(0, "a4", "", 20);
    const all = ["a2", "a3", "a4", "b1", "late"];
    expect(ops.expired(9, 10)).toEqual([]);
    expect(ops.expired(20, 10).map(({ key }) => key)).toEqual(all.slice(0, 4));
    expect(ops.expired(20, 2).map(({ key }) => key)).toEqual(all.slice(0, 2));
    settle();
    expect(ops.expired(99, 10).map(({ key }) => key)).toEqual(all);
    expect(ops.expired(99, 4)).toEqual([
      { db: 0, key: "a2" },
      { db: 0, key: "a3" },
      { db: 0, key: "a4" },
      { db: 1, key: "b1" },
    ]);
  });
  check("nextExpiryMs: follows every change", () => {
    const { ops, settle } = get();
    const steps: number[] = [];
    const step = (change: () => void) => {
      change();
      steps.push(ops.nextExpiryMs());
      if (steps.length % 2 === 0) settle();
    };
    step(() => ops.set(0, "a", "", 100));
    step(() => ops.set(9, "b", "", 90));
    step(() => ops.setExpiry(9, "b", 110));
    step(() => ops.set(0, "a", "", NO_EXPIRY));
    step(() => ops.copy(9, "b", 9, "c"));
    step(() => ops.del(9, "b"));
    step(() => ops.setExpiry(9, "c", 80));
    step(() => ops.rename(9, "c", 0, "a"));
    step(() => ops.del(0, "a"));
    expect(steps).toEqual([100, 90, 100, 110, 110, 110, 80, 80, NO_EXPIRY]);
  });
  check("expired: many, deleted in portions", () => {
    const { ops, settle } = get();
    for (let i = 0; i < 2000; i++) ops.set(i % 3, `k${i}`, "", 1000 + (i % 10));
    settle();
    ops.set(0, "stays", "", NO_EXPIRY);
    let deleted = 0;
    for (;;) {
      const page = ops.expired(1009, 128);
      if (page.length === 0) break;
      for (const { db, key } of page) expect(ops.del(db, key)).toBe(true);
      deleted += page.length;
      if (deleted % 512 === 0) settle();
    }
    expect(deleted).toBe(2000);
    expect([ops.size(0), ops.sizeWithExpiry(0), ops.nextExpiryMs()]).toEqual([1, 0, NO_EXPIRY]);
  });
}
