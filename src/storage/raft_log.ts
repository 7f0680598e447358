import { Histogram, TIME_BOUNDS_MS } from "../base/histogram.ts";
import { dirname } from "node:path";
import { assert } from "../base/assert.ts";
import type { Entry, HardState, SnapshotMeta } from "../raft/types.ts";
import { crashPoint } from "./crash_point.ts";
import { EntryCache } from "./entry_cache.ts";
import { type Disk, SYSTEM_DISK } from "./disk.ts";
import { LogMeta } from "./raft_log_meta.ts";
import { type LogRow, LogRows } from "./raft_log_rows.ts";
import type { Identity, LogStore, PeerRecords } from "./raft_log_types.ts";
import {
  isFull,
  type LogStatements,
  openLogDatabase,
  prepareStatements,
  readingFile,
} from "./raft_log_database.ts";
import type { SqlDatabase, SqliteDriver } from "./sqlite_types.ts";
import { LogCorruptError } from "./storage_errors.ts";

const CACHE_BYTES_DEFAULT = 32 * 1024 * 1024;
/** A batch is split into rows of about this many bytes, so that a read loads no more. */
const ROW_BYTES_MAX = 1024 * 1024;
/** Verified, and cached, when the log is opened: its end, which a crash could have torn. */
const OPEN_VERIFY_BYTES = 4 * 1024 * 1024;
const OPEN_VERIFY_ROWS = 1024;
/** Compacted rows deleted in one transaction. */
const PURGE_ROWS = 256;
const PURGE_BYTES = 2 * 1024 * 1024;
const PAGE_BYTES = 4096;
/** Pages written to the WAL between two checkpoints: what one may have to copy. */
const CHECKPOINT_PAGES = 512;

export interface RaftLogOptions {
  /** Memory for recent entries, bytes. */
  readonly cacheBytes?: number;
  readonly disk?: Disk;
}

/**
 * Opens or creates log.db. Its end is verified at once, the rest when it is read. Throws
 * LogCorruptError, StorageFormatError or SqliteError.
 */
export function openRaftLog(
  driver: SqliteDriver,
  path: string,
  options: RaftLogOptions = {},
): RaftLog {
  const disk = options.disk ?? SYSTEM_DISK;
  const isNew = disk.size(path) === undefined;
  const log = new RaftLog(openLogDatabase(driver, path), options);
  if (isNew) disk.syncDirectory(dirname(path));
  return log;
}

/** The durable Raft log of one node in SQLite: see README.md beside this file. */
export class RaftLog implements LogStore {
  readonly metrics = {
    fsyncs: 0,
    fsyncMsTotal: 0,
    fsyncMsMax: 0,
    fsyncMs: new Histogram(TIME_BOUNDS_MS),
  };
  /** Whether the last run closed the log; false after a crash. */
  readonly wasClean: boolean;
  readonly #database: SqlDatabase;
  readonly #meta: LogMeta;
  readonly #rows: LogRows;
  readonly #cache: EntryCache;
  readonly #sql: LogStatements;
  #identity: Identity | undefined;
  #hardState: HardState;
  #snapshot: SnapshotMeta;
  #lastIndex = 0;
  #lastTerm = 0;
  /** Bytes of data of all rows since the log began: up to the first live row, and to the end. */
  #startBytes = 0;
  #endBytes = 0;
  /** Rows that begin before this index are compacted and may still have to be deleted. */
  #purgeBefore = 0;
  /** The row read last, for reads that go through it in pieces. */
  #row: LogRow | undefined;
  #walPages = 0;
  /** The error that ended the use of this log. */
  #failure: Error | undefined;
  #closed = false;

  /** `database`: from `openLogDatabase`; closed when this throws. */
  constructor(database: SqlDatabase, options: RaftLogOptions = {}) {
    this.#database = database;
    this.#cache = new EntryCache(options.cacheBytes ?? CACHE_BYTES_DEFAULT);
    try {
      const read = <T>(run: () => T): T => readingFile(database.path, run);
      this.#meta = read(() => new LogMeta(database));
      this.#rows = read(() => new LogRows(database, this.#meta.salt));
      this.#sql = prepareStatements(database);
      this.#identity = read(() => this.#meta.identity);
      this.#hardState = read(() => this.#meta.hardState);
      this.#snapshot = read(() => this.#meta.snapshot);
      this.wasClean = read(() => this.#meta.clean);
      read(() => this.#load());
      if (this.wasClean) this.#commit(() => this.#meta.clean = false);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  setIdentity(identity: Identity): void {
    this.#commit(() => this.#meta.identity = identity);
    this.#identity = identity;
  }

  get peerRecords(): PeerRecords {
    return this.#meta.peerRecords;
  }

  setPeerRecords(records: PeerRecords): void {
    this.#commit(() => this.#meta.peerRecords = records);
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get snapshot(): SnapshotMeta {
    return this.#snapshot;
  }

  get firstIndex(): number {
    return this.#snapshot.index + 1;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  get bytes(): number {
    return this.#endBytes - this.#startBytes;
  }

  /** Bytes of all entries since the log began: tells how much was appended between two looks. */
  get endBytes(): number {
    return this.#endBytes;
  }

  /** Bytes of memory that recent entries take. */
  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  term(index: number): number | undefined {
    if (index === this.#lastIndex) return this.#lastTerm;
    if (index === this.#snapshot.index) return this.#snapshot.term;
    if (index < this.#snapshot.index || index > this.#lastIndex) return undefined;
    if (index >= this.#cache.firstIndex) return this.#cache.at(index).term;
    const row = this.#read(index);
    return row.entries[index - row.first].term;
  }

  entries(from: number, to: number, bytesMax: number): readonly Entry[] | undefined {
    if (from <= this.#snapshot.index) return undefined;
    const end = Math.min(to, this.#lastIndex + 1);
    if (from >= end) return [];
    if (from >= this.#cache.firstIndex) return this.#cache.slice(from, end, bytesMax);
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < end; index++) {
      const row = this.#read(index);
      const entry = row.entries[index - row.first];
      bytes += entry.data.length;
      if (bytes > bytesMax && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  append(entries: readonly Entry[], hardState: HardState | undefined): void {
    this.#check();
    const state = hardState ?? this.#hardState;
    const { term, votedFor } = this.#hardState;
    assert(state.term >= term, "the term of a node never goes back");
    const stateChanged = state.term !== term || state.votedFor !== votedFor;
    if (entries.length > 0) this.#appendEntries(entries, state, stateChanged);
    else if (stateChanged) {
      crashPoint("vote_before");
      this.#commit(() => this.#meta.hardState = this.#storable(state));
      crashPoint("vote_after");
    }
    // A change of the commit index alone is a hint: it is written with the next entries.
    this.#hardState = state;
  }

  compact(meta: SnapshotMeta): void {
    this.#check();
    if (meta.index <= this.#snapshot.index) return;
    assert(meta.index <= this.#lastIndex, "the log is compacted within its bounds");
    assert(meta.term === this.term(meta.index), "a snapshot has the term of its entry");
    const live = meta.index < this.#lastIndex ? this.#read(meta.index + 1) : undefined;
    this.#transaction(() => {
      this.#meta.snapshot = meta;
      this.#rows.deleteBefore(live?.first ?? meta.index + 1, PURGE_ROWS, PURGE_BYTES);
      crashPoint("purge_in_transaction");
    });
    crashPoint("purge_after");
    this.#snapshot = meta;
    const commit = Math.max(this.#hardState.commit, meta.index);
    this.#hardState = { ...this.#hardState, commit };
    this.#purgeBefore = live?.first ?? meta.index + 1;
    this.#startBytes = live === undefined ? this.#endBytes : live.endBytes - live.dataBytes;
    this.#cache.compact(meta.index);
    this.#row = undefined;
  }

  reset(meta: SnapshotMeta): void {
    this.#check();
    const row = this.#snapshot.index < meta.index && meta.index <= this.#lastIndex
      ? this.#read(meta.index)
      : undefined;
    // A row is dead when it ends at or before the snapshot: those are deleted bit by bit.
    const keepBefore = row !== undefined && row.last > meta.index ? row.first : meta.index + 1;
    const term = Math.max(this.#hardState.term, meta.term);
    const votedFor = term === this.#hardState.term ? this.#hardState.votedFor : 0;
    const state = { term, votedFor, commit: meta.index };
    this.#transaction(() => {
      this.#rows.deleteFrom(meta.index <= this.#snapshot.index ? 0 : keepBefore);
      this.#meta.snapshot = meta;
      this.#meta.hardState = state;
      crashPoint("install_in_transaction");
    });
    this.#hardState = state;
    this.#snapshot = meta;
    this.#lastIndex = meta.index;
    this.#lastTerm = meta.term;
    this.#startBytes = this.#endBytes;
    this.#purgeBefore = meta.index + 1;
    this.#cache.clear();
    this.#row = undefined;
  }

  /**
   * Verifies rows from the one that holds `index`, about `bytesMax` of them, and returns where to
   * go on; undefined at the end of the log. Throws LogCorruptError.
   */
  verify(index: number, bytesMax: number): number | undefined {
    let next = Math.max(index, this.firstIndex);
    for (let bytes = 0; next <= this.#lastIndex && bytes < bytesMax;) {
      this.#check();
      const row = readingFile(this.#database.path, () => this.#rows.holding(next));
      bytes += row.dataBytes;
      next = row.last + 1;
    }
    return next <= this.#lastIndex ? next : undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#failure === undefined) {
        this.#commit(() => {
          this.#meta.hardState = this.#storable(this.#hardState);
          this.#meta.clean = true;
        });
      }
    } catch (error) {
      // What was acknowledged is durable already; the flag and the hint can be done without.
      if (!isFull(error)) throw error;
    } finally {
      this.#failure ??= new Error(`${this.#database.path} is closed`);
      this.#database.close();
    }
  }

  #load(): void {
    const last = this.#rows.atOrBefore(Number.MAX_SAFE_INTEGER);
    this.#lastIndex = this.#snapshot.index;
    this.#lastTerm = this.#snapshot.term;
    this.#endBytes = last?.endBytes ?? 0;
    this.#startBytes = this.#endBytes;
    this.#purgeBefore = this.firstIndex;
    if (last !== undefined && last.last > this.#snapshot.index) {
      const live = this.#rows.holding(this.firstIndex);
      this.#lastIndex = last.last;
      this.#lastTerm = last.lastTerm;
      this.#startBytes = live.endBytes - live.dataBytes;
      this.#purgeBefore = live.first;
      this.#verifyEnd(last);
    }
    const commit = Math.max(this.#hardState.commit, last?.commit ?? 0, this.#snapshot.index);
    this.#hardState = { ...this.#hardState, commit };
    if (commit > this.#lastIndex) {
      const where = `entries ${this.#lastIndex + 1}..${commit}`;
      throw new LogCorruptError(this.#database.path, where, "they are missing");
    }
    if (this.#hardState.term < this.#lastTerm) {
      const what = `the last entry has term ${this.#lastTerm}, the node ${this.#hardState.term}`;
      throw new LogCorruptError(this.#database.path, '"hard_state" of the meta table', what);
    }
  }

  /** A quorum without this node may commit what is not stored here yet: that is not noted. */
  #storable(state: HardState): HardState {
    return { ...state, commit: Math.min(state.commit, this.#lastIndex) };
  }

  /** Reads rows backwards from the last one and caches what they hold. */
  #verifyEnd(last: LogRow): void {
    const rows = [last];
    let bytes = last.dataBytes;
    while (rows[rows.length - 1].first > this.firstIndex) {
      const row = this.#rows.holding(rows[rows.length - 1].first - 1);
      bytes += row.dataBytes;
      if (bytes > OPEN_VERIFY_BYTES || rows.length >= OPEN_VERIFY_ROWS) break;
      rows.push(row);
    }
    for (const row of rows.reverse()) this.#cache.push(row.entries);
    this.#cache.compact(this.#snapshot.index);
  }

  #appendEntries(entries: readonly Entry[], state: HardState, stateChanged: boolean): void {
    const first = entries[0].index;
    const last = entries[entries.length - 1];
    assert(first > this.#snapshot.index && first <= this.#lastIndex + 1, "no gap in the log");
    assert(first > this.#hardState.commit, "a committed entry is never replaced");
    assert(last.index === first + entries.length - 1, "entries of a batch are contiguous");
    assert(last.term <= state.term, "no entry is of a later term than the node");
    const truncates = first <= this.#lastIndex;
    const holder = truncates ? this.#read(Math.max(first - 1, this.firstIndex)) : undefined;
    const ends = rowEnds(entries);
    const commit = Math.min(state.commit, last.index);
    let endBytes = this.#endBytes;
    let purging = false;
    const write = () => {
      let from = 0;
      for (const to of ends) {
        endBytes = this.#rows.insert(entries, from, to, endBytes, commit).endBytes;
        from = to;
      }
    };
    crashPoint("append_before");
    // One INSERT is a transaction of its own: the usual case takes one statement.
    if (!truncates && !stateChanged && this.#purgeBefore === 0 && ends.length === 1) {
      this.#commit(write);
    } else {
      this.#transaction(() => {
        if (stateChanged) this.#meta.hardState = { ...state, commit };
        if (holder !== undefined) endBytes = this.#truncate(first, holder);
        write();
        purging = this.#purgeBefore > 0 &&
          this.#rows.deleteBefore(this.#purgeBefore, PURGE_ROWS, PURGE_BYTES);
        crashPoint("append_in_transaction");
      });
      if (!purging) this.#purgeBefore = 0;
      if (truncates) this.#cache.truncate(first);
      this.#row = undefined;
    }
    crashPoint("append_after");
    this.#walPages += Math.ceil((endBytes - this.#endBytes) / PAGE_BYTES);
    this.#endBytes = endBytes;
    this.#lastIndex = last.index;
    this.#lastTerm = last.term;
    this.#cache.push(entries);
    if (this.#walPages >= CHECKPOINT_PAGES) this.#checkpoint();
  }

  /**
   * Removes entries from `index` on; `holder` holds the entry before it, or `index` itself when
   * that is the first one. Returns the bytes up to there.
   */
  #truncate(index: number, holder: LogRow): number {
    const cut = holder.last >= index;
    this.#rows.deleteFrom(cut ? holder.first : index);
    if (!cut) return holder.endBytes;
    const startBytes = holder.endBytes - holder.dataBytes;
    if (index === this.firstIndex) return startBytes;
    const { entries, first, commit } = holder;
    return this.#rows.insert(entries, 0, index - first, startBytes, commit).endBytes;
  }

  #read(index: number): LogRow {
    const memo = this.#row;
    if (memo !== undefined && memo.first <= index && index <= memo.last) return memo;
    this.#check();
    try {
      const row = readingFile(this.#database.path, () => this.#rows.holding(index));
      this.#row = row;
      return row;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #transaction(write: () => void): void {
    this.#commit(() => {
      this.#sql.begin.run();
      write();
      this.#sql.commit.run();
    });
  }

  /** Runs what ends in one commit. After SQLITE_FULL all is as before; any other error is final. */
  #commit(write: () => void): void {
    this.#check();
    const startMs = performance.now();
    try {
      write();
    } catch (error) {
      try {
        this.#sql.rollback.run();
      } catch {
        // No transaction was left open.
      }
      throw this.#fail(error);
    }
    const ms = performance.now() - startMs;
    this.metrics.fsyncs++;
    this.metrics.fsyncMs.observe(ms);
    this.metrics.fsyncMsTotal += ms;
    if (ms > this.metrics.fsyncMsMax) this.metrics.fsyncMsMax = ms;
    this.#walPages += 2;
  }

  /** Copies what the WAL holds to the file; the next commit then starts the WAL over. */
  #checkpoint(): void {
    this.#walPages = 0;
    try {
      this.#sql.checkpoint.get();
    } catch (error) {
      // No room in the file: the WAL keeps what is there, and a later checkpoint copies it.
      if (!isFull(error)) throw this.#fail(error);
    }
  }

  #fail(error: unknown): unknown {
    if (!isFull(error)) this.#failure ??= error instanceof Error ? error : new Error(String(error));
    return error;
  }

  #check(): void {
    if (this.#failure !== undefined) {
      throw new Error(`The log cannot be used any more: ${this.#failure.message}`, {
        cause: this.#failure,
      });
    }
  }
}

/** Where each row of a batch ends: whole entries, about ROW_BYTES_MAX in a row. */
function rowEnds(entries: readonly Entry[]): number[] {
  const ends: number[] = [];
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    if (i > 0 && bytes + entries[i].data.length > ROW_BYTES_MAX) {
      ends.push(i);
      bytes = 0;
    }
    bytes += entries[i].data.length;
    if (i === 0) continue;
    assert(entries[i].term >= entries[i - 1].term, "terms never go back in the log");
  }
  ends.push(entries.length);
  return ends;
}
