import { assert } from "../base/assert.ts";
import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import { murmurHash64 } from "./murmur_hash.ts";

export const REGISTERS = 16384;
const INDEX_BITS = 14;
/** Bits of a hash that a register counts zeros in. */
const PATTERN_BITS = 50;
const HASH_SEED = 0xadc83b19;
const MAGIC = "HYLL";
const HEADER_BYTES = 16;
const DENSE = 0;
const SPARSE = 1;
const DENSE_BYTES = HEADER_BYTES + (REGISTERS * 6) / 8;
/** A sparse value that would grow beyond this becomes dense (hll-sparse-max-bytes). */
const SPARSE_BYTES_MAX = 3000;
/** The highest count, and the longest run of it, that a sparse value can hold. */
const SPARSE_COUNT_MAX = 32;
const SPARSE_RUN_MAX = 4;
const ZERO_RUN_MAX = 64;
/** After an update Redis tries to merge this many steps of runs, from the one before it. */
const MERGE_STEPS = 5;
const ALPHA = 0.721347520444481703680;

/** A value that has the form of a HyperLogLog but not its content. */
export class CorruptHyperLogLog extends Error {}

/** The estimated number of elements that all 16384 registers, a byte each, have seen. */
export function cardinalityOf(registers: Uint8Array): number {
  const histogram = new Uint32Array(64);
  for (let index = 0; index < REGISTERS; index++) histogram[registers[index]]++;
  return estimate(histogram);
}

/** A run of equal registers in a sparse value. */
interface Run {
  /** How many bytes it takes. */
  readonly bytes: number;
  readonly count: number;
  readonly length: number;
}

/**
 * A HyperLogLog in Redis's own string encoding, byte for byte: a header "HYLL", the encoding, a
 * cached cardinality with a flag for a stale one, and 16384 registers of 6 bits, either packed
 * (dense) or as runs (sparse: 00nnnnnn zeros, 01nnnnnn nnnnnnnn zeros, 1cccccnn counts).
 *
 * Source: redis.io/commands/pfadd and the layout that Redis's hyperloglog.c documents.
 */
export class HyperLogLog {
  #bytes: Uint8Array;
  #length: number;

  private constructor(value: Bytes) {
    this.#length = value.length;
    this.#bytes = new Uint8Array(Math.max(value.length, SPARSE_BYTES_MAX));
    this.#bytes.set(toBuffer(value));
  }

  /** One that counts nothing. */
  static empty(): HyperLogLog {
    return new HyperLogLog(MAGIC + "\x01" + "\0".repeat(10) + "\x80" + "\x7f\xff");
  }

  /** The one that a string value holds; undefined when it holds none. */
  static from(value: Bytes): HyperLogLog | undefined {
    if (value.length < HEADER_BYTES || !value.startsWith(MAGIC)) return undefined;
    const encoding = value.charCodeAt(4);
    if (encoding > SPARSE) return undefined;
    if (encoding === DENSE && value.length !== DENSE_BYTES) return undefined;
    return new HyperLogLog(value);
  }

  /** The string value. */
  toValue(): Bytes {
    return fromUint8Array(this.#bytes.subarray(0, this.#length));
  }

  get isDense(): boolean {
    return this.#bytes[4] === DENSE;
  }

  /** Counts an element; whether a register changed. */
  add(element: Bytes): boolean {
    const { high, low } = murmurHash64(element, HASH_SEED);
    const rest = low >>> INDEX_BITS;
    let zeros = PATTERN_BITS;
    if (rest !== 0) zeros = trailingZeros(rest);
    else if (high !== 0) zeros = 32 - INDEX_BITS + trailingZeros(high);
    return this.#raise(low & (REGISTERS - 1), zeros + 1);
  }

  /** Sets a register that is lower than `count`; whether it was. Marks the cache as stale. */
  #raise(index: number, count: number): boolean {
    const raised = this.isDense ? this.#raiseDense(index, count) : this.#raiseSparse(index, count);
    if (raised) this.#bytes[HEADER_BYTES - 1] |= 0x80;
    return raised;
  }

  /** Raises each register to the one in `registers`, and marks the cache as stale. */
  raiseAll(registers: Uint8Array): void {
    this.#bytes[HEADER_BYTES - 1] |= 0x80;
    let index = 0;
    for (; index < REGISTERS && !this.isDense; index++) {
      if (registers[index] > 0) this.#raiseSparse(index, registers[index]);
    }
    if (index === REGISTERS) return;
    const merged = this.registers();
    for (; index < REGISTERS; index++) merged[index] = Math.max(merged[index], registers[index]);
    this.#packDense(merged);
  }

  /** All registers, a byte each. */
  registers(): Uint8Array {
    const registers = new Uint8Array(REGISTERS);
    if (this.isDense) {
      for (let index = 0, at = HEADER_BYTES; index < REGISTERS; index += 4, at += 3) {
        const bits = this.#bytes[at] | (this.#bytes[at + 1] << 8) | (this.#bytes[at + 2] << 16);
        registers[index] = bits & 63;
        registers[index + 1] = (bits >> 6) & 63;
        registers[index + 2] = (bits >> 12) & 63;
        registers[index + 3] = bits >> 18;
      }
      return registers;
    }
    let start = 0;
    for (let at = HEADER_BYTES; at < this.#length;) {
      const run = this.#runAt(at);
      if (start + run.length > REGISTERS) throw new CorruptHyperLogLog();
      if (run.count > 0) registers.fill(run.count, start, start + run.length);
      start += run.length;
      at += run.bytes;
    }
    if (start !== REGISTERS) throw new CorruptHyperLogLog();
    return registers;
  }

  /** The estimated number of elements: the cached one, where it is not stale. */
  cardinality(): number | bigint {
    if ((this.#bytes[HEADER_BYTES - 1] & 0x80) === 0) {
      let cached = 0n;
      for (let index = HEADER_BYTES - 1; index >= 8; index--) {
        cached = (cached << 8n) | BigInt(this.#bytes[index]);
      }
      return cached;
    }
    return cardinalityOf(this.registers());
  }

  /** The runs of a sparse value in PFDEBUG's notation: "Z:9000 v:2,1 z:64". */
  describeRuns(): string {
    const runs: string[] = [];
    for (let at = HEADER_BYTES; at < this.#length;) {
      const { bytes, count, length } = this.#runAt(at);
      if (count > 0) runs.push(`v:${count},${length}`);
      else runs.push(`${bytes === 2 ? "Z" : "z"}:${length}`);
      at += bytes;
    }
    return runs.join(" ");
  }

  /** Turns a sparse value into a dense one. */
  makeDense(): void {
    if (this.isDense) return;
    const registers = this.registers();
    const bytes = new Uint8Array(DENSE_BYTES);
    bytes.set(this.#bytes.subarray(0, HEADER_BYTES));
    bytes[4] = DENSE;
    this.#bytes = bytes;
    this.#length = DENSE_BYTES;
    this.#packDense(registers);
  }

  #packDense(registers: Uint8Array): void {
    for (let index = 0, at = HEADER_BYTES; index < REGISTERS; index += 4, at += 3) {
      const low = registers[index] | (registers[index + 1] << 6);
      const bits = low | (registers[index + 2] << 12) | (registers[index + 3] << 18);
      this.#bytes[at] = bits;
      this.#bytes[at + 1] = bits >> 8;
      this.#bytes[at + 2] = bits >> 16;
    }
  }

  #denseRegister(index: number): number {
    const bit = index * 6;
    const at = HEADER_BYTES + (bit >> 3);
    const next = at + 1 < this.#length ? this.#bytes[at + 1] : 0;
    return ((this.#bytes[at] | (next << 8)) >> (bit & 7)) & 63;
  }

  #raiseDense(index: number, count: number): boolean {
    if (this.#denseRegister(index) >= count) return false;
    const bit = index * 6;
    const at = HEADER_BYTES + (bit >> 3);
    const shift = bit & 7;
    this.#bytes[at] = (this.#bytes[at] & ~(63 << shift)) | (count << shift);
    if (shift > 2) {
      const next = this.#bytes[at + 1] & ~(63 >> (8 - shift));
      this.#bytes[at + 1] = next | (count >> (8 - shift));
    }
    return true;
  }

  #raiseSparse(index: number, count: number): boolean {
    if (count > SPARSE_COUNT_MAX) return this.#raiseAsDense(index, count);
    let before = HEADER_BYTES;
    let at = HEADER_BYTES;
    let start = 0;
    while (at < this.#length) {
      const { bytes, length } = this.#runAt(at);
      if (index < start + length) break;
      before = at;
      at += bytes;
      start += length;
    }
    if (at >= this.#length) throw new CorruptHyperLogLog();
    const run = this.#runAt(at);
    if (run.count >= count) return false;
    const runs = [
      ...encodeRun(run.count, index - start),
      ...encodeRun(count, 1),
      ...encodeRun(run.count, start + run.length - index - 1),
    ];
    const growth = runs.length - run.bytes;
    if (growth > 0 && this.#length + growth > SPARSE_BYTES_MAX) {
      return this.#raiseAsDense(index, count);
    }
    this.#bytes.copyWithin(at + runs.length, at + run.bytes, this.#length);
    this.#bytes.set(runs, at);
    this.#length += growth;
    this.#mergeRuns(before);
    return true;
  }

  #raiseAsDense(index: number, count: number): boolean {
    this.makeDense();
    const raised = this.#raiseDense(index, count);
    assert(raised, "a sparse value becomes dense only when a register grows");
    return raised;
  }

  /** Joins neighbours of the same count, as far as Redis looks. */
  #mergeRuns(from: number): void {
    let at = from;
    for (let step = 0; step < MERGE_STEPS && at < this.#length; step++) {
      const run = this.#runAt(at);
      const nextAt = at + run.bytes;
      if (run.count > 0 && nextAt < this.#length) {
        const next = this.#runAt(nextAt);
        const length = run.length + next.length;
        if (next.count === run.count && length <= SPARSE_RUN_MAX) {
          this.#bytes.copyWithin(at, nextAt, this.#length);
          this.#bytes.set(encodeRun(run.count, length), at);
          this.#length -= 1;
          continue;
        }
      }
      at = nextAt;
    }
  }

  #runAt(at: number): Run {
    const byte = this.#bytes[at];
    if (byte >= 0x80) {
      return { bytes: 1, count: ((byte >> 2) & 31) + 1, length: (byte & 3) + 1 };
    }
    if (byte < 0x40) return { bytes: 1, count: 0, length: byte + 1 };
    const low = at + 1 < this.#length ? this.#bytes[at + 1] : 0;
    return { bytes: 2, count: 0, length: (((byte & 0x3f) << 8) | low) + 1 };
  }
}

/** The bytes of a run; none when it is empty. */
function encodeRun(count: number, length: number): number[] {
  if (length === 0) return [];
  if (count > 0) return [0x80 | ((count - 1) << 2) | (length - 1)];
  if (length <= ZERO_RUN_MAX) return [length - 1];
  return [0x40 | ((length - 1) >> 8), (length - 1) & 0xff];
}

/** The number of zero bits below the lowest set one. */
function trailingZeros(value: number): number {
  return 31 - Math.clz32(value & -value);
}

/**
 * The number of elements that registers with this histogram have most likely seen.
 *
 * Source: Otmar Ertl, New cardinality estimation algorithms for HyperLogLog sketches,
 * arXiv:1702.01284, algorithm 6.
 */
function estimate(histogram: Uint32Array): number {
  let z = REGISTERS * tau((REGISTERS - histogram[PATTERN_BITS + 1]) / REGISTERS);
  for (let count = PATTERN_BITS; count >= 1; count--) z = (z + histogram[count]) * 0.5;
  z += REGISTERS * sigma(histogram[0] / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
}

function sigma(share: number): number {
  if (share === 1) return Infinity;
  let x = share;
  let y = 1;
  let z = share;
  let before: number;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (before !== z);
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let z = 1 - share;
  let before: number;
  do {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (before !== z);
  return z / 3;
}
