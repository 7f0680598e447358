import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { CachedKey, type CollectionDetails, detailsOf } from "./cached_key.ts";
import type { Collection } from "./collection.ts";
import type { CollectionType } from "./collections.ts";
import { ExpiryHeap } from "./expiry_heap.ts";
import { ExpiryWindow } from "./expiry_window.ts";
import { KeyMap } from "./key_map.ts";
import { type KeyType, NO_EXPIRY } from "./redis_operations.ts";
import type { StateTables, StoredDatabase, StoredDetails, StoredId } from "./state_tables.ts";

/** A collection that was deleted, with elements in SQL. */
export interface OwnerPurge {
  readonly type: KeyType;
  readonly owner: number;
}

/** As Redis has it (LAZYFREE_THRESHOLD): more are worth to be freed later. */
const LAZY_ELEMENTS_MIN = 64;

/** What all keyspaces of a node count together. Bytes are those of CachedKey. */
export class Ledger {
  /** The generation that changes now belong to. */
  generation = 1;
  /** Records of generations before this one are clean: SQL has them, durably. */
  cleanBelow = 1;
  /** Of all records, clean or not. */
  heldBytes = 0;
  /** Of records and elements changed since the last freeze, and how many. */
  dirtyBytes = 0;
  dirtyCount = 0;
  /** Owners whose elements are garbage since then. */
  purges: OwnerPurge[] = [];
  /** Of the records that a flush is writing. */
  frozenBytes = 0;
  /** Keys that were looked for, and those for which memory had no answer. */
  lookups = 0;
  misses = 0;
  /** Collections of more than LAZY_ELEMENTS_MIN elements that were let go of. */
  freedObjects = 0;

  /** Seconds of a monotonic clock, from 1: what the use of a record is dated by. */
  nowS = 1;
  /** Of the hash tables of names. */
  readonly hashSeed: number;

  constructor(hashSeed: number) {
    this.hashSeed = hashSeed;
  }

  get isFlushing(): boolean {
    return this.generation > this.cleanBelow;
  }
}

/** In a dirty list: a key that was created and deleted between two flushes. */
const NOTHING = new CachedKey("", "string", "", NO_EXPIRY, 0, undefined, 0, 0, 0);

/**
 * The keys of one slot: records in memory above rows in SQL.
 *
 * The map answers first. It has a record for each key that SQL does not have, or not so: a change
 * stays in it until the transaction that wrote it is committed. So a read never needs to know
 * whether a flush is running. A key not in the map is as SQL says.
 */
export class Keyspace {
  readonly slot: number;
  readonly records: KeyMap;
  /** Counts, of memory and SQL together. */
  keys: number;
  expiring: number;
  /** Keys that are due some time: by their own expiry or an element's. */
  due: number;
  lastId: number;
  /** Whether SQL may have rows of this slot, or will when the running flush commits. */
  hasRows: boolean;
  /** Flushed by FLUSHDB: no database names it any more. */
  isDead = false;
  /** The records changed since the last freeze, each key once. */
  dirty: CachedKey[] = [];
  dirtyBytes = 0;
  /** Elements changed since then. */
  dirtyElements = 0;
  heldBytes = 0;
  readonly #tables: StateTables;
  readonly #ledger: Ledger;
  readonly #make: (type: CollectionType) => Collection;
  /** Records of keys that exist; equal to `keys` when no lookup needs SQL. */
  #resident = 0;
  /** Names of the keys created after `#storedLastId`, one for each id. */
  #created: Bytes[] = [];
  /** Rows with ids up to this one are in SQL, durably; `#frozenLastId` is its next value. */
  #storedLastId: number;
  #frozenLastId: number;
  /** Expiries of the dirty records, and of those being flushed; `#window` has the rest. */
  #expiries = new ExpiryHeap<CachedKey>();
  #frozenExpiries = new ExpiryHeap<CachedKey>();
  readonly #window: ExpiryWindow;

  /** `make` gives an empty collection. */
  constructor(
    tables: StateTables,
    ledger: Ledger,
    row: Readonly<StoredDatabase>,
    make: (type: CollectionType) => Collection,
  ) {
    this.#make = make;
    this.#tables = tables;
    this.#ledger = ledger;
    this.records = new KeyMap(ledger.hashSeed);
    this.slot = row.slot;
    this.keys = row.keys;
    this.expiring = row.expiring;
    this.due = row.due;
    this.lastId = row.lastId;
    this.hasRows = row.lastId > 0;
    this.#storedLastId = row.lastId;
    this.#frozenLastId = row.lastId;
    this.#window = new ExpiryWindow(tables, row.slot, (key) => this.#isDirty(key));
    this.#window.reset(row.due === 0);
  }

  /** The row of `database` that belongs to it. */
  get row(): StoredDatabase {
    const { slot, keys, expiring, due, lastId } = this;
    return { slot, keys, expiring, due, lastId };
  }

  /** Leaves all its data behind: a database was flushed. */
  abandon(): void {
    const ledger = this.#ledger;
    ledger.heldBytes -= this.heldBytes;
    ledger.dirtyBytes -= this.dirtyBytes;
    ledger.dirtyCount -= this.dirty.length + this.dirtyElements;
    this.isDead = true;
  }

  find(key: Bytes): CachedKey | undefined {
    this.#ledger.lookups++;
    const record = this.records.get(key);
    if (record !== undefined) {
      record.usedAtS = this.#ledger.nowS;
      return record.id === 0 ? undefined : record;
    }
    return this.#resident === this.keys ? undefined : this.#load(key);
  }

  /** `find` that is no use of the key. */
  peek(key: Bytes): CachedKey | undefined {
    const record = this.records.get(key);
    return record === undefined || record.id === 0 ? this.find(key) : record;
  }

  /**
   * Stores a key; one that exists keeps its id, so its place in `page`. A collection that it held
   * and that `details` do not name is given up.
   */
  put(
    key: Bytes,
    type: KeyType,
    value: Bytes,
    expireAtMs: number,
    version: number,
    details?: StoredDetails,
  ): void {
    const old = this.records.get(key);
    let id = old === undefined ? 0 : old.id;
    let rowId = old === undefined ? 0 : old.rowId;
    if (old !== undefined) {
      if (id !== 0) this.#uncount(old.expireAtMs, old.dueAtMs);
      if (old.details !== undefined && old.details !== details) this.#giveUp(old, details);
    } else if (this.#resident !== this.keys) {
      const row = this.#tables.findId(this.slot, key);
      if (row !== undefined) {
        id = rowId = row.id;
        this.#resident += 1;
        this.#uncount(row.expireAtMs, row.dueAtMs);
        this.#purgeElements(row);
      }
    }
    const name = old === undefined ? key : old.key;
    if (id === 0) {
      id = ++this.lastId;
      this.#created.push(name);
      this.keys += 1;
      this.#resident += 1;
    }
    const { generation } = this.#ledger;
    const record = new CachedKey(
      name,
      type,
      value,
      expireAtMs,
      version,
      details,
      id,
      rowId,
      generation,
    );
    if (expireAtMs !== NO_EXPIRY) this.expiring += 1;
    if (record.dueAtMs !== NO_EXPIRY) this.due += 1;
    this.#replace(old, record);
    if (details !== undefined) this.#own(record);
  }

  /** Notes a change of a collection that a key has. */
  touch(record: CachedKey, version: number): void {
    const details = record.details as CollectionDetails;
    const { collection } = details;
    const isDueSame = collection.nextExpiryMs === details.nextExpiryMs;
    if (record.generation !== this.#ledger.generation || !isDueSame) {
      const { key, type, value, expireAtMs } = record;
      return this.put(key, type, value, expireAtMs, version, detailsOf(collection));
    }
    record.version = version;
    details.size = collection.elementCount;
    details.encoding = collection.encoding;
  }

  /** Deletes a key; false when it is absent. `keep`: its collection, in memory, lives on. */
  remove(key: Bytes, keep = false): boolean {
    const old = this.records.get(key);
    if (old === undefined) return this.#removeStored(key);
    if (old.id === 0) return false;
    this.keys -= 1;
    this.#resident -= 1;
    this.#uncount(old.expireAtMs, old.dueAtMs);
    const { collection } = old;
    if (collection !== undefined) {
      if (keep) this.#disown(collection);
      else this.#giveUp(old, undefined);
    }
    const { generation, isFlushing } = this.#ledger;
    if (old.generation === generation && old.rowId === 0 && !isFlushing) this.#forget(old);
    else this.#replace(old, absent(old.key, old.rowId, generation));
    return true;
  }

  /**
   * Up to `limit` keys with an id above `after`, ascending, and the id the next page starts
   * behind: 0 at the end. Looks at no more than `limit` places, so a page may have few keys.
   */
  page(after: number, limit: number): { cursor: number; keys: Bytes[] } {
    const keys: Bytes[] = [];
    let left = limit;
    if (after < this.#storedLastId) {
      const rows = this.#tables.page(this.slot, after, this.#storedLastId, limit);
      for (const { id, key } of rows) {
        const record = this.records.get(key);
        if (record === undefined || record.id === id) keys.push(key);
      }
      if (rows.length === limit) return { cursor: rows[limit - 1].id, keys };
      left -= rows.length;
      after = this.#storedLastId;
    }
    const last = Math.min(this.lastId, after + left);
    for (let id = after + 1; id <= last; id++) {
      const key = this.#created[id - this.#storedLastId - 1];
      if (this.records.get(key)?.id === id) keys.push(key);
    }
    return { cursor: last >= this.lastId ? 0 : last, keys };
  }

  /** The earliest expiry of a key or an element, or NO_EXPIRY. */
  nextExpiryMs(): number {
    if (this.due === 0) return NO_EXPIRY;
    const a = this.#expiries.top;
    const b = this.#frozenExpiries.top;
    const c = this.#window.top;
    const next = Math.min(
      a === undefined ? NO_EXPIRY : a.dueAtMs,
      b === undefined ? NO_EXPIRY : b.dueAtMs,
      c === undefined ? NO_EXPIRY : c.dueAtMs,
    );
    assert(next !== NO_EXPIRY, "a keyspace with keys that are due has an earliest one");
    return next;
  }

  /** Up to `limit` keys that are due at or before `timeMs`; unordered. */
  expired(timeMs: number, limit: number): { key: Bytes; id: number; dueAtMs: number }[] {
    if (this.due === 0) return [];
    return [
      ...this.#expiries.due(timeMs, limit),
      ...this.#frozenExpiries.due(timeMs, limit),
      ...this.#window.due(timeMs, limit),
    ];
  }

  /** Hands out the dirty records to be flushed; changes from now on are of a new generation. */
  freeze(): CachedKey[] {
    const frozen = this.dirty;
    this.dirty = [];
    this.dirtyBytes = 0;
    this.dirtyElements = 0;
    if (frozen.length > 0) this.hasRows = true;
    this.#frozenLastId = this.lastId;
    this.#frozenExpiries = this.#expiries;
    this.#expiries = new ExpiryHeap<CachedKey>();
    return frozen;
  }

  /** Notes that a frozen record is now durable as SQL has it. Once for each of them. */
  settle(record: CachedKey): void {
    if (record === NOTHING || this.isDead) return;
    record.rowId = record.id;
    if (record.superseded) {
      const newer = this.records.get(record.key);
      assert(newer !== undefined, "what supersedes a record being flushed is kept");
      newer.rowId = record.id;
    } else if (record.id === 0) {
      this.drop(record);
    }
  }

  /** Notes that `stored` rows that are due some time are in SQL, and not those it had before. */
  resetExpiries(stored: number): void {
    this.#window.reset(stored === 0);
  }

  /** Ends a flush, after all its records were settled. */
  settled(): void {
    this.#created = this.#created.slice(this.#frozenLastId - this.#storedLastId);
    this.#storedLastId = this.#frozenLastId;
    this.#frozenExpiries = new ExpiryHeap<CachedKey>();
  }

  /** Takes a clean record out of memory. */
  drop(record: CachedKey): void {
    this.records.delete(record.key);
    if (record.id !== 0) this.#resident -= 1;
    const { collection } = record;
    if (collection !== undefined) this.#disown(collection);
    this.hold(-record.bytes);
  }

  #load(key: Bytes): CachedKey | undefined {
    this.#ledger.misses++;
    const row = this.#tables.find(this.slot, key);
    const record = row === undefined ? absent(key, 0, 0) : new CachedKey(
      key,
      row.type,
      row.value,
      row.expireAtMs,
      row.version,
      row.details === undefined ? undefined : this.#stored(row.type, row.details),
      row.id,
      row.id,
      0,
    );
    record.usedAtS = this.#ledger.nowS;
    this.records.set(key, record);
    this.hold(record.bytes);
    if (row === undefined) return undefined;
    this.#resident += 1;
    if (row.details !== undefined) this.#own(record);
    return record;
  }

  #removeStored(key: Bytes): boolean {
    if (this.#resident === this.keys) return false;
    const row = this.#tables.findId(this.slot, key);
    if (row === undefined) return false;
    this.keys -= 1;
    this.#uncount(row.expireAtMs, row.dueAtMs);
    this.#purgeElements(row);
    this.#replace(undefined, absent(key, row.id, this.#ledger.generation));
    return true;
  }

  /** Puts a dirty record in the place of another. */
  #replace(old: CachedKey | undefined, record: CachedKey): void {
    const ledger = this.#ledger;
    record.usedAtS = ledger.nowS;
    let dirtyBytes = record.bytes;
    let heldBytes = dirtyBytes;
    if (old !== undefined) {
      heldBytes -= old.bytes;
      // The heap of a clean record is gone.
      if (old.heapIndex >= 0 && old.generation >= ledger.cleanBelow) this.#heapOf(old).remove(old);
    }
    if (old !== undefined && old.generation === ledger.generation) {
      dirtyBytes -= old.bytes;
      record.dirtyIndex = old.dirtyIndex;
      this.dirty[old.dirtyIndex] = record;
    } else {
      if (old !== undefined && old.generation >= ledger.cleanBelow) old.superseded = true;
      record.dirtyIndex = this.dirty.length;
      this.dirty.push(record);
      ledger.dirtyCount += 1;
    }
    this.#holdDirty(dirtyBytes);
    this.hold(heldBytes);
    if (record.id !== 0 && record.dueAtMs !== NO_EXPIRY) this.#expiries.push(record);
    this.records.set(record.key, record);
  }

  /** Drops a record that was never seen by a flush: as if the key had never been. */
  #forget(record: CachedKey): void {
    if (record.heapIndex >= 0) this.#expiries.remove(record);
    this.dirty[record.dirtyIndex] = NOTHING;
    this.#created[record.id - this.#storedLastId - 1] = "";
    this.records.delete(record.key);
    this.#holdDirty(-record.bytes);
    this.hold(-record.bytes);
  }

  #heapOf(record: CachedKey): ExpiryHeap<CachedKey> {
    return record.generation === this.#ledger.generation ? this.#expiries : this.#frozenExpiries;
  }

  /** Counts more memory, or less, for what the records hold. */
  hold(bytes: number): void {
    this.heldBytes += bytes;
    this.#ledger.heldBytes += bytes;
  }

  /** Counts changed elements of a collection: rows, and bytes to write. */
  changeElements(rows: number, bytes: number): void {
    this.dirtyElements += rows;
    this.#ledger.dirtyCount += rows;
    this.#holdDirty(bytes);
  }

  /** What SQL has of a collection, unread. */
  #stored(type: KeyType, details: StoredDetails): StoredDetails {
    if (type === "string") return details;
    const { owner, encoding, size, nextExpiryMs } = details;
    const collection = this.#make(type as CollectionType).unload(
      owner,
      encoding,
      size,
      nextExpiryMs,
    );
    return { ...details, collection } as CollectionDetails;
  }

  /** A key's collection, if it has one, belongs here now. */
  #own(record: CachedKey): void {
    const { collection } = record;
    if (collection === undefined) return;
    collection.record = record;
    if (collection.keyspace === this) return;
    collection.keyspace = this;
    this.hold(collection.bytes);
  }

  #disown(collection: Collection): void {
    collection.keyspace = undefined;
    collection.record = undefined;
    this.hold(-collection.bytes);
  }

  /** Lets go of the collection of a key that is deleted or overwritten, unless it is the same. */
  #giveUp(old: CachedKey, details: StoredDetails | undefined): void {
    const { collection } = old;
    if (collection === undefined) return;
    if (collection === (details as Partial<CollectionDetails> | undefined)?.collection) return;
    this.#disown(collection);
    if (collection.elementCount > LAZY_ELEMENTS_MIN) this.#ledger.freedObjects++;
    if (collection.hasRows) {
      this.#ledger.purges.push({ type: collection.type, owner: collection.owner });
    }
    collection.release();
  }

  /** Makes garbage of the elements of a key that is not in memory. */
  #purgeElements({ type, owner }: StoredId): void {
    if (owner !== 0) this.#ledger.purges.push({ type, owner });
  }

  #uncount(expireAtMs: number, dueAtMs: number): void {
    if (expireAtMs !== NO_EXPIRY) this.expiring -= 1;
    if (dueAtMs !== NO_EXPIRY) this.due -= 1;
  }

  #holdDirty(bytes: number): void {
    this.dirtyBytes += bytes;
    this.#ledger.dirtyBytes += bytes;
  }

  #isDirty(key: Bytes): boolean {
    const record = this.records.get(key);
    return record !== undefined && record.generation >= this.#ledger.cleanBelow;
  }
}

function absent(key: Bytes, rowId: number, generation: number): CachedKey {
  return new CachedKey(key, "string", "", NO_EXPIRY, 0, undefined, 0, rowId, generation);
}
