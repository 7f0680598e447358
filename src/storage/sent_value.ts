import type { SqlValue } from "./sqlite_types.ts";

/**
 * A parameter on its way to another thread. Deno looks at each byte of an array of bytes that
 * arrives in a message, 100 ms a megabyte, but not into an ArrayBuffer.
 */
export type SentValue = SqlValue | ArrayBuffer;

/** The value as it is sent; its memory is the message's own when it was that of a whole buffer. */
export function toSent(value: SqlValue): SentValue {
  if (!(value instanceof Uint8Array)) return value;
  if (value.byteLength === value.buffer.byteLength) return value.buffer as ArrayBuffer;
  return Uint8Array.prototype.slice.call(value).buffer;
}

/** The value that was sent. */
export function fromSent(value: SentValue): SqlValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}
