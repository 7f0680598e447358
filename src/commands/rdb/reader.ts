import type { Bytes } from "../../base/bytes.ts";
import { toUint64, type Uint64 } from "../../base/uint64.ts";

/** What is read is no value: ends `readValue`, and nothing beyond it. */
export class BadDump extends Error {
  override name = "BadDump";
}

/** A special form of a string, in place of its length. */
const INT8 = 0;
const INT16 = 1;
const INT32 = 2;
const COMPRESSED = 3;

/** Reads numbers and strings off a byte string; throws BadDump at its end. */
export class Reader {
  readonly #bytes: Bytes;
  #at: number;

  constructor(bytes: Bytes, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw new BadDump();
    return this.#bytes.charCodeAt(this.#at++);
  }

  /** The next `count` bytes. */
  take(count: number): Bytes {
    if (!(count <= this.#bytes.length - this.#at)) throw new BadDump();
    this.#at += count;
    return this.#bytes.slice(this.#at - count, this.#at);
  }

  /** An unsigned integer of up to 6 bytes, the lowest first. */
  little(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value += this.byte() * 2 ** (8 * i);
    return value;
  }

  /** An unsigned integer of up to 6 bytes, the highest first. */
  big(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 256 + this.byte();
    return value;
  }

  /** A signed integer, the lowest byte first. */
  signed(count: number): bigint {
    let value = 0n;
    for (let i = 0; i < count; i++) value |= BigInt(this.byte()) << BigInt(8 * i);
    return BigInt.asIntN(8 * count, value);
  }

  /** A double, the lowest byte first. */
  double(): number {
    const view = new DataView(new ArrayBuffer(8));
    for (let i = 0; i < 8; i++) view.setUint8(i, this.byte());
    return view.getFloat64(0, true);
  }

  /** A length, or how many elements follow. */
  length(): number {
    const first = this.byte();
    if (first >> 6 === 3) throw new BadDump();
    return this.#lengthFrom(first);
  }

  /** A length of which every bit counts. */
  wideLength(): Uint64 {
    if (this.#bytes.charCodeAt(this.#at) !== 0x81) return this.length();
    this.#at++;
    return this.wide();
  }

  /** An unsigned integer of 8 bytes, the highest first. */
  wide(): Uint64 {
    return toUint64(BigInt(this.big(4)) * 2n ** 32n + BigInt(this.big(4)));
  }

  /** A string in any of its forms. */
  string(): Bytes {
    const first = this.byte();
    if (first >> 6 !== 3) return this.take(this.#lengthFrom(first));
    switch (first & 0x3f) {
      case INT8:
        return String(this.signed(1));
      case INT16:
        return String(this.signed(2));
      case INT32:
        return String(this.signed(4));
      case COMPRESSED: {
        const size = this.length();
        const fullSize = this.length();
        return decompress(this.take(size), fullSize);
      }
      default:
        throw new BadDump();
    }
  }

  #lengthFrom(first: number): number {
    if (first < 0x40) return first;
    if (first < 0x80) return (first & 0x3f) * 256 + this.byte();
    if (first === 0x80) return this.big(4);
    if (first !== 0x81) throw new BadDump();
    const high = this.big(4);
    const low = this.big(4);
    return high * 2 ** 32 + low;
  }
}

/** What LibLZF has compressed. */
function decompress(packed: Bytes, size: number): Bytes {
  // No run of it grows more than this.
  if (size > packed.length * 264) throw new BadDump();
  const reader = new Reader(packed);
  const out = new Uint8Array(size);
  let at = 0;
  while (!reader.isAtEnd) {
    const control = reader.byte();
    if (control < 32) {
      if (at + control + 1 > size) throw new BadDump();
      for (let left = control + 1; left > 0; left--) out[at++] = reader.byte();
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) count += reader.byte();
    let from = at - ((control & 0x1f) * 256 + reader.byte()) - 1;
    if (from < 0 || at + count > size) throw new BadDump();
    for (; count > 0; count--) out[at++] = out[from++];
  }
  if (at !== size) throw new BadDump();
  return bytesOfArray(out);
}

const CHUNK = 8192;

function bytesOfArray(array: Uint8Array): Bytes {
  let text = "";
  for (let at = 0; at < array.length; at += CHUNK) {
    text += String.fromCharCode(...array.subarray(at, at + CHUNK));
  }
  return text;
}
