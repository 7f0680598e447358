import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";

/** Elements of one chunk: enough that chunks are few, so few that moving them costs nothing. */
const CHUNK_MAX = 256;
/** Room between the positions of two neighbours: what lets LINSERT in without moving others. */
const GAP = 256;
/** Elements around an insertion that are moved first when there is no room left … */
const SPREAD_MIN = 16;
/** … doubled until they come to stand this far apart. */
const SPREAD_GAP = 64;

/** Values with their positions, ascending integers. */
class Chunk {
  readonly values: Bytes[];
  readonly positions: number[];

  constructor(values: Bytes[] = [], positions: number[] = []) {
    this.values = values;
    this.positions = positions;
  }

  get length(): number {
    return this.values.length;
  }
}

/** An element that got another position. */
export interface MovedElement {
  readonly from: number;
  readonly to: number;
  readonly value: Bytes;
}

/**
 * A sequence of values, each with a position: an integer that names it as long as it is there,
 * ascending from head to tail. Both ends are reached in O(1), an index in O(length / 256).
 */
export class ChunkedList {
  /** None is empty. */
  #chunks: Chunk[] = [];
  #length = 0;
  /** What `#seek` found: a chunk and an index in it. */
  #chunk = 0;
  #offset = 0;

  get length(): number {
    return this.#length;
  }

  /** Of the first element; there must be one. */
  get firstPosition(): number {
    return this.#chunks[0].positions[0];
  }

  /** Of the last element; there must be one. */
  get lastPosition(): number {
    const { positions } = this.#chunks[this.#chunks.length - 1];
    return positions[positions.length - 1];
  }

  at(index: number): Bytes {
    this.#seek(index);
    return this.#chunks[this.#chunk].values[this.#offset];
  }

  positionAt(index: number): number {
    this.#seek(index);
    return this.#chunks[this.#chunk].positions[this.#offset];
  }

  replace(index: number, value: Bytes): void {
    this.#seek(index);
    this.#chunks[this.#chunk].values[this.#offset] = value;
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
    this.#length += 1;
    return position;
  }

  /** Adds a value behind all others; returns its position. */
  push(value: Bytes): number {
    const position = this.#length === 0 ? 0 : this.lastPosition + GAP;
    this.append(position, value);
    return position;
  }

  /** Adds a value behind all others, at a position beyond theirs. */
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
    const chunk = this.#chunks[0];
    const value = chunk.values.shift() as Bytes;
    chunk.positions.shift();
    if (chunk.length === 0) this.#chunks.shift();
    this.#length -= 1;
    return value;
  }

  /** Takes the last value off; there must be one. */
  pop(): Bytes {
    const chunk = this.#chunks[this.#chunks.length - 1];
    const value = chunk.values.pop() as Bytes;
    chunk.positions.pop();
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
    this.#seek(index);
    const chunk = this.#chunks[this.#chunk];
    chunk.values.splice(this.#offset, 0, value);
    chunk.positions.splice(this.#offset, 0, position);
    this.#length += 1;
    if (chunk.length <= CHUNK_MAX) return;
    const half = chunk.length >> 1;
    const second = new Chunk(chunk.values.splice(half), chunk.positions.splice(half));
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
    this.#seek(from);
    let [c, offset] = [this.#chunk, this.#offset];
    for (let at = from; at < to; at++, offset++) {
      if (offset === this.#chunks[c].length) [c, offset] = [c + 1, 0];
      const { values, positions } = this.#chunks[c];
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
    const last = this.#chunks.length - 1;
    for (let i = 0; i <= last && removed.length < limit; i++) {
      const chunk = this.#chunks[reverse ? last - i : i];
      if (chunk.values.includes(value)) removeFrom(chunk, value, limit, reverse, removed);
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
      if (before !== undefined && before.length + chunk.length <= CHUNK_MAX / 2) {
        before.values.push(...chunk.values);
        before.positions.push(...chunk.positions);
      } else if (chunk.length > 0) {
        chunks.push(chunk);
      }
    }
    this.#chunks = chunks;
  }

  /** The values from `start` up to `stop`, inclusive. */
  range(start: number, stop: number): Bytes[] {
    if (start > stop) return [];
    this.#seek(start);
    let c = this.#chunk;
    const offset = this.#offset;
    let left = stop - start + 1;
    const first = this.#chunks[c].values;
    if (offset + left <= first.length) return first.slice(offset, offset + left);
    const values = first.slice(offset);
    left -= values.length;
    while (left > 0) {
      const next = this.#chunks[++c].values;
      const count = Math.min(left, next.length);
      for (let i = 0; i < count; i++) values.push(next[i]);
      left -= count;
    }
    return values;
  }

  /** The values from `start` on to the tail, or (`reverse`) back to the head. */
  *values(start: number, reverse = false): Iterable<Bytes> {
    if (start < 0 || start >= this.#length) return;
    this.#seek(start);
    let [c, offset] = [this.#chunk, this.#offset];
    const step = reverse ? -1 : 1;
    for (; c >= 0 && c < this.#chunks.length; c += step) {
      const { values } = this.#chunks[c];
      if (offset < 0) offset = reverse ? values.length - 1 : 0;
      for (; offset >= 0 && offset < values.length; offset += step) yield values[offset];
      offset = -1;
    }
  }

  /** Finds the element at `index`, from the nearer end. */
  #seek(index: number): void {
    assert(index >= 0 && index < this.#length, "an index within the list");
    const chunks = this.#chunks;
    if (index * 2 < this.#length) {
      let c = 0;
      for (let left = index;; c++) {
        const { length } = chunks[c].values;
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
      const { length } = chunks[c].values;
      if (left <= length) {
        this.#offset = length - left;
        break;
      }
      left -= length;
    }
    this.#chunk = c;
  }
}

/** Takes values out of a chunk until `removed` has `limit` positions. */
function removeFrom(
  chunk: Chunk,
  value: Bytes,
  limit: number,
  reverse: boolean,
  removed: number[],
): void {
  const { values, positions } = chunk;
  const doomed = new Set<number>();
  for (let i = 0; i < values.length && removed.length < limit; i++) {
    const at = reverse ? values.length - 1 - i : i;
    if (values[at] !== value) continue;
    doomed.add(at);
    removed.push(positions[at]);
  }
  let kept = 0;
  for (let at = 0; at < values.length; at++) {
    if (doomed.has(at)) continue;
    values[kept] = values[at];
    positions[kept++] = positions[at];
  }
  values.length = positions.length = kept;
}
