import type { Bytes } from "../base/bytes.ts";

/** Elements that are in SQL alone: all that it has from one position to another, inclusive. */
export interface UnreadRun {
  readonly first: number;
  readonly last: number;
  readonly length: number;
}

/** Elements of a list that follow each other: values with their positions, ascending integers. */
export class Chunk {
  values: Bytes[];
  positions: number[];
  /** Where its elements are, while they are not in memory. */
  unread: UnreadRun | undefined;
  /** The epoch of the list in which it changed last; 0: it is as SQL has it. */
  changedIn = 0;

  constructor(values: Bytes[] = [], positions: number[] = [], unread?: UnreadRun) {
    this.values = values;
    this.positions = positions;
    this.unread = unread;
  }

  get length(): number {
    return this.unread === undefined ? this.values.length : this.unread.length;
  }
}

/** A chunk of `length` elements, at all positions that SQL has from `first` to `last`. */
export function unreadChunk(first: number, last: number, length: number): Chunk {
  return new Chunk([], [], { first, last, length });
}

/** Which elements of a run to read: `limit` behind the first (`reverse`: before the last) `skip`. */
export interface RunSlice {
  readonly skip: number;
  readonly limit: number;
  readonly reverse?: boolean;
}

/** Where a list has the elements that are not in memory. */
export interface ListSource {
  /** Positions and values, in the order of reading. */
  read(run: UnreadRun, slice: RunSlice): (readonly [number, Bytes])[];
  /** Is told of elements that stay in memory now. */
  loaded(values: readonly Bytes[]): void;
}

/** Takes values out of a chunk until `removed` has `limit` positions. */
export function removeFrom(
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
