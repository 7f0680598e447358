import { assert } from "../base/assert.ts";
import type { CachedKey } from "./cached_key.ts";
import { type CollectionType, TABLES_OF } from "./collections.ts";
import type { CollectionChanges, TrimmedRows } from "./collection.ts";
import type { ElementRow } from "./element_tables.ts";
import { crashPoint } from "./crash_point.ts";
import type { Keyspace, Ledger, OwnerPurge } from "./keyspace.ts";
import type { AppliedState } from "./redis_operations.ts";
import type { FlushWriter } from "./flush_writer.ts";
import type { RecordedDatabase } from "./recorded_database.ts";
import type { SideTable } from "./side_table.ts";
import type { StateTables, StoredDatabase } from "./state_tables.ts";
import { SqliteError } from "./sqlite_types.ts";
import { WriteOrder } from "./write_order.ts";

/** What a row may take that is written between two looks at the clock, so many at most. */
const BYTES_PER_ROW = 1024;
const PURGED_PER_LOOK = 64;
/** Fewer are written here, where there are few rows too: 4 MiB take some 10 ms. */
const REMOTE_BYTES_MIN = 4 * 1024 * 1024;
/** Batches on their way there: more are made when it has run some. */
const REMOTE_BATCHES_MAX = 8;

export interface FrozenPart {
  readonly keyspace: Keyspace;
  readonly records: readonly CachedKey[];
}

/** The changed elements of one collection. */
export interface FrozenElements extends CollectionChanges {
  readonly type: CollectionType;
  readonly owner: number;
  /** To be called when they are durable. */
  readonly settled: () => void;
}

/** The state as of one applied index, to be written in one transaction. */
export interface FrozenState {
  readonly applied: Readonly<AppliedState>;
  readonly version: number;
  /** The rows of `database`, by number. */
  readonly databases: readonly StoredDatabase[];
  /** Its dirty records, by database. */
  readonly parts: readonly FrozenPart[];
  readonly elements: readonly FrozenElements[];
  /** Slots that were flushed: garbage from this state on. */
  readonly purges: readonly number[];
  readonly ownerPurges: readonly OwnerPurge[];
}

export interface StateFlusherOptions {
  /** Milliseconds of a monotonic clock, looked at after each `rowsPerLook` rows. */
  readonly now: () => number;
  readonly rowsPerLook: number;
  readonly sideTables: readonly SideTable[];
}

/** Another thread to write on, and the connection that notes what it is to run. */
export interface RemoteWriter {
  readonly writer: FlushWriter;
  readonly recorder: RecordedDatabase;
}

/**
 * Writes frozen states to state.db: one transaction each, in steps between which other work goes
 * on. Nothing of it is durable before its commit, everything after.
 */
export class StateFlusher {
  /** Slots whose rows are garbage, by a durable state. */
  readonly purges: Set<number>;
  durable: Readonly<AppliedState>;
  /** How long the last commit of a flush took: its one step that cannot be cut. */
  commitMs = 0;
  /** Whether the file has so many free pages that `shrink` is due. */
  isSparse: boolean;
  readonly #tables: StateTables;
  readonly #ledger: Ledger;
  readonly #now: () => number;
  readonly #sideTables: readonly SideTable[];
  readonly #rowsPerLook: number;
  #frozen: FrozenState | undefined;
  #phase: "sort" | "begin" | "write" | "elements" | "committing" | "settle" = "sort";
  readonly #remote: RemoteWriter | undefined;
  /** The flush under way is written by the other thread; whether that has begun. */
  #isRemote = false;
  #hasSent = false;
  /** The frozen records of each part, once sorted. */
  #sorted: FrozenPart[] = [];
  #order: WriteOrder | undefined;
  /** Next record: of which part, and where in it. */
  #part = 0;
  #at = 0;
  /** The changed elements that are still to be written; made with each attempt. */
  #elements: Iterator<void> | undefined;
  /** Whether elements of deleted collections are there. */
  #hasOwnerPurges: boolean;

  constructor(
    tables: StateTables,
    ledger: Ledger,
    durable: Readonly<AppliedState>,
    { now, rowsPerLook, sideTables }: StateFlusherOptions,
    remote?: RemoteWriter,
  ) {
    this.#remote = remote;
    this.#tables = tables;
    this.#sideTables = sideTables;
    this.#ledger = ledger;
    this.#now = now;
    this.#rowsPerLook = rowsPerLook;
    this.durable = durable;
    this.purges = new Set(tables.purges());
    this.#hasOwnerPurges = tables.hasOwnerPurges;
    this.isSparse = tables.isSparse;
  }

  /** Whether rows of deleted databases or collections wait to be deleted. */
  get hasGarbage(): boolean {
    return this.purges.size > 0 || this.#hasOwnerPurges;
  }

  get isActive(): boolean {
    return this.#frozen !== undefined;
  }

  /** A flush is under way that another thread writes. */
  get isRemote(): boolean {
    return this.#isRemote && this.#frozen !== undefined;
  }

  /** Nothing can be done before the other thread has come further. */
  get isWaiting(): boolean {
    const writer = this.#remote?.writer;
    if (writer === undefined || !this.#isRemote) return false;
    if (this.#phase === "committing") return writer.pending > 0;
    return writer.pending >= REMOTE_BATCHES_MAX;
  }

  /** Slots that wait to be purged, or will when the running flush commits. */
  get garbageSlots(): number[] {
    return [...this.purges, ...(this.#frozen?.purges ?? [])];
  }

  /** Takes on a state to write; the one before must be done. */
  start(frozen: FrozenState): void {
    assert(this.#frozen === undefined, "one flush at a time");
    this.#frozen = frozen;
    this.#phase = "sort";
    this.#sorted = [];
  }

  /**
   * Goes on writing until `deadlineMs`, at least a little; true when the flush is complete.
   * After an error nothing is lost: the same state is written again from its start.
   */
  step(deadlineMs: number): boolean {
    const frozen = this.#frozen;
    if (frozen === undefined) return true;
    try {
      if (this.isWaiting) {
        if (deadlineMs !== Infinity) return false;
        this.#remote!.writer.wait();
      }
      return this.#step(frozen, deadlineMs);
    } catch (error) {
      const { recorder } = this.#remote ?? {};
      if (recorder !== undefined) recorder.isOn = false;
      if (["write", "elements", "committing"].includes(this.#phase)) this.#rollback();
      throw error;
    }
  }

  /** Deletes rows of flushed databases and deleted collections until `deadlineMs`. */
  purge(deadlineMs: number): void {
    const done = new Set<number>();
    this.#transaction(() => {
      while (!this.#tables.purgeOwners(PURGED_PER_LOOK)) {
        if (this.#now() >= deadlineMs) return;
      }
      for (const slot of this.purges) {
        while (!this.#tables.purge(slot, PURGED_PER_LOOK)) {
          if (this.#now() >= deadlineMs) return;
        }
        done.add(slot);
      }
    });
    for (const slot of done) this.purges.delete(slot);
    this.#hasOwnerPurges = this.#tables.hasOwnerPurges;
    this.isSparse = this.#tables.isSparse;
  }

  /** Cuts free pages off the file until `deadlineMs`. */
  shrink(deadlineMs: number): void {
    this.#transaction(() => {
      do this.isSparse = !this.#tables.shrink(); while (
        this.isSparse && this.#now() < deadlineMs
      );
    });
  }

  #transaction(body: () => void): void {
    assert(this.#frozen === undefined, "a flush has a transaction of its own");
    this.#tables.sql.exec("BEGIN IMMEDIATE");
    try {
      body();
      this.#tables.sql.exec("COMMIT");
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  #step(frozen: FrozenState, deadlineMs: number): boolean {
    if (this.#phase === "sort") {
      if (!this.#sort(frozen, deadlineMs)) return false;
      this.#phase = "begin";
    }
    if (this.#phase === "begin") this.#begin(frozen, deadlineMs);
    if (this.#phase === "write" || this.#phase === "elements") {
      if (!this.#writeAll(frozen, deadlineMs)) return false;
    }
    if (this.#phase === "committing") {
      if (this.#isRemote) {
        if (deadlineMs === Infinity) this.#remote!.writer.wait();
        if (this.isWaiting) return false;
        assert(this.#remote!.writer.isCommitted(), "what was sent to be committed is");
      }
      this.#committed(frozen);
      this.#phase = "settle";
      this.#part = this.#at = 0;
      if (this.#now() >= deadlineMs) return false;
    }
    if (!this.#eachRecord(deadlineMs, this.#settle)) return false;
    this.#finish(frozen);
    return true;
  }

  /** On the other thread when there is much to write, unless all is to be done at once. */
  #begin(frozen: FrozenState, deadlineMs: number): void {
    let rows = frozen.elements.length;
    for (const { records } of frozen.parts) rows += records.length;
    let bytes = this.#ledger.frozenBytes;
    for (const { frozenBytes } of this.#sideTables) bytes += frozenBytes ?? 0;
    this.#isRemote = this.#remote !== undefined && deadlineMs !== Infinity &&
      (rows >= this.#remote.writer.rowsMin || bytes >= REMOTE_BYTES_MIN);
    this.#hasSent = false;
    if (!this.#isRemote) this.#tables.sql.exec("BEGIN IMMEDIATE");
    this.#phase = "write";
    this.#part = this.#at = 0;
  }

  /** Writes rows, or notes them and sends them; false when time is up before the last. */
  #writeAll(frozen: FrozenState, deadlineMs: number): boolean {
    if (!this.#isRemote) {
      if (!this.#writeRows(frozen, deadlineMs)) return false;
      this.#writeRest(frozen);
      const startMs = this.#now();
      crashPoint("flush_before_commit");
      this.#tables.sql.exec("COMMIT");
      crashPoint("flush_after_commit");
      this.commitMs = this.#now() - startMs;
      this.#phase = "committing";
      return true;
    }
    const { writer, recorder } = this.#remote!;
    recorder.isOn = true;
    const isComplete = this.#writeRows(frozen, deadlineMs);
    if (isComplete) this.#writeRest(frozen);
    recorder.isOn = false;
    writer.write(recorder.texts, recorder.take(), { first: !this.#hasSent, last: isComplete });
    this.#hasSent = true;
    this.commitMs = 0;
    if (isComplete) this.#phase = "committing";
    return isComplete;
  }

  #writeRows(frozen: FrozenState, deadlineMs: number): boolean {
    if (this.#phase === "write") {
      if (!this.#eachRecord(deadlineMs, this.#write)) return false;
      this.#phase = "elements";
      this.#elements = this.#writeElements(frozen.elements);
    }
    while (!this.#elements?.next().done) if (this.#now() >= deadlineMs) return false;
    return this.#writeSideTables(deadlineMs);
  }

  /** Brings the records in order; false when time is up before that is done. */
  #sort(frozen: FrozenState, deadlineMs: number): boolean {
    while (this.#sorted.length < frozen.parts.length) {
      const { keyspace, records } = frozen.parts[this.#sorted.length];
      this.#order ??= new WriteOrder(records);
      const sorted = this.#order.step();
      if (sorted !== undefined) {
        this.#sorted.push({ keyspace, records: sorted });
        this.#order = undefined;
      }
      if (records.length > 0 && this.#now() >= deadlineMs) return false;
    }
    return true;
  }

  /** Calls `visit` for records from where it stopped; false when time is up before the last. */
  #eachRecord(
    deadlineMs: number,
    visit: (keyspace: Keyspace, record: CachedKey) => void,
  ): boolean {
    const rowsPerLook = this.#rowsPerLook;
    let rows = 0;
    let bytes = 0;
    for (; this.#part < this.#sorted.length; this.#part++, this.#at = 0) {
      const { keyspace, records } = this.#sorted[this.#part];
      while (this.#at < records.length) {
        const record = records[this.#at++];
        visit(keyspace, record);
        bytes += record.value.length;
        if (++rows < rowsPerLook && bytes < rowsPerLook * BYTES_PER_ROW) continue;
        rows = bytes = 0;
        if (this.#now() >= deadlineMs) return false;
      }
    }
    return true;
  }

  /** False when time is up before all is written. */
  #writeSideTables(deadlineMs: number): boolean {
    for (const table of this.#sideTables) {
      while (!table.writeSome()) {
        if (this.#now() >= deadlineMs) return false;
      }
    }
    return true;
  }

  /** Writes changed elements; yields after each few of them. */
  *#writeElements(parts: readonly FrozenElements[]): Generator<void> {
    const { elements } = this.#tables;
    const bytesPerLook = this.#rowsPerLook * BYTES_PER_ROW;
    let bytes = 0;
    for (const { type, owner, changes, cleared, trimmed } of parts) {
      if (cleared !== undefined) yield* this.#trim(type, owner, cleared);
      for (const [at, rows] of changes.entries()) {
        const table = TABLES_OF[type][at];
        for (const row of rows.values()) {
          elements.write(table, owner, row);
          bytes += BYTES_PER_ROW + bytesOf(row);
          if (bytes < bytesPerLook) continue;
          bytes = 0;
          yield;
        }
      }
      if (trimmed !== undefined) yield* this.#trim(type, owner, trimmed);
    }
  }

  *#trim(type: CollectionType, owner: number, rows: TrimmedRows): Generator<void> {
    const table = TABLES_OF[type][rows.table];
    for (let left = rows.rows; left > 0; left -= PURGED_PER_LOOK) {
      this.#tables.elements.trim(table, owner, rows.upTo, PURGED_PER_LOOK);
      yield;
    }
  }

  readonly #write = (keyspace: Keyspace, record: CachedKey): void => {
    const { id, rowId } = record;
    if (id !== 0 && id === rowId) return this.#tables.update(keyspace.slot, record);
    if (rowId !== 0) this.#tables.delete(keyspace.slot, rowId);
    if (id !== 0) this.#tables.insert(keyspace.slot, record);
  };

  readonly #settle = (keyspace: Keyspace, record: CachedKey): void => {
    keyspace.settle(record);
  };

  #writeRest(frozen: FrozenState): void {
    for (const [db, row] of frozen.databases.entries()) this.#tables.setDatabase(db, row);
    for (const slot of frozen.purges) this.#tables.addPurge(slot);
    for (const { type, owner } of frozen.ownerPurges) this.#tables.addOwnerPurge(type, owner);
    this.#tables.setApplied(frozen.applied, frozen.version);
  }

  #committed(frozen: FrozenState): void {
    this.durable = frozen.applied;
    for (const table of this.#sideTables) table.committed();
    for (const slot of frozen.purges) this.purges.add(slot);
    if (frozen.ownerPurges.length > 0) this.#hasOwnerPurges = true;
    this.#resetWindows(frozen);
  }

  #finish(frozen: FrozenState): void {
    for (const { keyspace } of frozen.parts) keyspace.settled();
    for (const { settled } of frozen.elements) settled();
    this.#resetWindows(frozen);
    this.#ledger.frozenBytes = 0;
    this.#ledger.cleanBelow = this.#ledger.generation;
    this.#frozen = undefined;
    this.#sorted = [];
    this.#elements = undefined;
    this.isSparse = this.#tables.isSparse;
  }

  #resetWindows(frozen: FrozenState): void {
    for (const [db, { keyspace }] of frozen.parts.entries()) {
      keyspace.resetExpiries(frozen.databases[db].due);
    }
  }

  #rollback(): void {
    this.#phase = "begin";
    for (const table of this.#sideTables) table.rewind();
    if (this.#isRemote) {
      this.#isRemote = false;
      this.#remote!.recorder.take();
      this.#remote!.writer.abandon();
      return;
    }
    try {
      this.#tables.sql.exec("ROLLBACK");
    } catch (error) {
      // SQLite has rolled back by itself on some errors (a full disk): then there is nothing open.
      if (!(error instanceof SqliteError)) throw error;
    }
  }
}

function bytesOf(row: ElementRow): number {
  let bytes = 0;
  for (const value of row) if (typeof value === "string") bytes += value.length;
  return bytes;
}
