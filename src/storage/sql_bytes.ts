import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import type { SqlValue } from "./sqlite_types.ts";

const TEXT_LENGTH_MAX = 1024;
/** A flush hands longer ones over to its thread as they are, so that it makes the copy. */
export const LONG_BYTES_MIN = 64 * 1024;
// deno-lint-ignore no-control-regex -- the whole ASCII range without NUL is meant.
const PLAIN = /^[\x01-\x7f]*$/;

/**
 * The value SQLite stores for a byte string: TEXT when it is short ASCII without NUL, so that a
 * person can read and query it, else a BLOB. A function of the bytes alone: equal byte strings
 * are equal in SQL, though TEXT and BLOB never are.
 */
export function bytesToSql(bytes: Bytes): string | Uint8Array {
  return bytes.length <= TEXT_LENGTH_MAX && PLAIN.test(bytes) ? bytes : toBuffer(bytes);
}

/** Makes a BLOB of a long byte string that has stayed as it was until here. */
export function longToSql(value: SqlValue): SqlValue {
  return typeof value === "string" && value.length >= LONG_BYTES_MIN ? toBuffer(value) : value;
}

/** The byte string that `bytesToSql` stored; "" for NULL. */
export function bytesFromSql(value: SqlValue): Bytes {
  if (typeof value === "string") return value;
  return value === null ? "" : fromUint8Array(value as Uint8Array);
}
