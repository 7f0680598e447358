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
