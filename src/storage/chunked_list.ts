import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { Chunk, type ListSource, removeFrom, unreadChunk, type UnreadRun } from "./list_chunk.ts";

/** Elements of one chunk: enough that chunks are few, so few that moving them costs nothing. */
export const CHUNK_MAX = 256;
/** Chunks' worth of elements that SQL passes over to get at one of them. */
const HOP_CHUNKS = 4;
/** Room between the positions of two neighbours: what lets LINSERT in without moving others. */
const GAP = 256;
/** Elements around an insertion that are moved first when there is no room left … */
const SPREAD_MIN = 16;
/** … doubled until they come to stand this far apart. */
const SPREAD_GAP = 64;

/** An element that got another position. */
export interface MovedElement {
  readonly from: number;
  readonly to: number;
  readonly value: Bytes;
}

/**
 * A sequence of values, each with a position: an integer that names it as long as it is there,
 * ascending from head to tail. Both ends are reached in O(1), an index in O(length / 256).
 *
 * Elements may be in SQL alone: then their chunk tells only how many, and where. The ends come into
 * memory when they are asked for, and what is changed; all else is read when it is and not kept.
 */
export class ChunkedList {
  /** Advances when changes are taken to be written. */
  epoch = 1;
  /** Some elements are in SQL alone, or have been. */
  isPartial = false;
  /** None is empty. Another array when chunks were cut into smaller ones. */
  #chunks: Chunk[] = [];
  #length = 0;
  /** What `#seek` found: a chunk and an index in it. */
  #chunk = 0;
  #offset = 0;
  #chunkMax = CHUNK_MAX;
  readonly #source: ListSource | undefined;

  constructor(source?: ListSource) {
    this.#source = source;
  }

  /** Makes an empty list stand for the `length` elements of its source, unread. */
  stand(length: number, chunkMax: number): void {
    const [first, last] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
    this.#chunks = [unreadChunk(first, last, length)];
    this.#length = length;
    this.#chunkMax = chunkMax;
    this.isPartial = true;
  }

  /**
   * Lets go of up to `limit` values that the source has: of whole chunks that changed last before
   * the epoch `cleanBelow`, but not of the ends. Returns the values.
   */
  shed(cleanBelow: number, limit: number): Bytes[] {
    const gone: Bytes[] = [];
    for (let c = 1; c < this.#chunks.length - 1 && gone.length < limit; c++) {
      const chunk = this.#chunks[c];
      if (chunk.unread !== undefined || chunk.changedIn >= cleanBelow) continue;
      const { positions, values, length } = chunk;
      chunk.unread = { first: positions[0], last: positions[length - 1], length };
      chunk.values = [];
      chunk.positions = [];
      for (const value of values) gone.push(value);
    }
    if (gone.length > 0) this.isPartial = true;
    return gone;
  }

  get length(): number {
    return this.#length;
  }

  /** Of the first element; there must be one. */
  get firstPosition(): number {
    this.#reach(0);
    return this.#chunks[0].positions[0];
  }

  /** Of the last element; there must be one. */
  get lastPosition(): number {
    this.#reach(this.#length - 1);
    const { positions } = this.#chunks[this.#chunks.length - 1];
    return positions[positions.length - 1];
  }

  at(index: number): Bytes {
    this.#locate(index);
    const { unread, values } = this.#chunks[this.#chunk];
    return unread === undefined ? values[this.#offset] : this.#read(unread, this.#offset, 1)[0];
  }

  positionAt(index: number): number {
    this.#reach(index);
    return this.#chunks[this.#chunk].positions[this.#offset];
  }

  replace(index: number, value: Bytes): void {
    this.#reach(index);
    const chunk = this.#chunks[this.#chunk];
    chunk.values[this.#offset] = value;
    chunk.changedIn = this.epoch;
  }

  /** Adds a value before all others; returns its position. */
  unshift(value: Bytes): number {
    const position = this.#length === 0 ? 0 : this.firstPosition - GAP;
    let chunk = this.#chunks[0];
    if (chunk === undefined || chunk.length >= CHUNK_MAX) {
      chunk = new Chunk();
      this.#chunks.unshift(chunk);
    }
    chunk.values.unshift(value);
    chunk.positions.unshift(position);
    chunk.changedIn = this.epoch;
    this.#length += 1;
    return position;
  }

  /** Adds a value behind all others; returns its position. */
  push(value: Bytes): number {
    const position = this.#length === 0 ? 0 : this.lastPosition + GAP;
    this.append(position, value);
    this.#chunks[this.#chunks.length - 1].changedIn = this.epoch;
    return position;
  }

  /** Adds a value behind all others, which are in memory, at a position beyond theirs. */
  append(position: number, value: Bytes): void {
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.length >= CHUNK_MAX) {
      chunk = new Chunk();
      this.#chunks.push(chunk);
    }
    chunk.values.push(value);
    chunk.positions.push(position);
    this.#length += 1;
  }

  /** Takes the first value off; there must be one. */
  shift(): Bytes {
    this.#reach(0);
    const chunk = this.#chunks[0];
    const value = chunk.values.shift() as Bytes;
    chunk.positions.shift();
    chunk.changedIn = this.epoch;
    if (chunk.length === 0) this.#chunks.shift();
    this.#length -= 1;
    return value;
  }

  /** Takes the last value off; there must be one. */
  pop(): Bytes {
    this.#reach(this.#length - 1);
    const chunk = this.#chunks[this.#chunks.length - 1];
    const value = chunk.values.pop() as Bytes;
    chunk.positions.pop();
    chunk.changedIn = this.epoch;
    if (chunk.length === 0) this.#chunks.pop();
    this.#length -= 1;
    return value;
  }

  /** A position between those of `index` - 1 and `index`, both there; undefined: no room. */
  roomBefore(index: number): number | undefined {
    const before = this.positionAt(index - 1);
    const room = this.positionAt(index) - before;
    return room < 2 ? undefined : before + Math.floor(room / 2);
  }

  /** Inserts before the element at `index`, which is there, at a position from `roomBefore`. */
  insert(index: number, position: number, value: Bytes): void {
    this.#reach(index);
    const chunk = this.#chunks[this.#chunk];
    chunk.values.splice(this.#offset, 0, value);
    chunk.positions.splice(this.#offset, 0, position);
    chunk.changedIn = this.epoch;
    this.#length += 1;
    if (chunk.length <= CHUNK_MAX) return;
    const half = chunk.length >> 1;
    const second = new Chunk(chunk.values.splice(half), chunk.positions.splice(half));
    second.changedIn = this.epoch;
    this.#chunks.splice(this.#chunk + 1, 0, second);
  }

  /** Makes room before `index` by moving elements around it apart; returns those that moved. */
  spread(index: number): MovedElement[] {
    for (let width = SPREAD_MIN;; width *= 2) {
      const from = Math.max(0, index - width / 2);
      const to = Math.min(this.#length, index + width / 2);
      const isWhole = from === 0 && to === this.#length;
      // Beyond an end of the list there is room without end.
      const low = from > 0
        ? this.positionAt(from - 1)
        : to < this.#length
        ? this.positionAt(to) - GAP * (to - from + 1)
        : 0;
      const high = to < this.#length ? this.positionAt(to) : low + GAP * (to - from + 1);
      const gap = Math.floor((high - low) / (to - from + 1));
      if (gap >= SPREAD_GAP || isWhole) return this.#place(from, to, low + gap, gap);
    }
  }

  /** Gives the elements [from, to) positions `gap` apart. */
  #place(from: number, to: number, first: number, gap: number): MovedElement[] {
    const moved: MovedElement[] = [];
    for (let at = from; at < to; at++) this.#reach(at);
    this.#seek(from);
    let [c, offset] = [this.#chunk, this.#offset];
    for (let at = from; at < to; at++, offset++) {
      if (offset === this.#chunks[c].length) [c, offset] = [c + 1, 0];
      const { values, positions } = this.#chunks[c];
      this.#chunks[c].changedIn = this.epoch;
      const position = first + (at - from) * gap;
      moved.push({ from: positions[offset], to: position, value: values[offset] });
      positions[offset] = position;
    }
    return moved;
  }

  /**
   * Takes out up to `limit` values equal to `value`, from the head or (`reverse`) the tail;
   * returns their positions.
   */
  removeEqual(value: Bytes, limit: number, reverse: boolean): number[] {
    const removed: number[] = [];
    if (this.isPartial) this.#reachEqual(value, limit, reverse);
    const last = this.#chunks.length - 1;
    for (let i = 0; i <= last && removed.length < limit; i++) {
      const chunk = this.#chunks[reverse ? last - i : i];
      if (!chunk.values.includes(value)) continue;
      removeFrom(chunk, value, limit, reverse, removed);
      chunk.changedIn = this.epoch;
    }
    if (removed.length === 0) return removed;
    this.#length -= removed.length;
    this.#join();
    return removed;
  }

  /** Drops empty chunks and joins small ones to those before them. */
  #join(): void {
    const chunks: Chunk[] = [];
    for (const chunk of this.#chunks) {
      const before = chunks[chunks.length - 1];
      const isInMemory = chunk.unread === undefined && before?.unread === undefined;
      if (isInMemory && before !== undefined && before.length + chunk.length <= CHUNK_MAX / 2) {
        before.values.push(...chunk.values);
        before.positions.push(...chunk.positions);
        before.changedIn = this.epoch;
      } else if (chunk.length > 0) {
        chunks.push(chunk);
      }
    }
    this.#chunks = chunks;
  }

  /** Has the values in memory that `removeEqual` would take out. */
  #reachEqual(value: Bytes, limit: number, reverse: boolean): void {
    const found: number[] = [];
    let index = reverse ? this.#length - 1 : 0;
    for (const other of this.values(index, reverse)) {
      if (other === value && found.push(index) === limit) break;
      index += reverse ? -1 : 1;
    }
    for (const index of found) this.#reach(index);
  }

  /** The values from `start` up to `stop`, inclusive. */
  range(start: number, stop: number): Bytes[] {
    if (start > stop) return [];
    this.#locate(start);
    let c = this.#chunk;
    const offset = this.#offset;
    let left = stop - start + 1;
    const values = this.#valuesOf(this.#chunks[c], offset, left);
    left -= values.length;
    while (left > 0) {
      const next = this.#valuesOf(this.#chunks[++c], 0, left);
      for (const value of next) values.push(value);
      left -= next.length;
    }
    return values;
  }

  /** Up to `count` values of a chunk from an offset on. */
  #valuesOf({ values, unread }: Chunk, offset: number, count: number): Bytes[] {
    if (unread === undefined) return values.slice(offset, offset + count);
    return this.#read(unread, offset, Math.min(count, unread.length - offset));
  }

  /** The values from `start` on to the tail, or (`reverse`) back to the head. */
  *values(start: number, reverse = false): Iterable<Bytes> {
    if (start < 0 || start >= this.#length) return;
    this.#locate(start);
    const chunks = this.#chunks;
    let [c, offset] = [this.#chunk, this.#offset];
    const step = reverse ? -1 : 1;
    for (; c >= 0 && c < chunks.length; c += step) {
      const { values, unread } = chunks[c];
      if (unread !== undefined) {
        const skip = offset < 0 ? 0 : reverse ? unread.length - 1 - offset : offset;
        yield* this.#unreadValues(unread, skip, reverse);
        offset = -1;
        continue;
      }
      if (offset < 0) offset = reverse ? values.length - 1 : 0;
      for (; offset >= 0 && offset < values.length; offset += step) yield values[offset];
      offset = -1;
    }
  }

  /** The values of a run but for the first (`reverse`: last) `skip`, page by page. */
  *#unreadValues(run: UnreadRun, skip: number, reverse: boolean): Iterable<Bytes> {
    const limit = this.#chunkMax;
    for (let [rest, left] = [run, run.length - skip]; left > 0; skip = 0) {
      const rows = this.#sourceOf().read(rest, { skip, limit, reverse });
      for (const [, value] of rows) yield value;
      const [last] = rows[rows.length - 1];
      left -= rows.length;
      rest = reverse ? { ...rest, last: last - 1 } : { ...rest, first: last + 1 };
    }
  }

  /** Values of a run, read from its nearer end. */
  #read(run: UnreadRun, offset: number, count: number): Bytes[] {
    const reverse = offset * 2 > run.length;
    const skip = reverse ? run.length - offset - count : offset;
    const rows = this.#sourceOf().read(run, { skip, limit: count, reverse });
    assert(rows.length === count, "SQL has the elements that are not in memory");
    const values = rows.map(([, value]) => value);
    return reverse ? values.reverse() : values;
  }

  #sourceOf(): ListSource {
    assert(this.#source !== undefined, "elements that are not in memory have a source");
    return this.#source;
  }

  /** `#seek` of an element that is to be in memory. */
  #reach(index: number): void {
    for (this.#seek(index); this.#chunks[this.#chunk].unread !== undefined; this.#seek(index)) {
      this.#carve(this.#chunk, this.#offset);
    }
  }

  /** `#seek` of an element to read. Those near the ends are had in memory. */
  #locate(index: number): void {
    this.#seek(index);
    const { unread } = this.#chunks[this.#chunk];
    if (unread === undefined) return;
    const isAtEnd = index < this.#chunkMax || this.#length - index <= this.#chunkMax;
    if (isAtEnd) return this.#reach(index);
    if (Math.min(this.#offset, unread.length - this.#offset) <= this.#hop) return;
    this.#divide(this.#chunk, this.#offset);
    this.#seek(index);
  }

  get #hop(): number {
    return this.#chunkMax * HOP_CHUNKS;
  }

  /** Reads the elements around an offset of an unread chunk, or cuts it where it is long. */
  #carve(c: number, offset: number): void {
    const { first, last, length } = this.#chunks[c].unread as UnreadRun;
    const limit = Math.min(this.#chunkMax, length);
    const isAtStart = offset < limit;
    const reverse = !isAtStart && length - offset <= limit;
    if (!isAtStart && !reverse && length > this.#hop) return this.#divide(c, offset);
    const start = isAtStart ? 0 : reverse ? length - limit : offset - offset % limit;
    const count = Math.min(limit, length - start);
    const slice = { skip: reverse ? 0 : start, limit: count, reverse };
    const rows = this.#sourceOf().read({ first, last, length }, slice);
    assert(rows.length === count, "SQL has the elements that are not in memory");
    if (reverse) rows.reverse();
    const values = rows.map(([, value]) => value);
    const positions = rows.map(([position]) => position);
    const pieces = [new Chunk(values, positions)];
    if (start > 0) pieces.unshift(unreadChunk(first, positions[0] - 1, start));
    const end = start + count;
    if (end < length) pieces.push(unreadChunk(positions[count - 1] + 1, last, length - end));
    this.#cut(c, pieces);
    this.#sourceOf().loaded(values);
  }

  /** Cuts a long unread chunk from its nearer end on, to where the piece with an offset is short. */
  #divide(c: number, offset: number): void {
    const { first, last, length } = this.#chunks[c].unread as UnreadRun;
    const hop = this.#hop;
    const reverse = offset * 2 > length;
    const pieces: Chunk[] = [];
    let run: UnreadRun = { first, last, length };
    for (let left = reverse ? length - 1 - offset : offset; run.length > hop; left -= hop) {
      const [[position]] = this.#sourceOf().read(run, { skip: hop, limit: 1, reverse });
      pieces.push(
        reverse
          ? unreadChunk(position + 1, run.last, hop)
          : unreadChunk(run.first, position - 1, hop),
      );
      const ends = reverse ? { last: position } : { first: position };
      run = { ...run, ...ends, length: run.length - hop };
      if (left < hop) break;
    }
    pieces.push(unreadChunk(run.first, run.last, run.length));
    this.#cut(c, reverse ? pieces.reverse() : pieces);
  }

  #cut(c: number, pieces: readonly Chunk[]): void {
    this.#chunks = [...this.#chunks.slice(0, c), ...pieces, ...this.#chunks.slice(c + 1)];
  }

  /** Finds the element at `index`, from the nearer end. */
  #seek(index: number): void {
    assert(index >= 0 && index < this.#length, "an index within the list");
    const chunks = this.#chunks;
    if (index * 2 < this.#length) {
      let c = 0;
      for (let left = index;; c++) {
        const { length } = chunks[c];
        if (left < length) {
          this.#offset = left;
          break;
        }
        left -= length;
      }
      this.#chunk = c;
      return;
    }
    let c = chunks.length - 1;
    for (let left = this.#length - index;; c--) {
      const { length } = chunks[c];
      if (left <= length) {
        this.#offset = length - left;
        break;
      }
      left -= length;
    }
    this.#chunk = c;
  }
}
