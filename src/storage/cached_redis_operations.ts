import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { CachedKey, detailsOf, stringDetails } from "./cached_key.ts";
import { type CachedRedisOperationsOptions, WORK_LIMITS } from "./cached_options.ts";
import { type Checkpointer, InlineCheckpointer } from "./checkpointer.ts";
import { ClockHand } from "./clock_hand.ts";
import type { Collection } from "./collection.ts";
import { CollectionStore } from "./collection_store.ts";
import type { Collections, CollectionType } from "./collections.ts";
import { FlushSchedule } from "./flush_schedule.ts";
import { Keyspace, Ledger } from "./keyspace.ts";
import {
  type AppliedState,
  type KeyName,
  type KeyRecord,
  NO_EXPIRY,
  type RedisOperations,
  type ScanPage,
  type StringEncoding,
} from "./redis_operations.ts";
import { FlushRetry } from "./flush_retry.ts";
import { randomKeyByScan } from "./random_key.ts";
import { RecordedDatabase } from "./recorded_database.ts";
import { StateFlusher } from "./state_flusher.ts";
import type { ChangeRecorder, TouchKind } from "./change_recorder.ts";
import { freeSlot, StateTables, type StoredDatabase } from "./state_tables.ts";
import type { SqlDatabase } from "./sqlite_types.ts";

const FLUSH_IDLE_MS = 50;
const FLUSH_AGE_MS = 4000;
const FLUSH_KEYS = 100_000;
/** Between looks whether a checkpoint has ended. */
const CHECKPOINT_WAIT_MS = 5;
/** Records the clock hand passes for one call that needs room. */
const EVICTION_STEPS = 32;
/** The same once for an entry in which collections changed. */
const EVICTION_STEPS_MANY = 1024;
/** Of the cache, in changes that are not durable. */
const BACKLOG_SHARE = 0.9;
/** What counts of it for a flush under way: few begin with more, and then little may come beside. */
const FLUSHING_SHARE_MAX = 0.6;
const KEYS_PER_PAGE = 256;

/**
 * RedisOperations that answers from memory and writes state.db behind: what the server runs on.
 *
 * The log is durable already, so changes may wait in memory. `flushStep`, called between turns of
 * the loop, writes them in large transactions together with the applied index; after a crash the
 * log is applied again from there. See README.md.
 */
export class CachedRedisOperations implements RedisOperations {
  #tables!: StateTables;
  #ledger!: Ledger;
  #flusher!: StateFlusher;
  #keyspaces!: Keyspace[];
  #collections!: CollectionStore;
  #checkpointer: Checkpointer;
  readonly #options: Required<Omit<CachedRedisOperationsOptions, "checkpointer" | "changes">>;
  readonly #changes: ChangeRecorder | undefined;
  #schedule!: FlushSchedule;
  /** Slots flushed since the last freeze that have rows. */
  #pendingPurges: number[] = [];
  #applied!: AppliedState;
  #version!: number;
  /** Changed since the last `setApplied`. */
  #isBetween = false;
  /** Changed, or applied further, since the last freeze. */
  #isChanged = false;
  /** What keeps the last write from state.db. */
  readonly retry = new FlushRetry();
  #hand = new ClockHand();
  /** A collection was handed out to be changed: nothing is evicted until the entry is applied. */
  #isEditing = false;
  #isReplacing = false;
  #isClosed = false;

  /** Takes over an open connection to state.db; it must be the only one that writes. */
  constructor(sql: SqlDatabase, options: CachedRedisOperationsOptions) {
    this.#options = {
      flushIdleMs: FLUSH_IDLE_MS,
      flushAgeMs: FLUSH_AGE_MS,
      flushKeys: FLUSH_KEYS,
      hashSeed: 0,
      ...WORK_LIMITS,
      sideTables: [],
      ...options,
    };
    this.#changes = options.changes;
    this.#checkpointer = options.checkpointer ?? new InlineCheckpointer(sql);
    this.#open(sql);
  }

  #open(connection: SqlDatabase): void {
    const writer = this.#checkpointer.flushWriter;
    const recorder = writer && new RecordedDatabase(connection);
    const sql = recorder ?? connection;
    const remote = writer && recorder && { writer, recorder };
    this.#tables = new StateTables(sql);
    this.#ledger = new Ledger(this.#options.hashSeed);
    const { applied, version } = this.#tables.applied();
    this.#applied = applied;
    this.#version = version;
    this.#schedule = new FlushSchedule(this.#options, applied.index);
    for (const table of this.#options.sideTables) table.load(sql, applied.index);
    this.#flusher = new StateFlusher(this.#tables, this.#ledger, applied, this.#options, remote);
    this.#isEditing = false;
    this.#collections = new CollectionStore({
      elements: this.#tables.elements,
      keyspaces: () => this.#keyspaces,
      wholeElementsMax: this.#options.wholeElementsMax,
      nextVersion: () => ++this.#version,
      changed: (kind, db, key) => this.#change(kind, db, key),
    });
    this.#keyspaces = this.#tables.databases().map((row) => this.#makeKeyspace(row));
  }

  #makeKeyspace(row: StoredDatabase): Keyspace {
    return new Keyspace(this.#tables, this.#ledger, row, (type) => this.#collections.make(type));
  }

  // --- one key -------------------------------------------------------------------------------

  find(db: number, key: Bytes): KeyRecord | undefined {
    const record = this.#keyspaces[db].find(key);
    if (this.#ledger.heldBytes > this.#options.cacheBytes) this.#evict(EVICTION_STEPS);
    return record;
  }

  peek(db: number, key: Bytes): KeyRecord | undefined {
    const record = this.#keyspaces[db].peek(key);
    if (this.#ledger.heldBytes > this.#options.cacheBytes) this.#evict(EVICTION_STEPS);
    return record;
  }

  /** Of a key that memory had dropped: since it was read again. */
  idleSeconds(db: number, key: Bytes): number {
    const record = this.#keyspaces[db].peek(key);
    return record === undefined ? 0 : this.#ledger.nowS - Math.abs(record.usedAtS);
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
    this.#change("set", db, key);
    const details = stringDetails(encoding);
    this.#keyspaces[db].put(key, "string", value, expireAtMs, ++this.#version, details);
    if (this.#ledger.heldBytes > this.#options.cacheBytes) this.#evict(EVICTION_STEPS);
  }

  prefetch(db: number, keys: readonly Bytes[], count: number): void {
    this.#keyspaces[db].records.prefetch(keys, count);
  }

  mset(db: number, pairs: readonly (readonly [Bytes, Bytes])[]): void {
    for (const [key, value] of pairs) this.set(db, key, value, NO_EXPIRY);
  }

  del(db: number, key: Bytes): boolean {
    const isRemoved = this.#keyspaces[db].remove(key);
    if (isRemoved) this.#change("del", db, key);
    return isRemoved;
  }

  setExpiry(db: number, key: Bytes, expireAtMs: number): boolean {
    const record = this.#keyspaces[db].find(key);
    if (record === undefined) return false;
    this.#put(db, key, record, expireAtMs);
    return true;
  }

  rename(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const record = this.#keyspaces[db].find(key);
    if (record === undefined || (db === toDb && key === toKey)) return record !== undefined;
    // Another slot's rows may be purged as a whole, so an owner stays in its slot.
    if (record.collection !== undefined && db !== toDb) {
      this.copy(db, key, toDb, toKey);
      return this.del(db, key);
    }
    this.#change("del", db, key);
    this.#keyspaces[db].remove(key, true);
    this.del(toDb, toKey);
    this.#put(toDb, toKey, record, record.expireAtMs);
    return true;
  }

  copy(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean {
    const record = this.#keyspaces[db].find(key);
    if (record === undefined || (db === toDb && key === toKey)) return record !== undefined;
    const { collection } = record;
    const source = collection && this.#collections.load(collection);
    this.del(toDb, toKey);
    if (source === undefined) {
      this.#put(toDb, toKey, record, record.expireAtMs);
      return true;
    }
    const target = this.edit(toDb, toKey, source.type);
    source.copyTo(target as unknown as Collection);
    if (record.expireAtMs !== NO_EXPIRY) this.setExpiry(toDb, toKey, record.expireAtMs);
    return true;
  }

  // --- collections ---------------------------------------------------------------------------

  collection<T extends CollectionType>(
    db: number,
    key: Bytes,
    type: T,
    found?: KeyRecord,
  ): Collections[T] | undefined {
    // Unless it was dropped since, to make room.
    const known = found instanceof CachedKey && found.collection?.record === found;
    const collection = (known ? found : this.#keyspaces[db].find(key))?.collection;
    if (collection?.type !== type) return undefined;
    return this.#collections.load(collection) as unknown as Collections[T];
  }

  edit<T extends CollectionType>(db: number, key: Bytes, type: T): Collections[T] {
    this.#isEditing = true;
    return this.#collections.edit(db, key, type) as unknown as Collections[T];
  }

  // --- a database ----------------------------------------------------------------------------

  size(db: number): number {
    return this.#keyspaces[db].keys;
  }

  sizeWithExpiry(db: number): number {
    return this.#keyspaces[db].expiring;
  }

  *keys(db: number): Iterable<Bytes> {
    const keyspace = this.#keyspaces[db];
    let cursor = 0;
    do {
      const page = keyspace.page(cursor, KEYS_PER_PAGE);
      yield* page.keys;
      cursor = page.cursor;
    } while (cursor !== 0);
  }

  scan(db: number, cursor: number, count: number): ScanPage {
    return this.#keyspaces[db].page(cursor, count);
  }

  randomKey(db: number, random: number): Bytes | undefined {
    return randomKeyByScan(this, db, random, this.#keyspaces[db].lastId);
  }

  flush(db: number): void {
    const old = this.#keyspaces[db];
    if (old.keys > 0) this.#change("flush", db, "");
    old.abandon();
    if (old.hasRows) this.#pendingPurges.push(old.slot);
    const used = new Set([...this.#flusher.garbageSlots, ...this.#pendingPurges]);
    for (const [other, { slot }] of this.#keyspaces.entries()) if (other !== db) used.add(slot);
    const row = { slot: freeSlot(used), keys: 0, expiring: 0, due: 0, lastId: 0 };
    this.#keyspaces[db] = this.#makeKeyspace(row);
  }

  swap(dbA: number, dbB: number): void {
    this.#change("swap", dbA, String(dbB));
    const a = this.#keyspaces[dbA];
    this.#keyspaces[dbA] = this.#keyspaces[dbB];
    this.#keyspaces[dbB] = a;
  }

  // --- expiry --------------------------------------------------------------------------------

  nextExpiryMs(): number {
    let next = NO_EXPIRY;
    for (const keyspace of this.#keyspaces) {
      if (keyspace.due > 0) next = Math.min(next, keyspace.nextExpiryMs());
    }
    return next;
  }

  expired(timeMs: number, limit: number): readonly KeyName[] {
    const due: { db: number; key: Bytes; id: number; dueAtMs: number }[] = [];
    for (let db = 0; db < this.#keyspaces.length; db++) {
      for (const { key, id, dueAtMs } of this.#keyspaces[db].expired(timeMs, limit)) {
        due.push({ db, key, id, dueAtMs });
      }
    }
    due.sort((a, b) => a.dueAtMs - b.dueAtMs || a.db - b.db || a.id - b.id);
    return due.slice(0, limit).map(({ db, key }) => ({ db, key }));
  }

  // --- the state machine ---------------------------------------------------------------------

  get applied(): Readonly<AppliedState> {
    return this.#applied;
  }

  setApplied(state: Readonly<AppliedState>): void {
    this.#isBetween = false;
    this.#isChanged = true;
    this.#applied = { ...state };
    if (!this.#isEditing) return;
    this.#isEditing = false;
    if (this.#ledger.heldBytes > this.#options.cacheBytes) this.#evict(EVICTION_STEPS_MANY);
  }

  get durable(): Readonly<AppliedState> {
    return this.#flusher.durable;
  }

  // --- writing behind ------------------------------------------------------------------------

  /**
   * Milliseconds until `flushStep` has something to do: 0 now, Infinity when all is durable.
   * Cheap; to be asked at the end of each turn of the loop.
   */
  flushWaitMs(): number {
    if (this.#isReplacing) return Infinity;
    const retryWaitMs = this.retry.waitMs(this.#options.now());
    if (retryWaitMs > 0) return retryWaitMs;
    if (this.#flusher.isActive) return this.#flusher.isWaiting ? CHECKPOINT_WAIT_MS : 0;
    // A transaction now would keep the -wal file growing; only too many changes cannot wait.
    if (this.#checkpointer.isBusy && !this.backlogged) return CHECKPOINT_WAIT_MS;
    return this.#flusher.hasGarbage || this.#flusher.isSparse ? 0 : this.#dueWaitMs();
  }

  /**
   * Does a part of what is due, for about `budgetMs`; true when more is due at once. To be called
   * between applied entries only. Any error is final. A full disk throws none, nor does a lock of
   * another program: all changes are kept, and the write is tried again after a while.
   */
  flushStep(budgetMs: number): boolean {
    const deadlineMs = this.#options.now() + budgetMs;
    if (this.flushWaitMs() > 0) return false;
    try {
      if (!this.#flusher.isActive) {
        if (this.#dueWaitMs() === 0) this.#freeze();
        else if (this.#flusher.hasGarbage) this.#flusher.purge(deadlineMs);
        else this.#flusher.shrink(deadlineMs);
      }
      const wasActive = this.#flusher.isActive;
      if (this.#flusher.step(deadlineMs)) {
        if (wasActive) this.#schedule.committed(this.#flusher.commitMs);
        this.#checkpointer.afterCommit();
      }
      // What another thread writes may fail yet.
      if (!this.#flusher.isRemote) this.retry.passed();
    } catch (error) {
      this.retry.failed(error, this.#options.now());
    }
    return this.flushWaitMs() === 0;
  }

  /** Dates the uses of keys from now on; `nowMs` on a monotonic clock. */
  setClock(nowMs: number): void {
    this.#ledger.nowS = Math.floor(nowMs / 1000) + 1;
  }

  /** Whether a flush is between two steps: its transaction on state.db is open. */
  get flushing(): boolean {
    return this.#flusher.isActive;
  }

  /** Makes everything applied durable before it returns: for shutdown and snapshots. */
  flushAll(): void {
    this.#flusher.step(Infinity);
    if (!this.#isChanged) return;
    this.#freeze();
    this.#flusher.step(Infinity);
  }

  reload(): void {
    if (this.#isReplacing) return;
    this.flushAll();
    // The hand spares at its first round what was used since its last.
    for (let round = 0; round < 2; round++) {
      this.#hand.evict(this.#keyspaces, this.#ledger, -1, this.#options.wholeElementsMax, Infinity);
    }
  }

  /** Whether the last write found no room on the disk. */
  get diskFull(): boolean {
    return this.retry.isDiskFull;
  }

  /** Whether changes come faster than they are flushed: the caller should take fewer. */
  get backlogged(): boolean {
    const { dirtyBytes, frozenBytes } = this.#ledger;
    const { cacheBytes } = this.#options;
    // A flush of one value that is larger than the cache holds nobody up.
    const flushing = Math.min(frozenBytes, cacheBytes * FLUSHING_SHARE_MAX);
    return dirtyBytes + flushing > cacheBytes * BACKLOG_SHARE;
  }

  /**
   * Bytes of keys and values in memory, and of those not yet durable; how many keys were looked
   * for, and for how many of them memory had no answer; how many large collections were freed.
   */
  get memory(): Record<
    "heldBytes" | "dirtyBytes" | "lookups" | "misses" | "freedObjects",
    number
  > {
    const { heldBytes, dirtyBytes, frozenBytes, lookups, misses, freedObjects } = this.#ledger;
    return { heldBytes, dirtyBytes: dirtyBytes + frozenBytes, lookups, misses, freedObjects };
  }

  /**
   * Flushes and closes the connection, before it returns. Resolves when no other thread has the
   * file open any more: only then may it be replaced.
   */
  close(): Promise<void> {
    this.#isClosed = true;
    try {
      if (!this.#isReplacing) this.flushAll();
    } catch (error) {
      // Without room nothing is written: the log has it, and the next start applies it again.
      this.retry.failed(error, this.#options.now());
    }
    this.#tables.sql.close();
    return this.#checkpointer.close();
  }

  /**
   * Goes over to another state.db. `replace` is called when no connection is open any more: it
   * puts the file in place and opens it. Until then reads see the old state; what of that was not
   * flushed is given up. No change may be made meanwhile.
   */
  async replace(
    replace: () => { readonly sql: SqlDatabase; readonly checkpointer: Checkpointer },
  ): Promise<void> {
    this.#isReplacing = true;
    await this.#checkpointer.close();
    if (this.#isClosed) return;
    this.#tables.sql.close();
    const { sql, checkpointer } = replace();
    this.#checkpointer = checkpointer;
    this.#pendingPurges = [];
    this.#isBetween = false;
    this.#isChanged = false;
    this.#isReplacing = false;
    this.retry.passed();
    this.#hand = new ClockHand();
    this.#open(sql);
  }

  /** Milliseconds until a flush is to start. */
  #dueWaitMs(): number {
    if (!this.#isChanged || this.#isBetween) return Infinity;
    return this.#schedule.waitMs(this.#ledger, this.#applied.index);
  }

  #change(kind: TouchKind, db: number, key: Bytes): void {
    this.#isBetween = true;
    this.#isChanged = true;
    this.#changes?.touch(kind, db, key);
  }

  #put(db: number, key: Bytes, record: CachedKey, expireAtMs: number): void {
    this.#change("set", db, key);
    const { type, value, collection } = record;
    const details = collection === undefined ? record.details : detailsOf(collection);
    this.#keyspaces[db].put(key, type, value, expireAtMs, ++this.#version, details);
    if (this.#ledger.heldBytes > this.#options.cacheBytes) this.#evict(EVICTION_STEPS);
  }

  #freeze(): void {
    assert(!this.#isBetween, "a state is flushed as of an applied entry");
    const ledger = this.#ledger;
    for (const table of this.#options.sideTables) table.freeze();
    this.#flusher.start({
      applied: this.#applied,
      version: this.#version,
      databases: this.#keyspaces.map((keyspace) => keyspace.row),
      parts: this.#keyspaces.map((keyspace) => ({ keyspace, records: keyspace.freeze() })),
      elements: this.#collections.freeze(),
      purges: this.#pendingPurges,
      ownerPurges: ledger.purges,
    });
    this.#pendingPurges = [];
    ledger.purges = [];
    this.#isChanged = false;
    this.#schedule.started();
    ledger.frozenBytes = ledger.dirtyBytes;
    ledger.dirtyBytes = 0;
    ledger.dirtyCount = 0;
    ledger.generation += 1;
  }

  #evict(stepsMax: number): void {
    if (this.#isEditing) return;
    const { cacheBytes, wholeElementsMax } = this.#options;
    this.#hand.evict(this.#keyspaces, this.#ledger, cacheBytes, wholeElementsMax, stepsMax);
  }
}
