import { dirname } from "node:path";
import { assert } from "../base/assert.ts";
import type { Entry, HardState, SnapshotMeta } from "../raft/types.ts";
import { crashPoint } from "./crash_point.ts";
import { EntryCache } from "./entry_cache.ts";
import { type Disk, SYSTEM_DISK } from "./disk.ts";
import { LogCommits } from "./log_commits.ts";
import { type LogJob, type LogWriter, runLogJob, WorkerLogWriter } from "./log_writer.ts";
import { LogMeta } from "./raft_log_meta.ts";
import { type LogRow, LogRows, type PurgeRange } from "./raft_log_rows.ts";
import type {
  AppendOutcome,
  Identity,
  LogStore,
  LogWriterMode,
  PeerRecords,
} from "./raft_log_types.ts";
import { isFull, openLogDatabase, readingFile } from "./raft_log_database.ts";
import type { SqlDatabase, SqliteDriver } from "./sqlite_types.ts";
import { LogCorruptError } from "./storage_errors.ts";

const CACHE_BYTES_DEFAULT = 32 * 1024 * 1024;
/** Verified, and cached, when the log is opened: its end, which a crash could have torn. */
const OPEN_VERIFY_BYTES = 4 * 1024 * 1024;
const OPEN_VERIFY_ROWS = 1024;
/** What of it is kept in memory: a node that is idle needs none. */
const OPEN_CACHE_BYTES = 256 * 1024;
/** Compacted rows deleted in one transaction. */
const PURGE_ROWS = 256;
const PURGE_BYTES = 2 * 1024 * 1024;

export interface RaftLogOptions {
  /** Memory for recent entries, bytes. */
  readonly cacheBytes?: number;
  readonly disk?: Disk;
  /** Who writes appends; "inline" when absent. */
  readonly writer?: LogWriterMode;
  /** Makes what writes beside the loop, where `writer` is not "inline". */
  readonly makeWriter?: (database: SqlDatabase, driver: SqliteDriver) => LogWriter;
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
  const { writer = "inline", makeWriter = defaultWriter } = options;
  const database = openLogDatabase(driver, path, writer === "inline");
  const log = new RaftLog(database, options);
  if (writer !== "inline") log.writeBeside(makeWriter(database, driver), writer);
  if (isNew) disk.syncDirectory(dirname(path));
  return log;
}

function defaultWriter({ path }: SqlDatabase, { name }: SqliteDriver): LogWriter {
  return new WorkerLogWriter(path, name);
}

/** The durable Raft log of one node in SQLite: see README.md beside this file. */
export class RaftLog implements LogStore {
  /** Whether the last run closed the log; false after a crash. */
  readonly wasClean: boolean;
  readonly #database: SqlDatabase;
  readonly #meta: LogMeta;
  readonly #rows: LogRows;
  readonly #cache: EntryCache;
  readonly #commits: LogCommits;
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
  #closed = false;

  /** `database`: from `openLogDatabase`; closed when this throws. */
  constructor(database: SqlDatabase, options: RaftLogOptions = {}) {
    this.#database = database;
    this.#cache = new EntryCache(options.cacheBytes ?? CACHE_BYTES_DEFAULT);
    try {
      const read = <T>(run: () => T): T => readingFile(database.path, run);
      this.#meta = read(() => new LogMeta(database));
      this.#rows = read(() => new LogRows(database, this.#meta.salt));
      this.#commits = read(() => new LogCommits(database));
      this.#identity = read(() => this.#meta.identity);
      this.#hardState = read(() => this.#meta.hardState);
      this.#snapshot = read(() => this.#meta.snapshot);
      this.wasClean = read(() => this.#meta.clean);
      read(() => this.#load());
      if (this.wasClean) this.#commits.run(() => this.#meta.clean = false);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  get metrics(): LogCommits["metrics"] {
    return this.#commits.metrics;
  }

  /** Has usual appends written by `writer`: always, or ("auto") while the disk is slow. */
  writeBeside(writer: LogWriter, mode: Exclude<LogWriterMode, "inline">): void {
    this.#commits.writeBeside(writer, mode);
  }

  get writer(): "inline" | "worker" {
    return this.#commits.beside?.isWanted === true ? "worker" : "inline";
  }

  set onWritten(run: () => void) {
    if (this.#commits.beside !== undefined) this.#commits.beside.onWritten = run;
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  setIdentity(identity: Identity): void {
    this.settle();
    this.#commits.run(() => this.#meta.identity = identity);
    this.#identity = identity;
  }

  get peerRecords(): PeerRecords {
    return this.#meta.peerRecords;
  }

  setPeerRecords(records: PeerRecords): void {
    this.settle();
    this.#commits.run(() => this.#meta.peerRecords = records);
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

  append(
    entries: readonly Entry[],
    hardState: HardState | undefined,
    written?: (outcome: AppendOutcome) => void,
  ): boolean {
    this.#commits.check();
    this.settle();
    const { term, votedFor, commit } = this.#hardState;
    const state = hardState === undefined
      ? this.#hardState
      : { ...hardState, commit: Math.max(hardState.commit, commit) };
    assert(state.term >= term, "the term of a node never goes back");
    const stateChanged = state.term !== term || state.votedFor !== votedFor;
    let isDurable = true;
    if (entries.length > 0) {
      checkAppend(entries, state, this);
      if (stateChanged || entries[0].index <= this.#lastIndex) {
        this.#replaceEnd(entries, state, stateChanged);
      } else {
        const beside = this.writer === "worker" ? written : undefined;
        isDurable = this.#appendUsual(entries, state, beside);
      }
    } else if (stateChanged) {
      crashPoint("vote_before");
      this.#commits.run(() => this.#meta.hardState = this.#storable(state));
      crashPoint("vote_after");
    }
    // A change of the commit index alone is a hint: it is written with the next entries. Of what is
    // under way it holds once that is written: it may be replaced before, if the disk is full.
    if (isDurable) this.#hardState = state;
    return isDurable;
  }

  poll(): void {
    this.#commits.poll();
  }

  /** Blocks until no append is under way. */
  settle(): void {
    this.#commits.settle();
  }

  compact(meta: SnapshotMeta): void {
    this.#commits.check();
    this.settle();
    if (meta.index <= this.#snapshot.index) return;
    assert(meta.index <= this.#lastIndex, "the log is compacted within its bounds");
    assert(meta.term === this.term(meta.index), "a snapshot has the term of its entry");
    const live = meta.index < this.#lastIndex ? this.#read(meta.index + 1) : undefined;
    this.#commits.transaction(() => {
      this.#meta.snapshot = meta;
      const range = this.#purgeRange(live?.first ?? meta.index + 1);
      if (range !== undefined) this.#rows.purge(range);
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
    this.#commits.check();
    this.settle();
    const row = this.#snapshot.index < meta.index && meta.index <= this.#lastIndex
      ? this.#read(meta.index)
      : undefined;
    // A row is dead when it ends at or before the snapshot: those are deleted bit by bit.
    const keepBefore = row !== undefined && row.last > meta.index ? row.first : meta.index + 1;
    const term = Math.max(this.#hardState.term, meta.term);
    const votedFor = term === this.#hardState.term ? this.#hardState.votedFor : 0;
    const state = { term, votedFor, commit: meta.index };
    this.#commits.transaction(() => {
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
      this.#commits.check();
      const row = readingFile(this.#database.path, () => this.#rows.holding(next));
      bytes += row.dataBytes;
      next = row.last + 1;
    }
    return next <= this.#lastIndex ? next : undefined;
  }

  /** Ends the thread that writes beside the loop, if there is one; `close` the log then. */
  async stopWriter(): Promise<void> {
    const { beside } = this.#commits;
    if (beside === undefined) return;
    this.settle();
    this.#commits.beside = undefined;
    await beside.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (!this.#commits.hasFailed) {
        this.settle();
        this.#commits.run(() => {
          this.#meta.hardState = this.#storable(this.#hardState);
          this.#meta.clean = true;
        });
      }
    } catch (error) {
      // What was acknowledged is durable already; the flag and the hint can be done without.
      if (!isFull(error)) throw error;
    } finally {
      this.#commits.close();
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

  /** Reads rows backwards from the last one and caches what the last few hold. */
  #verifyEnd(last: LogRow): void {
    const cached = [last];
    let { first, dataBytes: bytes } = last;
    for (let rows = 1; first > this.firstIndex && rows < OPEN_VERIFY_ROWS; rows++) {
      const row = this.#rows.holding(first - 1);
      bytes += row.dataBytes;
      if (bytes > OPEN_VERIFY_BYTES) break;
      if (bytes <= OPEN_CACHE_BYTES) cached.push(row);
      first = row.first;
    }
    for (const row of cached.reverse()) this.#cache.push(row.entries);
    this.#cache.compact(this.#snapshot.index);
  }

  /** Appends behind the last entry; false when `written` is to be called. */
  #appendUsual(
    entries: readonly Entry[],
    state: HardState,
    written: ((outcome: AppendOutcome) => void) | undefined,
  ): boolean {
    const last = entries[entries.length - 1];
    const { rows, endBytes } = this.#rows.encode(
      entries,
      this.#endBytes,
      Math.min(state.commit, last.index),
    );
    const purge = this.#purgeBefore > 0 ? this.#purgeRange(this.#purgeBefore) : undefined;
    const checkpoints = this.#commits.isCheckpointDue(endBytes - this.#endBytes);
    const job: LogJob = { rows, purge, checkpoints };
    const done = () => {
      if (purge === undefined) this.#purgeBefore = 0;
      else this.#row = undefined;
      this.#appended(entries, endBytes);
      this.#hardState = state;
    };
    const { beside, sql } = this.#commits;
    if (written !== undefined && beside !== undefined) {
      const finish = (ms: number) => {
        this.#commits.observe(ms);
        done();
      };
      beside.begin({ job, finish, written });
      return false;
    }
    this.#commits.run(() => runLogJob(this.#rows, sql, job));
    done();
    if (checkpoints) this.#commits.checkpoint();
    return true;
  }

  /** Appends in place of what is there from the first index on, or with another term or vote. */
  #replaceEnd(entries: readonly Entry[], state: HardState, stateChanged: boolean): void {
    const first = entries[0].index;
    const truncates = first <= this.#lastIndex;
    const holder = truncates ? this.#read(Math.max(first - 1, this.firstIndex)) : undefined;
    const commit = Math.min(state.commit, entries[entries.length - 1].index);
    let endBytes = this.#endBytes;
    crashPoint("append_before");
    this.#commits.transaction(() => {
      if (stateChanged) this.#meta.hardState = { ...state, commit };
      const startBytes = holder === undefined ? this.#endBytes : this.#truncate(first, holder);
      endBytes = this.#insert(entries, startBytes, commit);
      crashPoint("append_in_transaction");
    });
    crashPoint("append_after");
    if (truncates) this.#cache.truncate(first);
    this.#row = undefined;
    const checkpoints = this.#commits.isCheckpointDue(Math.max(0, endBytes - this.#endBytes));
    this.#appended(entries, endBytes);
    if (checkpoints) this.#commits.checkpoint();
  }

  #insert(entries: readonly Entry[], startBytes: number, commit: number): number {
    const { rows, endBytes } = this.#rows.encode(entries, startBytes, commit);
    for (const row of rows) this.#rows.write(row);
    return endBytes;
  }

  /** What was appended is durable. */
  #appended(entries: readonly Entry[], endBytes: number): void {
    const last = entries[entries.length - 1];
    this.#endBytes = endBytes;
    this.#lastIndex = last.index;
    this.#lastTerm = last.term;
    this.#cache.push(entries);
  }

  #purgeRange(before: number): PurgeRange | undefined {
    return this.#commits.read(() => this.#rows.purgeRange(before, PURGE_ROWS, PURGE_BYTES));
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
    return this.#insert(entries.slice(0, index - first), startBytes, commit);
  }

  #read(index: number): LogRow {
    const memo = this.#row;
    if (memo !== undefined && memo.first <= index && index <= memo.last) return memo;
    this.#row = this.#commits.read(() => this.#rows.holding(index));
    return this.#row;
  }
}

function checkAppend(entries: readonly Entry[], state: HardState, log: RaftLog): void {
  const first = entries[0].index;
  const last = entries[entries.length - 1];
  assert(first >= log.firstIndex && first <= log.lastIndex + 1, "no gap in the log");
  assert(first > log.hardState.commit, "a committed entry is never replaced");
  assert(last.index === first + entries.length - 1, "entries of a batch are contiguous");
  assert(last.term <= state.term, "no entry is of a later term than the node");
}
