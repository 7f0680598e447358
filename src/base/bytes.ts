import { Buffer } from "node:buffer";

/**
 * A byte string: every char code is 0..255, one char a byte ("binary string", latin1).
 *
 * Keys and values are held so everywhere between the sockets and SQLite: it can be a Map key,
 * compares and orders as bytes do, is immutable, and both engines store it one byte a char.
 */
export type Bytes = string;

/** The UTF-8 bytes of `text`. */
export function utf8Encode(text: string): Bytes {
  return isAscii(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** `bytes` read as UTF-8; invalid sequences become U+FFFD. */
export function utf8Decode(bytes: Bytes): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** The bytes of an array, copied. */
export function fromUint8Array(array: Uint8Array): Bytes {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("latin1");
}

/** The bytes [start, end) of a buffer, copied. The fastest way to a string on all runtimes. */
export function sliceBytes(buffer: Buffer, start: number, end: number): Bytes {
  return (buffer as LatinBuffer).latin1Slice(start, end);
}

/** In Bun, Deno and Node, missing from Deno's types. */
type LatinBuffer = Buffer & { latin1Slice(start: number, end: number): string };

/** A fresh buffer with the bytes of `parts`, one after the other. */
export function joinBuffers(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}

/**
 * A buffer with room for `needed` bytes that starts with the first `used` of `buffer`: the same
 * one, or a larger copy (twice the size, at most `limit`), so that appending costs O(1) a byte.
 */
export function growBuffer(
  buffer: Buffer | undefined,
  used: number,
  needed: number,
  limit: number,
): Buffer {
  if (buffer !== undefined && buffer.length >= needed) return buffer;
  const grown = Buffer.allocUnsafe(Math.min(limit, Math.max(needed, used * 2)));
  buffer?.copy(grown, 0, 0, used);
  return grown;
}

/** A fresh buffer that holds `bytes`. */
export function toBuffer(bytes: Bytes): Buffer {
  return Buffer.from(bytes, "latin1");
}

// deno-lint-ignore no-control-regex -- the whole ASCII range is meant.
const ASCII = /^[\x00-\x7f]*$/;

/** Whether each byte is below 128. */
export function isAscii(text: string): boolean {
  return ASCII.test(text);
}
