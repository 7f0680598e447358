/** Places that are counted together, at least: 2^7. */
const BLOCK_BITS_MIN = 7;
/** Elements of a block, about, where there are many gaps. */
const BLOCK_ELEMENTS = 64;
/** Blocks are made anew when they have become so many times as many. */
const GROWTH_MAX = 4;

/** The places from the first to the last element. */
export interface PlaceSpan {
  readonly first: number;
  readonly last: number;
}

/**
 * How many elements of a collection have their place in each block of places: so the element of a
 * rank, counted by place, is looked for in one block alone.
 */
export class PlaceCounts {
  readonly span: PlaceSpan;
  /** A block has 2^bits places, from `span.first` on. */
  readonly bits: number;
  readonly #counts: number[];
  readonly #blocksMax: number;

  /** For `size` elements in this span; none is counted yet. */
  constructor(span: PlaceSpan, size: number) {
    const places = span.last - span.first + 1;
    let bits = BLOCK_BITS_MIN;
    while (places / 2 ** bits > 16 + size / BLOCK_ELEMENTS) bits += 1;
    this.span = span;
    this.bits = bits;
    this.#counts = new Array(this.#blockOf(span.last) + 1).fill(0);
    this.#blocksMax = this.#counts.length * GROWTH_MAX + 1024;
  }

  /** The blocks have become too many, of too few elements each. */
  get isStale(): boolean {
    return this.#counts.length > this.#blocksMax;
  }

  /** Every place in the span has an element. */
  fill(): void {
    const { first, last } = this.span;
    this.#counts.fill(2 ** this.bits);
    this.#counts[this.#counts.length - 1] = ((last - first) % 2 ** this.bits) + 1;
  }

  /** Counts elements of a block: those with a place from `first` + block * 2^bits on. */
  put(block: number, count: number): void {
    this.#counts[block] = count;
  }

  /** Counts one more element of a place, or (-1) one less. */
  add(place: number, by: 1 | -1 = 1): void {
    const block = this.#blockOf(place);
    while (this.#counts.length <= block) this.#counts.push(0);
    this.#counts[block] += by;
  }

  /** The place before the block of the element of this rank, and how many of the block precede it. */
  find(rank: number): { after: number; skip: number } {
    let block = 0;
    for (; rank >= this.#counts[block]; block++) rank -= this.#counts[block];
    return { after: this.span.first + block * 2 ** this.bits - 1, skip: rank };
  }

  #blockOf(place: number): number {
    return Math.floor((place - this.span.first) / 2 ** this.bits);
  }
}
