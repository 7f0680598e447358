import type { Buffer } from "node:buffer";
import { type Bytes, growBuffer, joinBuffers, sliceBytes } from "../base/bytes.ts";
import {
  BULK_BYTES_MAX,
  INLINE_BYTES_MAX,
  REQUEST_BYTES_MAX,
  UNAUTHENTICATED_ARGUMENTS_MAX,
  UNAUTHENTICATED_BULK_BYTES_MAX,
} from "../constants.ts";
import { splitInline } from "./inline.ts";

/** Bytes that break the protocol: answer `-ERR Protocol error: message`, then close. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

const TOO_BIG = "too big request";
/** Counts an argument's own overhead towards the bound on a request. */
const ARGUMENT_OVERHEAD_BYTES = 32;
const ARGUMENTS_MAX = 2 ** 31 - 1;
const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
const MINUS = 45;
const ZERO = 48;

/**
 * Decodes the requests of one connection from the chunks as they arrive. It holds no more than one
 * unfinished request, bounded by `requestBytesMax`, and never allocates by what a header claims.
 *
 * Source: networking.c of Redis 7.0, whose limits and error texts these are.
 */
export class RequestDecoder {
  /** Before authentication requests are held to a small size. */
  authenticated = true;
  /** proto-max-bulk-len: bulk strings of this many bytes or more are refused. */
  bulkBytesMax = BULK_BYTES_MAX;
  requestBytesMax = REQUEST_BYTES_MAX;

  #buffer: Buffer | undefined;
  #at = 0;
  /** Arguments of the unfinished multibulk request, and how many are missing. */
  #argv: Bytes[] | undefined;
  #missing = 0;
  /** Length of the bulk that is being read, -1 when its header is still to come. */
  #bulkLength = -1;
  /** What has come of a bulk that spans several chunks; grows by doubling. */
  #long: Buffer | undefined;
  #longBytes = 0;
  #requestBytes = 0;

  /** Bytes held for a request that is not complete. */
  get heldBytes(): number {
    const rest = this.#buffer === undefined ? 0 : this.#buffer.length - this.#at;
    return this.#requestBytes + this.#longBytes + rest;
  }

  /** Adds received bytes. The chunk must not be changed until `next` has returned undefined. */
  push(chunk: Buffer): void {
    this.#buffer = this.#buffer === undefined
      ? chunk
      : joinBuffers([this.#buffer.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /**
   * The arguments of the next complete request (never empty), or undefined when more bytes are
   * needed. Throws ProtocolError; nothing can be decoded after that.
   */
  next(): Bytes[] | undefined {
    while (this.#buffer !== undefined) {
      if (this.#at >= this.#buffer.length) {
        this.#buffer = undefined;
        return undefined;
      }
      const argv = this.#argv !== undefined
        ? this.#readArguments(this.#buffer)
        : this.#buffer[this.#at] === STAR
        ? this.#readMultibulk(this.#buffer)
        : this.#readInline(this.#buffer);
      if (argv === undefined) {
        this.#keepRest();
        return undefined;
      }
      if (argv.length > 0) return argv;
    }
    return undefined;
  }

  /** Copies what is left of a chunk, so that a few bytes do not keep all of it. */
  #keepRest(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    this.#buffer = this.#at >= buffer.length ? undefined : joinBuffers([buffer.subarray(this.#at)]);
    this.#at = 0;
  }

  #readInline(buffer: Buffer): Bytes[] | undefined {
    const end = buffer.indexOf(LF, this.#at);
    if (end < 0) {
      if (buffer.length - this.#at > INLINE_BYTES_MAX) {
        throw new ProtocolError("too big inline request");
      }
      return undefined;
    }
    const lineEnd = end > this.#at && buffer[end - 1] === CR ? end - 1 : end;
    const argv = splitInline(sliceBytes(buffer, this.#at, lineEnd));
    if (argv === undefined) throw new ProtocolError("unbalanced quotes in request");
    this.#at = end + 1;
    return argv;
  }

  #readMultibulk(buffer: Buffer): Bytes[] | undefined {
    const end = this.#lineEnd(buffer, "too big mbulk count string");
    if (end < 0) return undefined;
    const count = parseLength(buffer, this.#at + 1, end);
    if (Number.isNaN(count) || count > ARGUMENTS_MAX) {
      throw new ProtocolError("invalid multibulk length");
    }
    if (count > UNAUTHENTICATED_ARGUMENTS_MAX && !this.authenticated) {
      throw new ProtocolError("unauthenticated multibulk length");
    }
    this.#at = end + 2;
    if (count <= 0) return [];
    this.#argv = [];
    this.#missing = count;
    this.#requestBytes = 0;
    return this.#readArguments(buffer);
  }

  #readArguments(buffer: Buffer): Bytes[] | undefined {
    const argv = this.#argv!;
    while (this.#missing > 0) {
      if (this.#bulkLength < 0 && !this.#readBulkHeader(buffer)) return undefined;
      const length = this.#bulkLength;
      if (this.#longBytes > 0 || buffer.length - this.#at < length + 2) {
        if (!this.#readLongBulk(buffer, argv)) return undefined;
      } else {
        argv.push(sliceBytes(buffer, this.#at, this.#at + length));
        this.#at += length + 2;
      }
      this.#requestBytes += length + ARGUMENT_OVERHEAD_BYTES;
      this.#bulkLength = -1;
      this.#missing--;
    }
    this.#argv = undefined;
    this.#requestBytes = 0;
    return argv;
  }

  #readBulkHeader(buffer: Buffer): boolean {
    const end = this.#lineEnd(buffer, "too big bulk count string");
    if (end < 0) return false;
    if (buffer[this.#at] !== DOLLAR) {
      const got = sliceBytes(buffer, this.#at, this.#at + 1).replace(/[\r\n]/, " ");
      throw new ProtocolError(`expected '$', got '${got}'`);
    }
    const length = parseLength(buffer, this.#at + 1, end);
    if (!(length >= 0 && length < this.bulkBytesMax)) {
      throw new ProtocolError("invalid bulk length");
    }
    if (length > UNAUTHENTICATED_BULK_BYTES_MAX && !this.authenticated) {
      throw new ProtocolError("unauthenticated bulk length");
    }
    if (this.#requestBytes > this.requestBytesMax) throw new ProtocolError(TOO_BIG);
    this.#at = end + 2;
    this.#bulkLength = length;
    return true;
  }

  /** A bulk that the buffer does not hold in full, its CR LF included. */
  #readLongBulk(buffer: Buffer, argv: Bytes[]): boolean {
    const need = this.#bulkLength + 2;
    const have = Math.min(need - this.#longBytes, buffer.length - this.#at);
    if (have > 0) {
      this.#long = growBuffer(this.#long, this.#longBytes, this.#longBytes + have, need);
      buffer.copy(this.#long, this.#longBytes, this.#at, this.#at + have);
      this.#longBytes += have;
      // By what has come, not by what the header claims.
      if (this.#requestBytes + this.#longBytes > this.requestBytesMax) {
        throw new ProtocolError(TOO_BIG);
      }
      this.#at += have;
    }
    if (this.#long === undefined || this.#longBytes < need) return false;
    argv.push(sliceBytes(this.#long, 0, this.#bulkLength));
    this.#long = undefined;
    this.#longBytes = 0;
    return true;
  }

  /** Index of the CR that ends the line at the cursor, -1 when its LF has not arrived. */
  #lineEnd(buffer: Buffer, tooBig: string): number {
    const end = buffer.indexOf(CR, this.#at);
    if (end < 0 && buffer.length - this.#at > INLINE_BYTES_MAX) throw new ProtocolError(tooBig);
    return end < 0 || end + 1 >= buffer.length ? -1 : end;
  }
}

/** The decimal integer in [start, end), strictly as Redis's string2ll; NaN when it is none. */
function parseLength(buffer: Buffer, start: number, end: number): number {
  const negative = buffer[start] === MINUS;
  let at = negative ? start + 1 : start;
  const digits = end - at;
  if (digits > 15) return parseLong(buffer, start, end);
  if (digits <= 0 || (buffer[at] === ZERO && (digits > 1 || negative))) return NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = buffer[at] - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

/** `parseLength` of more digits than a number holds exactly: any 64-bit integer, rounded. */
function parseLong(buffer: Buffer, start: number, end: number): number {
  const text = sliceBytes(buffer, start, end);
  if (!/^-?[1-9]\d{15,18}$/.test(text)) return NaN;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? Number(value) : NaN;
}
