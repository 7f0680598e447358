import { Buffer } from "node:buffer";
import { growBuffer } from "../base/bytes.ts";

/** What a frame carries: its second field. Add at the end only. */
export const FRAME = {
  hello: 1,
  challenge: 2,
  proof: 3,
  welcome: 4,
  refusal: 5,
  /** An encoded Raft message. */
  raft: 6,
  /** `term f64`, then an encoded segment: commands for the leader. */
  forward: 7,
  /** `id f64`: asks the leader for a read point. */
  readRequest: 8,
  /** `id f64, index f64`: the read point; index -1: not the leader. */
  readPoint: 9,
  /** JSON: a request to the cluster, and its answer. */
  request: 10,
  response: 11,
  /** A chunk of a snapshot and what steers it. */
  snapshotOffer: 12,
  snapshotState: 13,
  snapshotChunk: 14,
  /** Keeps a quiet connection known to live. */
  ping: 15,
  /** `index f64, digest f64`: the digest of the leader's state there. */
  digest: 16,
  /** JSON: what the sender knows of other nodes' past. */
  records: 17,
  /** An argument list as in a segment: channels, their subscribers and messages. */
  pubsub: 18,
} as const;

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

/** Bytes that are no frame, or one over the limit. */
export class FrameError extends Error {
  override name = "FrameError";
}

const HEADER_BYTES = 5;

/** `length u32` of what follows, `type u8`, payload; big-endian. */
export function encodeFrame(type: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length + 1, 0);
  frame.writeUInt8(type, 4);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into frames; holds at most one unfinished, never more than has come. */
export class FrameReader {
  /** Payloads over this are refused. */
  payloadBytesMax: number;
  #held: Buffer | undefined;
  #heldBytes = 0;
  #chunk: Buffer | undefined;
  #at = 0;

  constructor(payloadBytesMax: number) {
    this.payloadBytesMax = payloadBytesMax;
  }

  /** Adds received bytes, which must not be changed until `next` has returned undefined. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next complete frame, its payload valid until the next `push`; throws FrameError. */
  next(): Frame | undefined {
    const chunk = this.#chunk;
    if (chunk === undefined) return undefined;
    if (this.#heldBytes > 0) return this.#finishHeld(chunk);
    const rest = chunk.length - this.#at;
    const need = rest >= HEADER_BYTES ? this.#frameBytes(chunk, this.#at) : HEADER_BYTES;
    if (rest < need || rest < HEADER_BYTES) return this.#hold(chunk, chunk.length);
    const start = this.#at;
    this.#at += need;
    return toFrame(chunk.subarray(start, this.#at));
  }

  #frameBytes(buffer: Buffer, at: number): number {
    const length = buffer.readUInt32BE(at);
    if (length < 1 || length - 1 > this.payloadBytesMax) {
      throw new FrameError(`a frame of ${length} bytes, at most ${this.payloadBytesMax} expected`);
    }
    return 4 + length;
  }

  /** Keeps chunk[at, end) until more comes. */
  #hold(chunk: Buffer, end: number): undefined {
    const bytes = end - this.#at;
    if (bytes > 0) {
      const needed = this.#heldBytes + bytes;
      this.#held = growBuffer(this.#held, this.#heldBytes, needed, Math.max(needed, this.#limit()));
      chunk.copy(this.#held, this.#heldBytes, this.#at, end);
      this.#heldBytes = needed;
      this.#at = end;
    }
    if (this.#at >= chunk.length) this.#chunk = undefined;
    return undefined;
  }

  #limit(): number {
    const held = this.#held;
    return held === undefined || this.#heldBytes < HEADER_BYTES
      ? HEADER_BYTES
      : this.#frameBytes(held, 0);
  }

  #finishHeld(chunk: Buffer): Frame | undefined {
    if (this.#heldBytes < HEADER_BYTES) {
      this.#hold(chunk, Math.min(chunk.length, this.#at + HEADER_BYTES - this.#heldBytes));
      if (this.#heldBytes < HEADER_BYTES) return undefined;
    }
    const need = this.#frameBytes(this.#held!, 0);
    this.#hold(chunk, Math.min(chunk.length, this.#at + need - this.#heldBytes));
    if (this.#heldBytes < need) return undefined;
    const frame = toFrame(this.#held!.subarray(0, need));
    this.#held = undefined;
    this.#heldBytes = 0;
    return frame;
  }
}

function toFrame(bytes: Buffer): Frame {
  return { type: bytes.readUInt8(4), payload: bytes.subarray(HEADER_BYTES) };
}
