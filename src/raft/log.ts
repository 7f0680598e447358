import { assert } from "../base/assert.ts";
import { PersistQueue } from "./persist.ts";
import type { Entry, LogReader, NodeId, PersistToken, RaftOptions, SnapshotMeta } from "./types.ts";

const NO_ENTRIES: readonly Entry[] = Object.freeze([]);
/** A stand-in for entries that left the tail, so that they can be freed. */
const FREED: Entry = { index: 0, term: 0, kind: "noop", data: new Uint8Array(0) };
const COMPACT_SLOTS = 1024;

/**
 * The log as the core sees it: what is durable, over LogReader, and above it a tail in memory.
 *
 * The tail holds each entry until it is both durable here and applied, so that the log reader
 * is never asked for what may not be there and the proposer's `local` stays with its entry.
 *
 *     firstIndex - 1 <= applied <= handed <= min(commit, persisted)
 *     commit <= lastIndex, persisted <= written <= lastIndex, tailFirst <= persisted + 1
 */
export class RaftLog {
  readonly #reader: LogReader;
  /** Tail entries are `#tail[#head..]`, the first of them at index `#tailFirst`. */
  readonly #tail: Entry[] = [];
  #head = 0;
  #tailFirst: number;
  /** Set while a snapshot is to be installed: what the reader says is void. */
  #base: { readonly index: number; readonly term: number } | undefined;
  readonly #persists: PersistQueue;

  lastIndex: number;
  lastTerm: number;
  commit: number;
  /** Durable here. */
  persisted: number;
  /** Handed out to be made durable. */
  written: number;
  /** Handed out to be applied. */
  handed: number;
  applied: number;
  /** Entries with `local` whose place was taken by what was committed, since the last take. */
  dropped: Entry[] = [];
  /**
   * Entries with `local` that were cut off. Each may come back with a leader that still has it,
   * until something is committed in its place (figure 8).
   */
  #orphans: Entry[] = [];

  constructor(options: RaftOptions) {
    const reader = options.log;
    this.#reader = reader;
    this.lastIndex = reader.lastIndex;
    this.#tailFirst = reader.lastIndex + 1;
    this.lastTerm = this.#readTerm(reader.lastIndex);
    this.persisted = reader.lastIndex;
    this.written = reader.lastIndex;
    const { applied } = options;
    assert(applied >= reader.firstIndex - 1, `applied ${applied} is below the log's first index`);
    assert(applied <= reader.lastIndex, `applied ${applied} is beyond the log's end`);
    this.commit = Math.min(Math.max(options.hardState.commit, applied), reader.lastIndex);
    this.handed = applied;
    this.applied = applied;
    this.#persists = new PersistQueue(options.hardState.term, options.hardState.votedFor);
  }

  #readTerm(index: number): number {
    const term = index === 0 ? 0 : this.#reader.term(index);
    assert(term !== undefined, `the log does not know the term of its entry ${index}`);
    return term;
  }

  /** The first index that is not compacted. */
  get firstIndex(): number {
    return this.#base === undefined ? this.#reader.firstIndex : this.#base.index + 1;
  }

  /** The term of an entry, of firstIndex - 1 too; undefined when unknown. */
  term(index: number): number | undefined {
    if (index === this.lastIndex) return this.lastTerm;
    if (index > this.lastIndex || index < 0) return undefined;
    if (index >= this.#tailFirst) return this.#tail[this.#head + index - this.#tailFirst].term;
    if (index === 0) return 0;
    if (this.#base !== undefined) {
      if (index === this.#base.index) return this.#base.term;
      if (index < this.#base.index) return undefined;
    }
    return this.#reader.term(index);
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends so is at least as complete as this one (section 5.4.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  /** The entry when it is still in memory. */
  inMemory(index: number): Entry | undefined {
    if (index < this.#tailFirst || index > this.lastIndex) return undefined;
    return this.#tail[this.#head + index - this.#tailFirst];
  }

  /**
   * Entries [from, to) or the first of them that fit in `bytesMax`, at least one; undefined when
   * `from` is compacted.
   */
  slice(from: number, to: number, bytesMax: number): readonly Entry[] | undefined {
    if (from >= to) return NO_ENTRIES;
    if (from < this.firstIndex) return undefined;
    if (from < this.#tailFirst) {
      return this.#reader.entries(from, Math.min(to, this.#tailFirst), bytesMax);
    }
    const start = this.#head + from - this.#tailFirst;
    const limit = start + to - from;
    let bytes = this.#tail[start].data.length;
    let end = start + 1;
    while (end < limit) {
      bytes += this.#tail[end].data.length;
      if (bytes > bytesMax) break;
      end++;
    }
    return this.#tail.slice(start, end);
  }

  append(entry: Entry): void {
    this.#tail.push(this.#orphans.length === 0 ? entry : this.#adopted(entry));
    this.lastIndex = entry.index;
    this.lastTerm = entry.term;
  }

  /** Cuts off all from `index` on. */
  truncateFrom(index: number): void {
    assert(index > this.commit, `entry ${index} is committed and cannot be truncated`);
    const term = this.term(index - 1);
    assert(term !== undefined, `nothing is known below the truncation at ${index}`);
    const keep = Math.max(0, index - this.#tailFirst);
    this.#cutTail(this.#head + keep);
    if (index < this.#tailFirst) this.#tailFirst = index;
    this.lastIndex = index - 1;
    this.lastTerm = term;
    this.persisted = Math.min(this.persisted, index - 1);
    this.written = Math.min(this.written, index - 1);
    this.#persists.truncated(index);
  }

  #cutTail(fromSlot: number): void {
    for (let slot = fromSlot; slot < this.#tail.length; slot++) {
      const entry = this.#tail[slot];
      if (entry.local !== undefined && entry.index > this.handed) this.#orphans.push(entry);
    }
    this.#tail.length = fromSlot;
  }

  /** The entry, with its `local` again when it is one that was cut off. */
  #adopted(entry: Entry): Entry {
    const { index, term, kind, data } = entry;
    const at = this.#orphans.findIndex((orphan) => orphan.index === index && orphan.term === term);
    if (at === -1) return entry;
    const [{ local }] = this.#orphans.splice(at, 1);
    return { index, term, kind, data, local };
  }

  /** What was cut off at or below the commit index comes back no more. */
  #settleOrphans(): void {
    const open: Entry[] = [];
    for (const orphan of this.#orphans) {
      (orphan.index <= this.commit ? this.dropped : open).push(orphan);
    }
    this.#orphans = open;
  }

  /** Stands at a snapshot from now on; the store follows when `installed` is called. */
  restore(meta: SnapshotMeta): void {
    this.#cutTail(this.#head);
    this.#tail.length = 0;
    this.#head = 0;
    this.#tailFirst = meta.index + 1;
    this.#base = { index: meta.index, term: meta.term };
    this.lastIndex = meta.index;
    this.lastTerm = meta.term;
    this.commit = meta.index;
    this.persisted = meta.index;
    this.written = meta.index;
    this.handed = meta.index;
    this.#persists.truncated(0);
    this.#settleOrphans();
  }

  /** The store and the state machine stand at the snapshot now. */
  installed(index: number): void {
    assert(this.#base?.index === index, `no snapshot at ${index} was to be installed`);
    assert(this.#reader.firstIndex === index + 1, `the log does not begin behind ${index}`);
    this.#base = undefined;
    this.applied = index;
  }

  commitTo(index: number): boolean {
    if (index <= this.commit) return false;
    assert(index <= this.lastIndex, `commit ${index} is beyond the log's end`);
    this.commit = index;
    if (this.#orphans.length > 0) this.#settleOrphans();
    return true;
  }

  appliedTo(index: number): void {
    assert(index <= this.handed, `entry ${index} was applied before it was handed out`);
    if (index <= this.applied) return;
    this.applied = index;
    this.#release();
  }

  /** Entries to make durable, from now on under way. */
  takeUnwritten(): readonly Entry[] {
    if (this.written === this.lastIndex) return NO_ENTRIES;
    const start = this.#head + this.written + 1 - this.#tailFirst;
    this.written = this.lastIndex;
    return start === 0 ? this.#tail.slice() : this.#tail.slice(start);
  }

  get hasUnwritten(): boolean {
    return this.written < this.lastIndex;
  }

  beginPersist(term: number, votedFor: NodeId): PersistToken {
    return this.#persists.begin(term, votedFor, this.written);
  }

  get persistsUnderWay(): boolean {
    return !this.#persists.isEmpty;
  }

  /** The term and vote that are durable. */
  get durableTerm(): number {
    return this.#persists.term;
  }

  get durableVote(): NodeId {
    return this.#persists.votedFor;
  }

  /** Takes a completion; returns whether the durable part of the log grew. */
  completePersist(token: PersistToken): boolean {
    const lastIndex = this.#persists.complete(token);
    if (lastIndex <= this.persisted) return false;
    this.persisted = lastIndex;
    return true;
  }

  get hasCommitted(): boolean {
    return this.handed < this.commit && this.handed < this.persisted;
  }

  /**
   * Entries to apply, from now on handed out. Only what is durable here: else a crash could leave
   * a state machine ahead of its log.
   */
  takeCommitted(bytesMax: number): readonly Entry[] {
    const to = Math.min(this.commit, this.persisted);
    if (this.handed >= to) return NO_ENTRIES;
    const entries = this.slice(this.handed + 1, to + 1, bytesMax);
    assert(entries !== undefined && entries.length > 0, `entry ${this.handed + 1} is not stored`);
    assert(entries[0].index === this.handed + 1, `the log returned entry ${entries[0].index}`);
    this.handed += entries.length;
    return entries;
  }

  /** What is applied is durable too: it was not handed out before. */
  #release(): void {
    while (this.#tailFirst <= this.applied && this.#head < this.#tail.length) {
      this.#tail[this.#head++] = FREED;
      this.#tailFirst++;
    }
    if (this.#head === this.#tail.length) {
      this.#tail.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_SLOTS && this.#head * 2 >= this.#tail.length) {
      this.#tail.copyWithin(0, this.#head);
      this.#tail.length -= this.#head;
      this.#head = 0;
    }
  }

  /**
   * The largest index up to `index` whose term is at most `term`: terms never decrease, so above
   * it nothing can match a log that has `term` at `index` (fast backtracking, section 5.3).
   */
  lastIndexOfTerm(index: number, term: number): number {
    let high = Math.min(index, this.lastIndex);
    let low = this.firstIndex - 1;
    if (high < low) return high;
    const lowTerm = this.term(low);
    if (lowTerm === undefined || lowTerm > term) return Math.max(0, low - 1);
    while (low < high) {
      const middle = high - Math.floor((high - low) / 2);
      const middleTerm = this.term(middle);
      if (middleTerm !== undefined && middleTerm <= term) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
