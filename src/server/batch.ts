import { Buffer } from "node:buffer";
import { type Bytes, fromUint8Array, sliceBytes, toBuffer } from "../base/bytes.ts";
import { word } from "../base/word.ts";
import { DATABASE_COUNT } from "../constants.ts";

/** One command of a log entry. */
export interface BatchCommand {
  /** The database its connection had selected. */
  readonly db: number;
  /** Empty for one that was given up before it was sent: it keeps its number and does nothing. */
  readonly argv: readonly Bytes[];
}

/**
 * Commands that came in through one node, in their order. (node, incarnation, sequence) names a
 * command for good, so that one sent twice, to two leaders, is applied once.
 */
export interface Segment {
  readonly node: number;
  /** Which run of that node's process. */
  readonly incarnation: number;
  /** Number of the first command; the others follow without a gap. */
  readonly firstSequence: number;
  readonly commands: readonly BatchCommand[];
}

/** The content of a `normal` log entry: commands, and all they may depend on beside the data. */
export interface Batch {
  /** The leader's clock, Unix milliseconds. */
  readonly timeMs: number;
  /** Unsigned 32-bit seed of all randomness in it. */
  readonly seed: number;
  readonly segments: readonly Segment[];
}

/** Bytes that are no batch: corrupt, or written by a newer version. */
export class BatchFormatError extends Error {
  override name = "BatchFormatError";
}

const VERSION = 1;
const BATCH_HEADER_BYTES = 14;
const SEGMENT_HEADER_BYTES = 24;
const SEGMENTS_MAX = 255;
/**
 * The bytes of a segment: `node f64, incarnation u32, firstSequence f64, count u32`, then for each
 * command `db u8, argc u32`, and for each argument `length u32, bytes`; all big-endian.
 *
 * Built as one string, to be written once: a buffer write per argument costs more on each runtime.
 */
export function encodeSegment(segment: Segment): Bytes {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.writeDoubleBE(segment.node, 0);
  header.writeUInt32BE(segment.incarnation, 8);
  header.writeDoubleBE(segment.firstSequence, 12);
  header.writeUInt32BE(segment.commands.length, 20);
  let out = fromUint8Array(header);
  for (const { db, argv } of segment.commands) {
    out += String.fromCharCode(db) + word(argv.length);
    for (let i = 0; i < argv.length; i++) out += word(argv[i].length) + argv[i];
  }
  return out;
}

/** The bytes of a batch: `version u8, time f64, seed u32, segments u8`, then encoded segments. */
export function encodeBatch(timeMs: number, seed: number, segments: readonly Bytes[]): Uint8Array {
  if (segments.length > SEGMENTS_MAX) {
    throw new BatchFormatError(`Cannot put ${segments.length} segments into one entry`);
  }
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  header.writeUInt8(VERSION, 0);
  header.writeDoubleBE(timeMs, 1);
  header.writeUInt32BE(seed, 9);
  header.writeUInt8(segments.length, 13);
  let out = fromUint8Array(header);
  for (const segment of segments) out += segment;
  return toBuffer(out);
}

/** Bytes that a command takes in a segment. */
export function commandBytes(argv: readonly Bytes[]): number {
  return 1 + argumentsBytes(argv);
}

/** Bytes of an argument list as `encodeArguments` writes it. */
export function argumentsBytes(argv: readonly Bytes[]): number {
  let bytes = 4;
  for (let i = 0; i < argv.length; i++) bytes += 4 + argv[i].length;
  return bytes;
}

/** The batch in an entry's data; throws BatchFormatError. */
export function decodeBatch(data: Uint8Array): Batch {
  const reader = new Reader(data);
  const version = reader.uint8();
  if (version !== VERSION) {
    throw new BatchFormatError(`Cannot read a log entry of format ${version}, only ${VERSION}`);
  }
  const timeMs = reader.double();
  const seed = reader.uint32();
  const segments: Segment[] = [];
  for (let left = reader.uint8(); left > 0; left--) segments.push(readSegment(reader));
  reader.end();
  return { timeMs, seed, segments };
}

/** One encoded segment alone, as a peer sends it; throws BatchFormatError. */
export function decodeSegment(data: Uint8Array): Segment {
  const reader = new Reader(data);
  const segment = readSegment(reader);
  reader.end();
  if (segment.commands.some(({ db }) => db >= DATABASE_COUNT)) {
    throw new BatchFormatError("Cannot take a segment: it names a database that does not exist");
  }
  return segment;
}

/** The bytes of one argument list, as a segment has them: `argc u32`, then `length u32, bytes`. */
export function encodeArguments(argv: readonly Bytes[]): Bytes {
  let out = word(argv.length);
  for (let i = 0; i < argv.length; i++) out += word(argv[i].length) + argv[i];
  return out;
}

/** What `encodeArguments` returns, in parts, none of which is empty. */
export function* encodeInParts(argv: readonly Bytes[]): Generator<Bytes, undefined> {
  yield word(argv.length);
  for (const argument of argv) {
    yield word(argument.length);
    if (argument !== "") yield argument;
  }
}

/** The argument list that `encodeArguments` wrote; throws BatchFormatError. */
export function decodeArguments(data: Uint8Array): Bytes[] {
  const reader = new Reader(data);
  const argv = readArguments(reader);
  reader.end();
  return argv;
}

function readSegment(reader: Reader): Segment {
  const node = reader.double();
  const incarnation = reader.uint32();
  const firstSequence = reader.double();
  const commands: BatchCommand[] = [];
  for (let left = reader.uint32(); left > 0; left--) {
    const db = reader.uint8();
    commands.push({ db, argv: readArguments(reader) });
  }
  return { node, incarnation, firstSequence, commands };
}

function readArguments(reader: Reader): Bytes[] {
  const count = reader.uint32();
  if (count === 0) return [];
  const argv: Bytes[] = [reader.name(reader.uint32())];
  for (let at = 1; at < count; at++) argv.push(reader.bytes(reader.uint32()));
  return argv;
}

/** Reads forward and refuses to read past the end. */
class Reader {
  readonly #buffer: Buffer;
  #at = 0;
  #name: Bytes = "";

  constructor(data: Uint8Array) {
    this.#buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }

  uint8(): number {
    return this.#buffer.readUInt8(this.#take(1));
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  bytes(length: number): Bytes {
    const start = this.#take(length);
    return sliceBytes(this.#buffer, start, start + length);
  }

  /** The same as `bytes`, the same string where it is that of the last call: one less to make. */
  name(length: number): Bytes {
    if (length !== this.#name.length || length > this.#rest()) {
      return this.#name = this.bytes(length);
    }
    for (let i = 0; i < length; i++) {
      if (this.#buffer[this.#at + i] !== this.#name.charCodeAt(i)) {
        return this.#name = this.bytes(length);
      }
    }
    this.#at += length;
    return this.#name;
  }

  end(): void {
    if (this.#at !== this.#buffer.length) {
      throw new BatchFormatError(`Cannot read a log entry: ${this.#rest()} bytes too many`);
    }
  }

  #take(length: number): number {
    const start = this.#at;
    if (length > this.#rest()) {
      throw new BatchFormatError(`Cannot read a log entry: it ends at byte ${this.#buffer.length}`);
    }
    this.#at += length;
    return start;
  }

  #rest(): number {
    return this.#buffer.length - this.#at;
  }
}
