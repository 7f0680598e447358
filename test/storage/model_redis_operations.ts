import type { Bytes } from "../../src/base/bytes.ts";
import { DATABASE_COUNT } from "../../src/constants.ts";
import { NO_EXPIRY, NOTHING_APPLIED } from "../../src/storage/redis_operations.ts";
import type { Collections, CollectionType } from "../../src/storage/collections.ts";
import type { ModelCollection } from "./model_collection.ts";
import { ModelHash } from "./model_hash.ts";
import { ModelList } from "./model_list.ts";
import { ModelSet } from "./model_set.ts";
import { ModelSortedSet } from "./model_sorted_set.ts";
import { ModelStream } from "./model_stream.ts";
import type {
  AppliedState,
  KeyName,
  KeyRecord,
  RedisOperations,
  ScanPage,
  StringEncoding,
} from "../../src/storage/redis_operations.ts";

interface ModelKey {
  /** Grows with creation within a database; SCAN's cursor is the last one seen. */
  readonly id: number;
  readonly record: KeyRecord;
  readonly collection: ModelCollection | undefined;
}

/** What makes an empty one of each type. */
const MAKE: Readonly<Record<CollectionType, () => ModelCollection>> = {
  hash: () => new ModelHash(),
  set: () => new ModelSet(),
  list: () => new ModelList(),
  zset: () => new ModelSortedSet(),
  stream: () => new ModelStream(),
};

/** One database. A Map keeps creation order: an overwritten key stays in its place. */
class ModelDatabase {
  readonly keys = new Map<Bytes, ModelKey>();
  lastId = 0;
}

/**
 * RedisOperations in plain Maps: slow, nothing is durable, and right at a glance. What the real
 * implementations are compared with, and what tests of commands run on.
 */
export class ModelRedisOperations implements RedisOperations {
  #databases = Array.from({ length: DATABASE_COUNT }, () => new ModelDatabase());
  #version = 0;
  #applied: AppliedState = NOTHING_APPLIED;

  find(db: number, key: Bytes): KeyRecord | undefined {
    return this.#databases[db].keys.get(key)?.record;
  }

  peek(db: number, key: Bytes): KeyRecord | undefined {
    return this.find(db, key);
  }

  idleSeconds(): number {
    return 0;
  }

  getBinary(db: number, key: Bytes): Bytes | undefined {
    const record = this.find(db, key);
    return record?.type === "string" ? record.value : undefined;
  }

  set(
    db: number,
    key: Bytes,
    value: Bytes,
    expireAtMs: number,
    encoding?: StringEncoding,
  ): void {
    this.#put(db, key, { type: "string", value, expireAtMs, encoding, size: 0 });
  }

  mset(db: number, pairs: readonly (readonly [Bytes, Bytes])[]): void {
    for (const [key, value] of pairs) this.set(db, key, value, NO_EXPIRY);
  }

  del(db: number, key: Bytes): boolean {
    return this.#databases[db].keys.delete(key);
  }

  setExpiry(db: number, key: Bytes, expireAtMs: number): boolean {
    const record = this.find(db, key);
    if (record === undefined) return false;
    this.#put(db, key, { ...record, expireAtMs }, this.#collection(db, key));
    return true;
  }

  rename(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const isDone = this.copy(db, key, toDb, toKey);
    if (isDone && (db !== toDb || key !== toKey)) this.del(db, key);
    return isDone;
  }

  copy(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const record = this.find(db, key);
    if (record === undefined || (db === toDb && key === toKey)) return record !== undefined;
    const collection = this.#collection(db, key)?.clone();
    this.del(toDb, toKey);
    if (collection !== undefined) this.#attach(collection, toDb, toKey);
    this.#put(toDb, toKey, record, collection);
    return true;
  }

  collection<T extends CollectionType>(
    db: number,
    key: Bytes,
    type: T,
  ): Collections[T] | undefined {
    const collection = this.#collection(db, key);
    return collection?.type === type ? collection as unknown as Collections[T] : undefined;
  }

  edit<T extends CollectionType>(db: number, key: Bytes, type: T): Collections[T] {
    const collection = this.#collection(db, key) ?? MAKE[type]();
    this.#attach(collection, db, key);
    return collection as unknown as Collections[T];
  }

  #collection(db: number, key: Bytes): ModelCollection | undefined {
    return this.#databases[db].keys.get(key)?.collection;
  }

  #attach(collection: ModelCollection, db: number, key: Bytes): void {
    collection.changed = () => {
      if (collection.isGone) return void this.del(db, key);
      const expireAtMs = this.find(db, key)?.expireAtMs ?? NO_EXPIRY;
      const { type, count } = collection;
      const record = { type, value: "", expireAtMs, encoding: undefined, size: count };
      this.#put(db, key, record, collection);
    };
  }

  #put(
    db: number,
    key: Bytes,
    change: Omit<KeyRecord, "version">,
    collection?: ModelCollection,
  ): void {
    const database = this.#databases[db];
    const id = database.keys.get(key)?.id ?? ++database.lastId;
    const record = { ...change, version: ++this.#version };
    database.keys.set(key, { id, record, collection });
  }

  size(db: number): number {
    return this.#databases[db].keys.size;
  }

  sizeWithExpiry(db: number): number {
    let count = 0;
    for (const { record } of this.#databases[db].keys.values()) {
      if (record.expireAtMs !== NO_EXPIRY) count += 1;
    }
    return count;
  }

  keys(db: number): Iterable<Bytes> {
    return this.#databases[db].keys.keys();
  }

  scan(db: number, cursor: number, count: number): ScanPage {
    const keys: Bytes[] = [];
    for (const [key, { id }] of this.#databases[db].keys) {
      if (id <= cursor) continue;
      keys.push(key);
      if (keys.length >= count) return { cursor: id, keys };
    }
    return { cursor: 0, keys };
  }

  randomKey(db: number, random: number): Bytes | undefined {
    return [...this.keys(db)][Math.floor(random * this.size(db))];
  }

  flush(db: number): void {
    this.#databases[db] = new ModelDatabase();
  }

  swap(dbA: number, dbB: number): void {
    const a = this.#databases[dbA];
    this.#databases[dbA] = this.#databases[dbB];
    this.#databases[dbB] = a;
  }

  nextExpiryMs(): number {
    let next = NO_EXPIRY;
    for (const { keys } of this.#databases) {
      for (const key of keys.values()) next = Math.min(next, dueAtMsOf(key));
    }
    return next;
  }

  expired(timeMs: number, limit: number): readonly KeyName[] {
    const due: { db: number; key: Bytes; id: number; dueAtMs: number }[] = [];
    for (const [db, { keys }] of this.#databases.entries()) {
      for (const [key, found] of keys) {
        const dueAtMs = dueAtMsOf(found);
        if (dueAtMs <= timeMs) due.push({ db, key, id: found.id, dueAtMs });
      }
    }
    // Total order, so that every node deletes the same keys: time, database, creation.
    due.sort((a, b) => a.dueAtMs - b.dueAtMs || a.db - b.db || a.id - b.id);
    return due.slice(0, limit).map(({ db, key }) => ({ db, key }));
  }

  get applied(): Readonly<AppliedState> {
    return this.#applied;
  }

  setApplied(state: Readonly<AppliedState>): void {
    this.#applied = { ...state };
  }

  get durable(): Readonly<AppliedState> {
    return this.#applied;
  }
}

function dueAtMsOf({ record, collection }: ModelKey): number {
  return Math.min(
    record.expireAtMs,
    collection === undefined ? NO_EXPIRY : collection.nextExpiryMs,
  );
}
