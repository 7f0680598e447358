import type { Bytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { detailsOf, stringDetails } from "./cached_key.ts";
import { isAside, type TouchKind } from "./change_recorder.ts";
import type { Collection, CollectionHost } from "./collection.ts";
import { type Collections, type CollectionType, TABLES_OF } from "./collections.ts";
import { makeCollection } from "./make_collection.ts";
import {
  type AppliedState,
  type KeyName,
  type KeyRecord,
  type KeyType,
  NO_EXPIRY,
  type RedisOperations,
  type ScanPage,
  type StringEncoding,
} from "./redis_operations.ts";
import { randomKeyByScan } from "./random_key.ts";
import {
  dueAtMsOf,
  freeSlot,
  StateTables,
  type StoredDatabase,
  type StoredDetails,
  type StoredId,
  type StoredKey,
} from "./state_tables.ts";
import type { SqlDatabase } from "./sqlite_types.ts";

const KEYS_PER_PAGE = 256;
const PURGED_PER_COMMIT = 1024;

interface Change {
  readonly type: KeyType;
  readonly value: Bytes;
  readonly expireAtMs: number;
  readonly details: StoredDetails | undefined;
}

/**
 * RedisOperations where each call is SQL on state.db: the reference for the cached one. A
 * collection is read whole each time and each of its changes written at once.
 *
 * Changes gather in a transaction that opens with the first of them. `setApplied` commits it when
 * it has grown to `commitChanges`; `commit()` does at once.
 */
export class SqlRedisOperations implements RedisOperations {
  readonly #tables: StateTables;
  readonly #databases: StoredDatabase[];
  readonly #purges: Set<number>;
  readonly #commitChanges: number;
  #applied: AppliedState;
  #version: number;
  #durable: Readonly<AppliedState>;
  #changes = 0;
  #open = false;
  readonly #host: CollectionHost;
  /** The collections that are being edited, by database and key: each is one object. */
  #edited = new Map<string, Collection>();

  /** Takes over an open connection to state.db. */
  constructor(sql: SqlDatabase, options: { readonly commitChanges?: number } = {}) {
    this.#tables = new StateTables(sql);
    this.#databases = this.#tables.databases();
    this.#purges = new Set(this.#tables.purges());
    this.#commitChanges = options.commitChanges ?? 1000;
    const { applied, version } = this.#tables.applied();
    this.#applied = applied;
    this.#version = version;
    this.#durable = applied;
    this.#host = {
      elements: this.#tables.elements,
      changed: (collection, { kind }) => this.#elementsChanged(collection, kind),
    };
  }

  find(db: number, key: Bytes): KeyRecord | undefined {
    const row = this.#find(db, key);
    if (row === undefined) return undefined;
    return { ...row, encoding: row.details?.encoding, size: row.details?.size ?? 0 };
  }

  peek(db: number, key: Bytes): KeyRecord | undefined {
    return this.find(db, key);
  }

  /** Uses are not kept. */
  idleSeconds(): number {
    return 0;
  }

  getBinary(db: number, key: Bytes): Bytes | undefined {
    const record = this.#find(db, key);
    return record?.type === "string" ? record.value : undefined;
  }

  set(
    db: number,
    key: Bytes,
    value: Bytes,
    expireAtMs: number,
    encoding?: StringEncoding,
  ): void {
    const details = stringDetails(encoding);
    this.#put(db, key, { type: "string", value, expireAtMs, details });
  }

  mset(db: number, pairs: readonly (readonly [Bytes, Bytes])[]): void {
    for (const [key, value] of pairs) this.set(db, key, value, NO_EXPIRY);
  }

  del(db: number, key: Bytes): boolean {
    const stored = this.#tables.findId(this.#databases[db].slot, key);
    if (stored === undefined) return false;
    this.#remove(db, stored);
    this.#forget(db, key, stored);
    return true;
  }

  setExpiry(db: number, key: Bytes, expireAtMs: number): boolean {
    const row = this.#find(db, key);
    if (row === undefined) return false;
    this.#put(db, key, { ...row, expireAtMs });
    return true;
  }

  rename(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const row = this.#find(db, key);
    if (row === undefined || (db === toDb && key === toKey)) return row !== undefined;
    if (row.type !== "string" && db !== toDb) {
      this.copy(db, key, toDb, toKey);
      return this.del(db, key);
    }
    this.#remove(db, this.#tables.findId(this.#databases[db].slot, key) as StoredId);
    this.#edited.delete(`${db} ${key}`);
    this.del(toDb, toKey);
    this.#put(toDb, toKey, row);
    return true;
  }

  copy(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const row = this.#find(db, key);
    if (row === undefined || (db === toDb && key === toKey)) return row !== undefined;
    if (row.type === "string") {
      this.del(toDb, toKey);
      this.#put(toDb, toKey, row);
      return true;
    }
    const type = row.type as CollectionType;
    const source = this.collection(db, key, type) as unknown as Collection;
    this.del(toDb, toKey);
    source.copyTo(this.edit(toDb, toKey, type) as unknown as Collection);
    if (row.expireAtMs !== NO_EXPIRY) this.setExpiry(toDb, toKey, row.expireAtMs);
    return true;
  }

  collection<T extends CollectionType>(
    db: number,
    key: Bytes,
    type: T,
  ): Collections[T] | undefined {
    const row = this.#find(db, key);
    if (row?.type !== type || row.details === undefined) return undefined;
    const edited = this.#edited.get(`${db} ${key}`);
    if (edited !== undefined) return edited as unknown as Collections[T];
    const { owner, encoding, size, nextExpiryMs } = row.details;
    const collection = makeCollection(this.#host, type);
    collection.place = { db, key };
    collection.unload(owner, encoding, size, nextExpiryMs).load();
    return collection as unknown as Collections[T];
  }

  edit<T extends CollectionType>(db: number, key: Bytes, type: T): Collections[T] {
    let collection = this.collection(db, key, type) as Collection | undefined;
    if (collection === undefined) {
      assert(this.#find(db, key) === undefined, "a key to edit has that type");
      collection = makeCollection(this.#host, type);
      collection.place = { db, key };
    }
    this.#edited.set(`${db} ${key}`, collection);
    return collection as unknown as Collections[T];
  }

  #elementsChanged(collection: Collection, kind: TouchKind): void {
    assert(collection.place !== undefined, "a collection has a place");
    const { db, key } = collection.place;
    const { type } = collection;
    const row = collection.owner === 0 ? undefined : this.#find(db, key);
    if (row === undefined) collection.owner = ++this.#version;
    if (collection.isGone) {
      this.del(db, key);
      collection.release();
      this.#edited.set(`${db} ${key}`, collection);
      return;
    }
    const details = detailsOf(collection);
    const expireAtMs = row === undefined ? NO_EXPIRY : row.expireAtMs;
    const version = isAside(kind) ? row?.version : undefined;
    this.#put(db, key, { type, value: "", expireAtMs, details }, version);
    const { elements } = this.#tables;
    // Each command is written by itself: what it trims is not what it writes.
    const { changes, trimmed } = collection.takeChanges();
    for (const [at, rows] of changes.entries()) {
      for (const row of rows.values()) elements.write(TABLES_OF[type][at], collection.owner, row);
    }
    if (trimmed === undefined) return;
    elements.trim(TABLES_OF[type][trimmed.table], collection.owner, trimmed.upTo, trimmed.rows);
  }

  size(db: number): number {
    return this.#databases[db].keys;
  }

  sizeWithExpiry(db: number): number {
    return this.#databases[db].expiring;
  }

  *keys(db: number): Iterable<Bytes> {
    const { slot, lastId } = this.#databases[db];
    let after = 0;
    for (;;) {
      const page = this.#tables.page(slot, after, lastId, KEYS_PER_PAGE);
      for (const { key } of page) yield key;
      if (page.length < KEYS_PER_PAGE) return;
      after = page[page.length - 1].id;
    }
  }

  scan(db: number, cursor: number, count: number): ScanPage {
    const { slot, lastId } = this.#databases[db];
    const page = this.#tables.page(slot, cursor, lastId, count);
    const end = page.length < count;
    return { cursor: end ? 0 : page[page.length - 1].id, keys: page.map(({ key }) => key) };
  }

  randomKey(db: number, random: number): Bytes | undefined {
    return randomKeyByScan(this, db, random, this.#databases[db].lastId);
  }

  flush(db: number): void {
    this.#begin();
    const old = this.#databases[db].slot;
    this.#tables.addPurge(old);
    this.#purges.add(old);
    const used = new Set([...this.#purges, ...this.#databases.map(({ slot }) => slot)]);
    this.#databases[db] = { slot: freeSlot(used), keys: 0, expiring: 0, due: 0, lastId: 0 };
    this.#edited.clear();
  }

  swap(dbA: number, dbB: number): void {
    this.#begin();
    const a = this.#databases[dbA];
    this.#databases[dbA] = this.#databases[dbB];
    this.#databases[dbB] = a;
    this.#edited.clear();
  }

  nextExpiryMs(): number {
    let next = NO_EXPIRY;
    for (const { slot, due } of this.#databases) {
      if (due === 0) continue;
      next = Math.min(next, this.#tables.expiries(slot, -Infinity, 0, 1)[0].dueAtMs);
    }
    return next;
  }

  expired(timeMs: number, limit: number): readonly KeyName[] {
    const due: { db: number; key: Bytes; id: number; dueAtMs: number }[] = [];
    for (const [db, { slot, due: count }] of this.#databases.entries()) {
      if (count === 0) continue;
      for (const { dueAtMs, id, key } of this.#tables.expiries(slot, -Infinity, 0, limit)) {
        if (dueAtMs <= timeMs) due.push({ db, key, id, dueAtMs });
      }
    }
    due.sort((a, b) => a.dueAtMs - b.dueAtMs || a.db - b.db || a.id - b.id);
    return due.slice(0, limit).map(({ db, key }) => ({ db, key }));
  }

  get applied(): Readonly<AppliedState> {
    return this.#applied;
  }

  setApplied(state: Readonly<AppliedState>): void {
    this.#applied = { ...state };
    this.#edited.clear();
    this.#begin();
    if (this.#changes >= this.#commitChanges) this.commit();
  }

  get durable(): Readonly<AppliedState> {
    return this.#durable;
  }

  /** Makes all changes durable, up to the last `setApplied`, which must be the last call. */
  commit(): void {
    if (!this.#open) return;
    for (const [db, row] of this.#databases.entries()) this.#tables.setDatabase(db, row);
    this.#tables.setApplied(this.#applied, this.#version);
    for (const slot of this.#purges) {
      if (this.#tables.purge(slot, PURGED_PER_COMMIT)) this.#purges.delete(slot);
      else break;
    }
    this.#tables.purgeOwners(PURGED_PER_COMMIT);
    this.#tables.sql.exec("COMMIT");
    this.#open = false;
    this.#changes = 0;
    this.#durable = this.#applied;
  }

  /** Commits and closes the connection. */
  close(): void {
    this.commit();
    this.#tables.sql.close();
  }

  #begin(): void {
    this.#changes += 1;
    if (this.#open) return;
    this.#tables.sql.exec("BEGIN IMMEDIATE");
    this.#open = true;
  }

  #find(db: number, key: Bytes): StoredKey | undefined {
    return this.#tables.find(this.#databases[db].slot, key);
  }

  /** Deletes a row, and nothing of its elements. */
  #remove(db: number, { id, expireAtMs, dueAtMs }: StoredId): void {
    this.#begin();
    const database = this.#databases[db];
    this.#tables.delete(database.slot, id);
    database.keys -= 1;
    if (expireAtMs !== NO_EXPIRY) database.expiring -= 1;
    if (dueAtMs !== NO_EXPIRY) database.due -= 1;
  }

  /** The elements of a key that is gone are garbage. */
  #forget(db: number, key: Bytes, { type, owner }: StoredId): void {
    if (owner !== 0) this.#tables.addOwnerPurge(type, owner);
    this.#edited.delete(`${db} ${key}`);
  }

  /** `version`: it stays, unless it is undefined. */
  #put(db: number, key: Bytes, change: Change, version?: number): void {
    this.#begin();
    const database = this.#databases[db];
    const old = this.#tables.findId(database.slot, key);
    const { type, value, expireAtMs, details } = change;
    const id = old?.id ?? ++database.lastId;
    const kept = version ?? ++this.#version;
    const row = { id, key, type, value, expireAtMs, details, version: kept };
    if (old === undefined) {
      this.#tables.insert(database.slot, row);
      database.keys += 1;
    } else {
      this.#tables.update(database.slot, row);
      if (old.owner !== (details?.owner ?? 0)) this.#forget(db, key, old);
      if (old.expireAtMs !== NO_EXPIRY) database.expiring -= 1;
      if (old.dueAtMs !== NO_EXPIRY) database.due -= 1;
    }
    if (expireAtMs !== NO_EXPIRY) database.expiring += 1;
    if (dueAtMsOf(row) !== NO_EXPIRY) database.due += 1;
  }
}
