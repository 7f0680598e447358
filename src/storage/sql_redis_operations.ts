import type { Bytes } from "../base/bytes.ts";
import {
  type AppliedState,
  type KeyName,
  type KeyRecord,
  NO_EXPIRY,
  type RedisOperations,
  type ScanPage,
} from "./redis_operations.ts";
import { randomKeyByScan } from "./random_key.ts";
import { freeSlot, StateTables, type StoredDatabase, type StoredKey } from "./state_tables.ts";
import type { SqlDatabase } from "./sqlite_types.ts";

const KEYS_PER_PAGE = 256;
const PURGED_PER_COMMIT = 1024;

/**
 * RedisOperations where each call is SQL on state.db: the reference for the cached one.
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
  }

  find(db: number, key: Bytes): KeyRecord | undefined {
    return this.#find(db, key);
  }

  peek(db: number, key: Bytes): KeyRecord | undefined {
    return this.#find(db, key);
  }

  /** Uses are not kept. */
  idleSeconds(): number {
    return 0;
  }

  getBinary(db: number, key: Bytes): Bytes | undefined {
    const record = this.#find(db, key);
    return record?.type === "string" ? record.value : undefined;
  }

  set(db: number, key: Bytes, value: Bytes, expireAtMs: number): void {
    this.#put(db, key, { type: "string", value, expireAtMs });
  }

  mset(db: number, pairs: readonly (readonly [Bytes, Bytes])[]): void {
    for (const [key, value] of pairs) this.set(db, key, value, NO_EXPIRY);
  }

  del(db: number, key: Bytes): boolean {
    const { slot } = this.#databases[db];
    const stored = this.#tables.findId(slot, key);
    if (stored === undefined) return false;
    this.#begin();
    this.#tables.delete(slot, stored.id);
    this.#databases[db].keys -= 1;
    if (stored.expireAtMs !== NO_EXPIRY) this.#databases[db].expiring -= 1;
    return true;
  }

  setExpiry(db: number, key: Bytes, expireAtMs: number): boolean {
    const record = this.#find(db, key);
    if (record === undefined) return false;
    this.#put(db, key, { type: record.type, value: record.value, expireAtMs });
    return true;
  }

  rename(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const record = this.#find(db, key);
    if (record === undefined || (db === toDb && key === toKey)) return record !== undefined;
    this.del(db, key);
    this.del(toDb, toKey);
    this.#put(toDb, toKey, record);
    return true;
  }

  copy(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const record = this.#find(db, key);
    if (record === undefined || (db === toDb && key === toKey)) return record !== undefined;
    this.del(toDb, toKey);
    this.#put(toDb, toKey, record);
    return true;
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
    this.#databases[db] = { slot: freeSlot(used), keys: 0, expiring: 0, lastId: 0 };
  }

  swap(dbA: number, dbB: number): void {
    this.#begin();
    const a = this.#databases[dbA];
    this.#databases[dbA] = this.#databases[dbB];
    this.#databases[dbB] = a;
  }

  nextExpiryMs(): number {
    let next = NO_EXPIRY;
    for (const { slot, expiring } of this.#databases) {
      if (expiring === 0) continue;
      next = Math.min(next, this.#tables.expiries(slot, -Infinity, 0, 1)[0].expireAtMs);
    }
    return next;
  }

  expired(timeMs: number, limit: number): readonly KeyName[] {
    const due: { db: number; key: Bytes; id: number; expireAtMs: number }[] = [];
    for (const [db, { slot, expiring }] of this.#databases.entries()) {
      if (expiring === 0) continue;
      for (const { expireAtMs, id, key } of this.#tables.expiries(slot, -Infinity, 0, limit)) {
        if (expireAtMs <= timeMs) due.push({ db, key, id, expireAtMs });
      }
    }
    due.sort((a, b) => a.expireAtMs - b.expireAtMs || a.db - b.db || a.id - b.id);
    return due.slice(0, limit).map(({ db, key }) => ({ db, key }));
  }

  get applied(): Readonly<AppliedState> {
    return this.#applied;
  }

  setApplied(state: Readonly<AppliedState>): void {
    this.#applied = { ...state };
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

  #put(db: number, key: Bytes, change: Pick<StoredKey, "type" | "value" | "expireAtMs">): void {
    this.#begin();
    const database = this.#databases[db];
    const old = this.#tables.findId(database.slot, key);
    const { type, value, expireAtMs } = change;
    const id = old?.id ?? ++database.lastId;
    const row = { id, key, type, value, expireAtMs, version: ++this.#version };
    if (old === undefined) {
      this.#tables.insert(database.slot, row);
      database.keys += 1;
    } else {
      this.#tables.update(database.slot, row);
      if (old.expireAtMs !== NO_EXPIRY) database.expiring -= 1;
    }
    if (expireAtMs !== NO_EXPIRY) database.expiring += 1;
  }
}
