import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import * as v from "valibot";
import { SNAPSHOT_CHUNK_BYTES } from "../constants.ts";
import type { SnapshotInfo } from "../storage/snapshot.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const OfferSchema = v.strictObject({
  index: count,
  term: count,
  configuration: v.pipe(v.string(), v.regex(/^([0-9a-f]{2})*$/)),
  bytes: count,
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});

/** How far the receiver is: the answer to an offer and to each chunk. */
const StateSchema = v.strictObject({
  /** Where the next chunk starts. */
  offset: count,
  /** All is there, verified and durable. */
  isDone: v.boolean(),
  /** Why it takes no more now; "": it does. */
  error: v.pipe(v.string(), v.maxLength(500)),
});
export type TransferState = v.InferOutput<typeof StateSchema>;

export interface Chunk {
  readonly offset: number;
  readonly data: Buffer;
}

const CHUNK_HEADER_BYTES = 12;

export function encodeJson(value: SnapshotInfo | TransferState): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** An offered snapshot; undefined when it cannot be read. */
export function parseOffer(payload: Buffer): SnapshotInfo | undefined {
  return parse(OfferSchema, payload);
}

export function parseState(payload: Buffer): TransferState | undefined {
  return parse(StateSchema, payload);
}

/** `offset f64, CRC-32 u32`, then `length` bytes, which `fill` supplies. */
export function encodeChunk(
  offset: number,
  length: number,
  fill: (data: Buffer) => void,
): Buffer {
  const buffer = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + length);
  const data = buffer.subarray(CHUNK_HEADER_BYTES);
  fill(data);
  buffer.writeDoubleBE(offset, 0);
  buffer.writeUInt32BE(crc32(data), 8);
  return buffer;
}

/** Undefined when it is no chunk or its bytes have changed on the way. */
export function parseChunk(payload: Buffer): Chunk | undefined {
  const bytes = payload.length - CHUNK_HEADER_BYTES;
  if (bytes <= 0 || bytes > SNAPSHOT_CHUNK_BYTES) return undefined;
  const data = payload.subarray(CHUNK_HEADER_BYTES);
  if (crc32(data) !== payload.readUInt32BE(8)) return undefined;
  return { offset: payload.readDoubleBE(0), data };
}

function parse<TSchema extends v.GenericSchema>(
  schema: TSchema,
  payload: Buffer,
): v.InferOutput<TSchema> | undefined {
  try {
    const result = v.safeParse(schema, JSON.parse(payload.toString("utf8")));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
