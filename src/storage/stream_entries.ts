import { assert } from "../base/assert.ts";
import type { ElementRow } from "./element_tables.ts";
import { IdMap } from "./id_map.ts";
import type { RowSlice } from "./element_tables.ts";
import {
  compareIds,
  ID_ZERO,
  idAfter,
  idBefore,
  idOf,
  idText,
  lesser,
  type StreamId,
} from "./stream_id.ts";
import type { StreamEntry } from "./streams.ts";

/** Bytes an entry takes in memory beside its words, and each of those beside its own. */
const ENTRY_OVERHEAD_BYTES = 280;
const WORD_OVERHEAD_BYTES = 40;
/** Entries read at a time, at first and at most. */
const PAGE_MIN = 16;
const PAGE_MAX = 256;

/** Where the entries are that are not in memory. */
export interface EntrySource {
  /** Entries with ids from one up to another, in the order of reading. */
  read(from: StreamId, to: StreamId, slice: RowSlice): StreamEntry[];
  /** Changes that the source does not have, or may not have yet, by the text of an id. */
  changes(): readonly (ReadonlyMap<string | number, ElementRow> | undefined)[];
}

/**
 * The entries of a stream by id. Those up to one id may be in SQL alone: they are read when they
 * are asked for, and not kept.
 */
export class StreamEntries {
  readonly #recent = new IdMap<StreamEntry>();
  readonly #source: EntrySource;
  /** How many are in SQL alone; ids of all those are up to `#storedTo`, all others are behind it. */
  #stored = 0;
  #storedTo: StreamId = ID_ZERO;
  /** Whatever SQL has up to here is gone. */
  #trimmedTo: StreamId = ID_ZERO;
  /** The first and the last of those in SQL, once they were looked for. */
  #first: StreamEntry | undefined;
  #last: StreamEntry | undefined;

  constructor(source: EntrySource) {
    this.#source = source;
  }

  get size(): number {
    return this.#stored + this.#recent.size;
  }

  /** Whether entries are in SQL alone. */
  get isPartial(): boolean {
    return this.#stored > 0;
  }

  get first(): StreamEntry | undefined {
    if (this.#stored === 0) return this.#recent.first;
    if (this.#first === undefined) {
      [this.#first] = this.#storedRange(ID_ZERO, this.#storedTo, false);
    }
    return this.#first;
  }

  get last(): StreamEntry | undefined {
    if (this.#recent.size > 0 || this.#stored === 0) return this.#recent.last;
    if (this.#last === undefined) [this.#last] = this.#storedRange(ID_ZERO, this.#storedTo, true);
    return this.#last;
  }

  /** Makes none stand for `count` entries that the source has, whose ids are up to `upTo`. */
  stand(count: number, upTo: StreamId): void {
    this.#stored = count;
    this.#storedTo = upTo;
  }

  /** All are up to this id, and those to come behind it, whatever went before. */
  lower(lastId: StreamId): void {
    this.#storedTo = lesser(this.#storedTo, lastId);
    this.#trimmedTo = lesser(this.#trimmedTo, lastId);
  }

  /** Leaves up to `limit` entries to SQL, which has all up to this id: the bytes that they took. */
  shed(upTo: StreamId, limit: number): number {
    const gone = this.#recent.takeUpTo(upTo, limit);
    const last = gone.at(-1);
    if (last === undefined) return 0;
    this.#stored += gone.length;
    this.#storedTo = idOf(last);
    this.#last = last;
    return gone.reduce((sum, entry) => sum + heldBytes(entry), 0);
  }

  get(id: StreamId): StreamEntry | undefined {
    if (!this.#isStored(id)) return this.#recent.get(id);
    const [entry] = this.#storedRange(id, id, false);
    return entry;
  }

  /** Adds an entry behind all others. */
  set(entry: StreamEntry): void {
    this.#recent.set(entry);
  }

  /** Takes out the entry of an id: the bytes of memory that it held; undefined: there is none. */
  remove(id: StreamId): number | undefined {
    if (!this.#isStored(id)) {
      const entry = this.#recent.remove(id);
      return entry && heldBytes(entry);
    }
    if (this.get(id) === undefined) return undefined;
    this.#stored -= 1;
    this.#forgetEnds();
    return 0;
  }

  /** Takes out all entries up to an id, of which there are `count`: the bytes that they held. */
  takeUpTo(id: StreamId, count: number): number {
    const taken = this.#isStored(id) ? [] : this.#recent.takeUpTo(id, count);
    const stored = count - taken.length;
    assert(stored <= this.#stored, "no more entries are taken than there are");
    if (stored > 0) this.#forgetEnds();
    this.#stored -= stored;
    this.#trimmedTo = idOf(id);
    return taken.reduce((sum, entry) => sum + heldBytes(entry), 0);
  }

  /** From the first id up to the second, or (`reverse`) back from that. */
  *range(from: StreamId, to: StreamId, reverse = false): Iterable<StreamEntry> {
    if (reverse) {
      for (const entry of this.#recent.downFrom(to)) {
        if (compareIds(entry, from) < 0) return;
        yield entry;
      }
    }
    if (this.#stored > 0 && this.#isStored(from)) {
      yield* this.#storedRange(from, this.#isStored(to) ? to : this.#storedTo, reverse);
    }
    if (reverse) return;
    for (const entry of this.#recent.from(from)) {
      if (compareIds(entry, to) > 0) return;
      yield entry;
    }
  }

  /** The same of those in SQL. */
  *#storedRange(from: StreamId, to: StreamId, reverse: boolean): Iterable<StreamEntry> {
    if (compareIds(from, this.#trimmedTo) <= 0) from = idAfter(this.#trimmedTo) ?? from;
    for (let limit = PAGE_MIN; compareIds(from, to) <= 0; limit = Math.min(PAGE_MAX, limit * 4)) {
      const page = this.#source.read(from, to, { skip: 0, limit, reverse });
      const changes = this.#source.changes();
      for (const entry of page) {
        const text = idText(entry);
        // What SQL has and what has changed since is gone.
        if (!changes.some((rows) => rows?.has(text))) yield entry;
      }
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return;
      const next = reverse ? idBefore(last) : idAfter(last);
      if (next === undefined) return;
      if (reverse) to = next;
      else from = next;
    }
  }

  #isStored(id: StreamId): boolean {
    return compareIds(id, this.#storedTo) <= 0;
  }

  #forgetEnds(): void {
    this.#first = undefined;
    this.#last = undefined;
  }
}

/** Bytes that an entry takes in memory, about. */
export function heldBytes({ words }: StreamEntry): number {
  let bytes = ENTRY_OVERHEAD_BYTES + words.length * WORD_OVERHEAD_BYTES;
  for (const word of words) bytes += word.length;
  return bytes;
}
