import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import {
  type AppliedState,
  type KeyType,
  NO_EXPIRY,
  type OriginState,
} from "./redis_operations.ts";
import { prepareSchema, SLOT_COUNT, SLOT_STRIDE } from "./schema.ts";
import { bytesFor } from "./recorded_database.ts";
import { bytesFromSql, bytesToSql } from "./sql_bytes.ts";
import { type CollectionType, TABLES_OF } from "./collections.ts";
import { ElementTables } from "./element_tables.ts";
import { timeFromSql, timeToSql } from "./sql_time.ts";
import type { SqlDatabase, SqlRow } from "./sqlite_types.ts";

/** What is stored of a key beside the value of a string. */
export interface StoredDetails {
  /** "raw" for a string that came about otherwise than by SET; a collection's. */
  readonly encoding: Bytes;
  /** Of a collection: its name in the tables of elements, 0 for a string. */
  readonly owner: number;
  /** Number of elements, and the earliest expiry of one. */
  readonly size: number;
  readonly nextExpiryMs: number;
}

/** A row of `keys`. `id` counts within the slot: SCAN's cursor, not the row id. */
export interface StoredKey {
  readonly id: number;
  readonly key: Bytes;
  readonly type: KeyType;
  readonly version: number;
  readonly expireAtMs: number;
  readonly value: Bytes;
  /** Undefined for most strings. */
  readonly details: StoredDetails | undefined;
}

/** What a change needs to know of the row that it overwrites. */
export interface StoredId {
  readonly id: number;
  readonly expireAtMs: number;
  readonly dueAtMs: number;
  readonly type: KeyType;
  /** 0 for a string. */
  readonly owner: number;
}

/** When a key or an element of it expires. */
export function dueAtMsOf(
  { expireAtMs, details }: Pick<StoredKey, "expireAtMs" | "details">,
): number {
  return details === undefined ? expireAtMs : Math.min(expireAtMs, details.nextExpiryMs);
}

/** A row of `database`. */
export interface StoredDatabase {
  slot: number;
  /** Number of keys, of those that expire, and of those that are due some time. */
  keys: number;
  expiring: number;
  due: number;
  /** The id last given to a key of this slot. */
  lastId: number;
}

/** Where a key stands in the order of expiry: by its own, or an element's if that is earlier. */
export interface StoredExpiry {
  readonly dueAtMs: number;
  readonly id: number;
  readonly key: Bytes;
}

/** The file is cut when a quarter of it, and at least 4 MiB, is free; until an eighth is. */
const FREE_PAGES_MIN = 1024;

const COLUMNS =
  "id, key, type, version, CAST(expire_at_ms AS REAL) AS expire_at_ms, value, owner, details";

/** The statements of state.db: all SQL on its data, none of its policy. Opens no transaction. */
export class StateTables {
  readonly sql: SqlDatabase;
  readonly elements: ElementTables;
  readonly #find;
  readonly #findId;
  readonly #insert;
  readonly #update;
  /** The same of a string without expiry: by far the most frequent, with few parameters. */
  readonly #updatePlain;
  readonly #delete;
  readonly #page;
  readonly #expiriesAt;
  readonly #expiriesAfter;
  readonly #setDatabase;
  readonly #setApplied;
  readonly #addPurge;
  readonly #dropPurge;
  readonly #purge;
  readonly #purgeOwners;
  readonly #addOwnerPurge;
  readonly #nextOwnerPurge;
  readonly #dropOwnerPurge;
  readonly #freePages;
  readonly #pages;

  /** Takes over an open connection, and makes or checks its tables. */
  constructor(sql: SqlDatabase, isReadOnly = false) {
    prepareSchema(sql, isReadOnly);
    this.sql = sql;
    this.elements = new ElementTables(sql);
    this.#find = sql.prepare(`SELECT ${COLUMNS} FROM keys WHERE slot = ? AND key = ?`);
    this.#findId = sql.prepare(
      "SELECT id, type, owner, CAST(expire_at_ms AS REAL) AS expire_at_ms, " +
        "CAST(due_at_ms AS REAL) AS due_at_ms FROM keys WHERE slot = ? AND key = ?",
    );
    this.#insert = sql.prepare("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#update = sql.prepare(
      "UPDATE keys SET type = ?, version = ?, expire_at_ms = ?, value = ?, due_at_ms = ?, " +
        "owner = ?, details = ? WHERE id = ?",
    );
    this.#updatePlain = sql.prepare(
      "UPDATE keys SET type = 'string', version = ?, expire_at_ms = NULL, value = ?, " +
        "due_at_ms = NULL, owner = NULL, details = NULL WHERE id = ?",
    );
    this.#delete = sql.prepare("DELETE FROM keys WHERE id = ?");
    this.#page = sql.prepare(
      "SELECT id, key FROM keys WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
    );
    // In two, so that both walk the index.
    // `(due_at_ms, id) > (?, ?)` would pass over all keys of one time for each portion of them.
    const expiry = "SELECT id, key, CAST(due_at_ms AS REAL) AS due FROM keys ";
    this.#expiriesAt = sql.prepare(
      expiry + "WHERE slot = ? AND due_at_ms = ? AND id > ? ORDER BY id LIMIT ?",
    );
    this.#expiriesAfter = sql.prepare(
      expiry + "WHERE slot = ? AND due_at_ms > ? ORDER BY due_at_ms, id LIMIT ?",
    );
    this.#setDatabase = sql.prepare(
      "UPDATE database SET slot = ?, keys = ?, expiring = ?, due = ?, last_id = ? WHERE db = ?",
    );
    this.#setApplied = sql.prepare(
      "UPDATE applied SET log_index = ?, log_term = ?, log_time_ms = ?, digest = ?, version = ?, " +
        "origins = ?, configuration = ?",
    );
    this.#addPurge = sql.prepare("INSERT OR IGNORE INTO purge VALUES (?)");
    this.#dropPurge = sql.prepare("DELETE FROM purge WHERE slot = ?");
    this.#freePages = sql.prepare("PRAGMA freelist_count");
    this.#pages = sql.prepare("PRAGMA page_count");
    const first = "FROM keys WHERE id >= ? AND id < ? ORDER BY id LIMIT ?";
    this.#purge = sql.prepare(`DELETE FROM keys WHERE id IN (SELECT id ${first})`);
    this.#purgeOwners = sql.prepare(
      "INSERT OR IGNORE INTO purge_owner SELECT owner, type FROM keys " +
        `WHERE owner IS NOT NULL AND id IN (SELECT id ${first})`,
    );
    this.#addOwnerPurge = sql.prepare("INSERT OR IGNORE INTO purge_owner VALUES (?, ?)");
    this.#nextOwnerPurge = sql.prepare("SELECT owner, type FROM purge_owner LIMIT 1");
    this.#dropOwnerPurge = sql.prepare("DELETE FROM purge_owner WHERE owner = ?");
  }

  find(slot: number, key: Bytes): StoredKey | undefined {
    const row = this.#find.get(slot, bytesToSql(key));
    if (row === undefined) return undefined;
    return {
      id: Number(row.id) - slot * SLOT_STRIDE,
      key,
      type: row.type as KeyType,
      version: Number(row.version),
      expireAtMs: timeFromSql(row.expire_at_ms),
      value: bytesFromSql(row.value),
      details: row.details === null ? undefined : detailsOf(row),
    };
  }

  /** The row of a key without its value. */
  findId(slot: number, key: Bytes): StoredId | undefined {
    const row = this.#findId.get(slot, bytesToSql(key));
    if (row === undefined) return undefined;
    return {
      id: Number(row.id) - slot * SLOT_STRIDE,
      expireAtMs: timeFromSql(row.expire_at_ms),
      dueAtMs: timeFromSql(row.due_at_ms),
      type: row.type as KeyType,
      owner: Number(row.owner),
    };
  }

  insert(slot: number, row: StoredKey): void {
    assert(row.id > 0 && row.id < SLOT_STRIDE, "ids of a slot stay within its range");
    this.#insert.run(
      slot * SLOT_STRIDE + row.id,
      slot,
      bytesToSql(row.key),
      row.type,
      row.version,
      timeToSql(row.expireAtMs),
      bytesFor(this.sql, row.value),
      timeToSql(dueAtMsOf(row)),
      row.details === undefined || row.details.owner === 0 ? null : row.details.owner,
      detailsToSql(row.details),
    );
  }

  /** Overwrites the row with this id; the key's name does not change. */
  update(slot: number, row: StoredKey): void {
    const id = slot * SLOT_STRIDE + row.id;
    if (row.type === "string" && row.expireAtMs === NO_EXPIRY && row.details === undefined) {
      const changed = this.#updatePlain.run(row.version, bytesFor(this.sql, row.value), id);
      return assert(changed === 1, "the row to update exists");
    }
    const changed = this.#update.run(
      row.type,
      row.version,
      timeToSql(row.expireAtMs),
      bytesFor(this.sql, row.value),
      timeToSql(dueAtMsOf(row)),
      row.details === undefined || row.details.owner === 0 ? null : row.details.owner,
      detailsToSql(row.details),
      id,
    );
    assert(changed === 1, "the row to update exists");
  }

  delete(slot: number, id: number): void {
    const changed = this.#delete.run(slot * SLOT_STRIDE + id);
    assert(changed === 1, "the row to delete exists");
  }

  /** Up to `limit` keys with after < id <= `last`, ascending. */
  page(slot: number, after: number, last: number, limit: number): { id: number; key: Bytes }[] {
    const base = slot * SLOT_STRIDE;
    return this.#page.all(base + after, base + last + 1, limit).map((row) => ({
      id: Number(row.id) - base,
      key: bytesFromSql(row.key),
    }));
  }

  /** Up to `limit` keys that expire, earliest first, behind a position (time, id). */
  expiries(slot: number, afterMs: number, afterId: number, limit: number): StoredExpiry[] {
    const base = slot * SLOT_STRIDE;
    const rows = this.#expiriesAt.all(slot, afterMs, base + afterId, limit);
    if (rows.length < limit) {
      rows.push(...this.#expiriesAfter.all(slot, afterMs, limit - rows.length));
    }
    return rows.map((row) => ({
      dueAtMs: timeFromSql(row.due),
      id: Number(row.id) - base,
      key: bytesFromSql(row.key),
    }));
  }

  /** The databases, by number. */
  databases(): StoredDatabase[] {
    return this.sql.prepare("SELECT * FROM database ORDER BY db").all().map((row) => ({
      slot: Number(row.slot),
      keys: Number(row.keys),
      expiring: Number(row.expiring),
      due: Number(row.due),
      lastId: Number(row.last_id),
    }));
  }

  setDatabase(db: number, row: Readonly<StoredDatabase>): void {
    this.#setDatabase.run(row.slot, row.keys, row.expiring, row.due, row.lastId, db);
  }

  /** What has been applied, and the version last given to a change. */
  applied(): { applied: AppliedState; version: number } {
    const row = this.sql.prepare("SELECT * FROM applied").get();
    assert(row !== undefined, "the applied state has a row");
    const applied = {
      index: Number(row.log_index),
      term: Number(row.log_term),
      logTimeMs: Number(row.log_time_ms),
      digest: Number(row.digest),
      origins: JSON.parse(String(row.origins)) as OriginState[],
      configuration: fromUint8Array(row.configuration as Uint8Array),
    };
    return { applied, version: Number(row.version) };
  }

  setApplied(state: Readonly<AppliedState>, version: number): void {
    const { index, term, logTimeMs, digest, origins, configuration } = state;
    const members = toBuffer(configuration);
    this.#setApplied.run(index, term, logTimeMs, digest, version, JSON.stringify(origins), members);
  }

  /** Slots whose rows are garbage. */
  purges(): number[] {
    return this.sql.prepare("SELECT slot FROM purge").all().map((row) => Number(row.slot));
  }

  addPurge(slot: number): void {
    this.#addPurge.run(slot);
  }

  /** Deletes up to `limit` rows of a slot to purge; true when none is left and it is free again. */
  purge(slot: number, limit: number): boolean {
    const base = slot * SLOT_STRIDE;
    this.#purgeOwners.run(base, base + SLOT_STRIDE, limit);
    if (this.#purge.run(base, base + SLOT_STRIDE, limit) === limit) return false;
    this.#dropPurge.run(slot);
    return true;
  }

  /** Makes the elements of an owner garbage. */
  addOwnerPurge(type: KeyType, owner: number): void {
    this.#addOwnerPurge.run(owner, type);
  }

  /** Whether elements of deleted collections wait to be deleted. */
  get hasOwnerPurges(): boolean {
    return this.#nextOwnerPurge.get() !== undefined;
  }

  /** Deletes up to `limit` elements of deleted collections; true when none is left. */
  purgeOwners(limit: number): boolean {
    const row = this.#nextOwnerPurge.get();
    if (row === undefined) return true;
    const owner = Number(row.owner);
    for (const table of TABLES_OF[row.type as CollectionType]) {
      if (!this.elements.purge(table, owner, limit)) return false;
    }
    this.#dropOwnerPurge.run(owner);
    return false;
  }

  /** Whether so much of the file is free that it is worth cutting. */
  get isSparse(): boolean {
    const free = Number(this.#freePages.get()?.freelist_count);
    return free >= FREE_PAGES_MIN && free > Number(this.#pages.get()?.page_count) / 4;
  }

  /** Cuts some free pages off the file; true when it is dense enough. */
  shrink(): boolean {
    // Not prepared: better-sqlite3 takes it for a statement without rows, the others for one with.
    this.sql.exec("PRAGMA incremental_vacuum(32)");
    const free = Number(this.#freePages.get()?.freelist_count);
    return free < FREE_PAGES_MIN || free < Number(this.#pages.get()?.page_count) / 8;
  }
}

/** What a state.db, say a copy of one, has applied. Throws when it is not one. */
export function readAppliedState(sql: SqlDatabase): AppliedState {
  return new StateTables(sql, true).applied().applied;
}

/** The lowest slot number that is not in use. Throws when there is none. */
export function freeSlot(used: ReadonlySet<number>): number {
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (!used.has(slot)) return slot;
  }
  throw new Error("Cannot flush a database: too many flushed ones wait to be purged");
}

/** The column `details`, as JSON; the owner has a column of its own. */
function detailsToSql(details: StoredDetails | undefined): string | null {
  if (details === undefined) return null;
  const { encoding, owner, size, nextExpiryMs } = details;
  if (owner === 0) return JSON.stringify({ encoding });
  const elements_due_ms = timeToSql(nextExpiryMs) ?? undefined;
  return JSON.stringify({ encoding, size, elements_due_ms });
}

function detailsOf(row: SqlRow): StoredDetails {
  const { encoding, size, elements_due_ms } = JSON.parse(String(row.details));
  return {
    encoding,
    owner: Number(row.owner),
    size: size ?? 0,
    nextExpiryMs: elements_due_ms ?? NO_EXPIRY,
  };
}
