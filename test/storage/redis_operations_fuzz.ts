import type { Bytes } from "../../src/base/bytes.ts";
import { assert } from "../../src/base/assert.ts";
import { Prng } from "../../src/base/prng.ts";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import {
  type AppliedState,
  NO_EXPIRY,
  NOTHING_APPLIED,
  type RedisOperations,
} from "../../src/storage/redis_operations.ts";
import { SqlRedisOperations } from "../../src/storage/sql_redis_operations.ts";
import type { SqliteDriver } from "../../src/storage/sqlite_types.ts";
import type { CollectionType } from "../../src/storage/collections.ts";
import { InlineCheckpointer } from "../../src/storage/checkpointer.ts";
import { FakeFlushCheckpointer } from "./fake_flush_writer.ts";
import { crashImage } from "./crash_image.ts";
import {
  dumpCollection,
  FUZZED_TYPES,
  type FuzzValues,
  makeSteps,
  pageOfCollection,
  probeCollection,
  runSteps,
} from "./fuzz_collections.ts";
import { ModelRedisOperations } from "./model_redis_operations.ts";

type Change =
  | { call: "set"; db: number; key: Bytes; value: Bytes; expireAtMs: number; raw: boolean }
  | { call: "edit"; db: number; key: Bytes; type: CollectionType; steps: readonly unknown[] }
  | { call: "mset"; db: number; pairs: [Bytes, Bytes][] }
  | { call: "setExpiry"; db: number; key: Bytes; expireAtMs: number }
  | { call: "del"; db: number; key: Bytes }
  | { call: "rename" | "copy"; db: number; key: Bytes; toDb: number; toKey: Bytes }
  | { call: "flush"; db: number }
  | { call: "swap"; db: number; toDb: number }
  | { call: "expire"; timeMs: number; limit: number };

/** What one log entry does. */
interface FuzzEntry {
  readonly changes: readonly Change[];
  readonly applied: AppliedState;
}

const DATABASES = 3;

function run(ops: RedisOperations, change: Change): unknown {
  switch (change.call) {
    case "set":
      return ops.set(
        change.db,
        change.key,
        change.value,
        change.expireAtMs,
        change.raw ? "raw" : undefined,
      );
    case "edit":
      return runSteps(ops, change.db, change.key, change.type, change.steps);
    case "mset":
      return ops.mset(change.db, change.pairs);
    case "setExpiry":
      return ops.setExpiry(change.db, change.key, change.expireAtMs);
    case "del":
      return ops.del(change.db, change.key);
    case "rename":
    case "copy":
      return ops[change.call](change.db, change.key, change.toDb, change.toKey);
    case "flush":
      return ops.flush(change.db);
    case "swap":
      return ops.swap(change.db, change.toDb);
    case "expire": {
      const due = ops.expired(change.timeMs, change.limit);
      for (const { db, key } of due) {
        if (ops.find(db, key)!.expireAtMs <= change.timeMs) ops.del(db, key);
      }
      return due;
    }
  }
}

function applyEntry(ops: RedisOperations, entry: FuzzEntry): unknown[] {
  const results = entry.changes.map((change) => run(ops, change));
  ops.setApplied(entry.applied);
  return results;
}

/** The versions of all keys: equal on SQL and on the working set; the model counts otherwise. */
function versions(ops: RedisOperations): string {
  const found = [];
  for (let db = 0; db < DATABASES; db++) {
    found.push([...ops.keys(db)].map((key) => [key, ops.find(db, key)!.version]));
  }
  return JSON.stringify(found);
}

/** Everything else there is to see, as text. */
export function dump(ops: RedisOperations): string {
  const databases = [];
  for (let db = 0; db < DATABASES; db++) {
    const keys = [...ops.keys(db)].map((key) => {
      const found = ops.find(db, key);
      const { type, value, expireAtMs, size } = found!;
      const raw = type === "string" ? found!.encoding : undefined;
      return [key, type, value, String(expireAtMs), size, raw, dumpCollection(ops, db, key)];
    });
    databases.push([ops.size(db), ops.sizeWithExpiry(db), keys]);
  }
  const { index, term, logTimeMs, digest } = ops.applied;
  return JSON.stringify([databases, ops.nextExpiryMs(), index, term, logTimeMs, digest]);
}

/** A SCAN that goes on while keys change. */
interface LongScan {
  readonly db: number;
  cursor: number;
  /** Present since its start. */
  readonly expected: Set<Bytes>;
  readonly seen: Set<Bytes>;
}

export interface FuzzOptions {
  readonly driver: SqliteDriver;
  readonly directory: string;
  readonly seed: number;
  readonly entries: number;
}

/**
 * Runs the same random entries on the model, on SQL and on the working set, and compares every
 * answer; crashes of the working set replay from its durable index. Throws on a difference.
 */
export function fuzzRedisOperations(options: FuzzOptions): void {
  new Fuzz(options).run();
}

class Fuzz {
  readonly #options: FuzzOptions;
  readonly #prng: Prng;
  readonly #model = new ModelRedisOperations();
  readonly #sql: SqlRedisOperations;
  readonly #keyCount: number;
  readonly #cacheBytes: number;
  readonly #wholeElementsMax: number;
  readonly #crashes: boolean;
  #cached: CachedRedisOperations;
  #path: string;
  #images = 0;
  #nowMs = 0;
  #nowStepMs = 1;
  readonly #values: FuzzValues;
  /** Entries that may have to be replayed, and the model's dump before the first of them. */
  #history: FuzzEntry[] = [];
  #dumps = new Map<number, string>();
  #scan: LongScan | undefined;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
    this.#values = {
      prng: this.#prng,
      name: () => `f${this.#prng.below(this.#pick([3, 30]))}`,
      value: () => this.#value(),
      expiry: () => this.#expiry(),
    };
    this.#keyCount = this.#pick([3, 12, 60, 400]);
    this.#cacheBytes = this.#pick([0, 1000, 4000, 20_000, 1e9]);
    this.#wholeElementsMax = this.#pick([0, 0, 3, 4096]);
    this.#crashes = this.#chance(0.5);
    const path = `${options.directory}/fuzz-${options.seed}`;
    this.#sql = new SqlRedisOperations(this.#open(`${path}-sql.db`), { commitChanges: 100 });
    this.#path = `${path}-cached.db`;
    this.#cached = this.#openCached();
    this.#dumps.set(0, dump(this.#model));
  }

  run(): void {
    const { entries } = this.#options;
    for (let index = 1; index <= entries; index++) {
      const entry = this.#makeEntry(index);
      this.#apply(entry);
      this.#nowStepMs = this.#pick([0, 1, 1, 5]);
      if (this.#chance(0.4)) this.#cached.flushStep(this.#prng.below(8));
      if (this.#chance(0.01)) this.#cached.flushAll();
      this.#nowMs += this.#prng.below(30);
      this.#compareSome();
      if (this.#chance(0.05)) this.#compareAll();
      this.#stepScan();
      if (this.#crashes && this.#chance(0.02)) this.#crash();
    }
    this.#cached.flushAll();
    this.#same(this.#cached.durable.index, entries, "durableIndex after flushAll");
    this.#compareAll();
    void this.#cached.close();
    this.#cached = this.#openCached();
    this.#same(dump(this.#cached), dump(this.#model), "dump after reopening");
    void this.#cached.close();
    this.#sql.close();
  }

  #apply(entry: FuzzEntry): void {
    this.#follow(entry);
    const expected = JSON.stringify(applyEntry(this.#model, entry));
    this.#same(JSON.stringify(applyEntry(this.#sql, entry)), expected, "results on SQL", entry);
    this.#same(JSON.stringify(applyEntry(this.#cached, entry)), expected, "results", entry);
    if (!this.#crashes) return;
    this.#history.push(entry);
    this.#dumps.set(entry.applied.index, dump(this.#model));
  }

  #makeEntry(index: number): FuzzEntry {
    const count = this.#prng.below(5);
    const changes = Array.from({ length: count }, () => this.#makeChange());
    const digest = this.#prng.nextUint32();
    const term = 1 + (index >> 6);
    const applied = { ...NOTHING_APPLIED, index, term, logTimeMs: 1000 + index, digest };
    return { changes, applied };
  }

  #makeChange(): Change {
    const db = this.#prng.below(DATABASES);
    const toDb = this.#prng.below(DATABASES);
    const key = this.#key();
    const toKey = this.#key();
    const dice = this.#prng.next();
    if (dice < 0.2) {
      const raw = this.#chance(0.2);
      return { call: "set", db, key, value: this.#value(), expireAtMs: this.#expiry(), raw };
    }
    if (dice < 0.4) {
      const type = this.#pick(FUZZED_TYPES);
      return { call: "edit", db, key, type, steps: makeSteps(type, this.#values) };
    }
    if (dice < 0.45) {
      const pairs = Array.from({ length: 3 }, (): [Bytes, Bytes] => [this.#key(), this.#value()]);
      return { call: "mset", db, pairs };
    }
    if (dice < 0.55) return { call: "setExpiry", db, key, expireAtMs: this.#expiry() };
    if (dice < 0.75) return { call: "del", db, key };
    if (dice < 0.85) return { call: "rename", db, key, toDb, toKey };
    if (dice < 0.93) return { call: "copy", db, key, toDb, toKey };
    if (dice < 0.95) return { call: "swap", db, toDb };
    if (dice < 0.965) return { call: "flush", db };
    return { call: "expire", timeMs: this.#time(), limit: 1 + this.#prng.below(20) };
  }

  #compareSome(): void {
    for (let i = 0; i < 3; i++) {
      const db = this.#prng.below(DATABASES);
      const key = this.#key();
      const found = (ops: RedisOperations) => {
        const record = ops.find(db, key);
        if (record === undefined) return "absent";
        const { type, value, expireAtMs, size } = record;
        return JSON.stringify([type, value, String(expireAtMs), size, ops.getBinary(db, key)]);
      };
      this.#compare(`find ${db} ${JSON.stringify(key)}`, found);
      this.#compare(`size ${db}`, (ops) => `${ops.size(db)} ${ops.sizeWithExpiry(db)}`);
    }
    const place = [this.#prng.below(DATABASES), this.#key(), this.#prng.below(30)] as const;
    const count = 1 + this.#prng.below(5);
    const page = (ops: RedisOperations) => pageOfCollection(ops, ...place, count);
    this.#same(page(this.#cached), page(this.#sql), `a page of ${JSON.stringify(place)}`);
    probeCollection(this.#cached, this.#prng.below(DATABASES), this.#key(), this.#values);
    this.#compare("nextExpiryMs", (ops) => String(ops.nextExpiryMs()));
    const timeMs = this.#time();
    const limit = 1 + this.#prng.below(this.#pick([3, 300]));
    if (this.#chance(0.3)) {
      this.#compare("expired", (ops) => JSON.stringify(ops.expired(timeMs, limit)));
    }
  }

  #compareAll(): void {
    this.#compare("dump", dump);
    this.#same(versions(this.#cached), versions(this.#sql), "versions");
    const db = this.#prng.below(DATABASES);
    const count = 1 + this.#prng.below(10);
    this.#compare("scan", (ops) => {
      const keys: Bytes[] = [];
      let cursor = 0;
      do {
        const page = ops.scan(db, cursor, count);
        assert(page.keys.length <= count, "a page has no more keys than asked for");
        keys.push(...page.keys);
        cursor = page.cursor;
      } while (cursor !== 0);
      return JSON.stringify(keys);
    });
    const random = this.#prng.next();
    for (const ops of [this.#sql, this.#cached]) {
      const key = ops.randomKey(db, random);
      const right = key === undefined ? this.#model.size(db) === 0 : this.#model.find(db, key);
      this.#same(Boolean(right), true, "randomKey gives an existing key");
    }
  }

  #stepScan(): void {
    const scan = this.#scan;
    if (scan === undefined) {
      const db = this.#prng.below(DATABASES);
      const expected = new Set(this.#model.keys(db));
      this.#scan = { db, cursor: 0, expected, seen: new Set() };
      return;
    }
    const page = this.#cached.scan(scan.db, scan.cursor, 1 + this.#prng.below(4));
    for (const key of page.keys) scan.seen.add(key);
    scan.cursor = page.cursor;
    if (scan.cursor !== 0) return;
    for (const key of scan.expected) {
      this.#same(scan.seen.has(key), true, `scan returns ${JSON.stringify(key)}`);
    }
    this.#scan = undefined;
  }

  /** Takes what an entry removes, or may, from what the running scan must return. */
  #follow(entry: FuzzEntry): void {
    const forget = (db: number, key: Bytes) => {
      if (this.#scan?.db === db) this.#scan.expected.delete(key);
    };
    for (const change of entry.changes) {
      if (change.call === "del" || change.call === "edit") forget(change.db, change.key);
      if (change.call === "copy" || change.call === "rename") {
        if (change.call === "rename") forget(change.db, change.key);
        forget(change.toDb, change.toKey);
      }
      if (change.call === "flush" || change.call === "swap" || change.call === "expire") {
        this.#scan = undefined;
      }
    }
  }

  /** Goes on with what a crash now would leave, brought up to date from the log. */
  #crash(): void {
    // A flush on another thread may be committed and not noticed yet.
    const knownIndex = this.#cached.durable.index;
    const { directory, seed } = this.#options;
    const image = crashImage(this.#path, `${directory}/fuzz-${seed}-${this.#images++}.db`);
    const old = this.#cached;
    this.#path = image;
    this.#cached = this.#openCached();
    const durableIndex = this.#cached.applied.index;
    if (durableIndex < knownIndex) this.#same(durableIndex, knownIndex, "index after a crash");
    this.#same(dump(this.#cached), this.#dumps.get(durableIndex)!, "state after a crash");
    this.#history = this.#history.filter(({ applied }) => applied.index > durableIndex);
    for (const entry of this.#history) applyEntry(this.#cached, entry);
    this.#same(dump(this.#cached), dump(this.#model), "state after replay");
    for (const index of this.#dumps.keys()) if (index < durableIndex) this.#dumps.delete(index);
    this.#scan = undefined;
    void old.close();
  }

  #compare(what: string, look: (ops: RedisOperations) => string): void {
    const expected = look(this.#model);
    this.#same(look(this.#sql), expected, `${what} on SQL`);
    this.#same(look(this.#cached), expected, what);
  }

  #same(found: unknown, expected: unknown, what: string, entry?: FuzzEntry): void {
    if (found === expected) return;
    const { seed } = this.#options;
    throw new Error(
      `seed ${seed}, entry ${this.#model.applied.index}: ${what}\n  found    ${String(found)}\n` +
        `  expected ${String(expected)}\n  ${entry === undefined ? "" : JSON.stringify(entry)}`,
    );
  }

  #open(path: string) {
    return this.#options.driver.open(path, { synchronous: "normal" });
  }

  #openCached(): CachedRedisOperations {
    const sql = this.#open(this.#path);
    const checkpointer = this.#chance(0.5)
      ? new InlineCheckpointer(sql)
      : new FakeFlushCheckpointer(sql, this.#open(this.#path), () => this.#chance(0.5));
    return new CachedRedisOperations(sql, {
      checkpointer,
      cacheBytes: this.#cacheBytes,
      wholeElementsMax: this.#wholeElementsMax,
      now: () => this.#nowMs += this.#nowStepMs,
      flushKeys: this.#pick([1, 20, 1e9]),
    });
  }

  #key(): Bytes {
    const n = this.#prng.below(this.#keyCount);
    return n % 5 === 4 ? `\xff${n}\0` : n === 0 ? "" : `k${n}`;
  }

  #value(): Bytes {
    const dice = this.#prng.below(40);
    if (dice === 0) return "\x80".repeat(this.#prng.below(20_000));
    return "v".repeat(dice) + this.#prng.below(1000);
  }

  #expiry(): number {
    return this.#chance(0.6) ? NO_EXPIRY : this.#time();
  }

  /** From a small range, so that equal times are common. */
  #time(): number {
    return 1000 + this.#prng.below(50);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#prng.below(choices.length)];
  }

  #chance(probability: number): boolean {
    return this.#prng.next() < probability;
  }
}
