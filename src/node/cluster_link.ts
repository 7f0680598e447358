import { Buffer } from "node:buffer";
import { type Bytes, toBuffer } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { decodeMessage, encodeMessage } from "../raft/message.ts";
import type { Message, NodeId } from "../raft/types.ts";
import { DecodeError } from "../raft/wire.ts";
import type { PeerLink } from "../server/peer_link.ts";
import { FRAME, type Frame } from "../transport/frame.ts";
import type { Peers } from "../transport/peers.ts";

/** Where received messages go. */
export interface LinkReceiver {
  receive(message: Message): void;
  receiveForward(from: NodeId, term: number, segment: Uint8Array): void;
  receiveReadRequest(from: NodeId, id: number): void;
  receiveReadPoint(id: number, index: number): void;
  receiveDigest(from: NodeId, index: number, digest: number): void;
  receivePubSub(from: NodeId, words: Uint8Array): void;
}

const NUMBER_BYTES = 8;

/** The server's messages as frames between nodes. */
export class ClusterLink implements PeerLink {
  readonly #logger: Logger;
  readonly #heard: (message: Message) => void;
  #peers: Peers | undefined;
  #receiver: LinkReceiver | undefined;

  /** `heard`: called with each Raft message of a peer, before it is handled. */
  constructor(logger: Logger, heard: (message: Message) => void) {
    this.#logger = logger;
    this.#heard = heard;
  }

  /** Joins both ends; nothing is sent or received before. */
  attach(peers: Peers, receiver: LinkReceiver): void {
    this.#peers = peers;
    this.#receiver = receiver;
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#peers?.isConnected(message.to)) {
        this.#peers.send(message.to, FRAME.raft, encodeMessage(message));
      }
    }
  }

  forward(leader: NodeId, term: number, segment: Bytes): boolean {
    if (!this.#peers?.isConnected(leader)) return false;
    const body = toBuffer(segment);
    return this.#peers.send(leader, FRAME.forward, Buffer.concat([numbers(term), body]));
  }

  requestReadPoint(leader: NodeId, id: number): boolean {
    return this.#peers?.send(leader, FRAME.readRequest, numbers(id)) ?? false;
  }

  answerReadPoint(to: NodeId, id: number, index: number): void {
    this.#peers?.send(to, FRAME.readPoint, numbers(id, index));
  }

  announceDigest(to: NodeId, index: number, digest: number): void {
    this.#peers?.send(to, FRAME.digest, numbers(index, digest));
  }

  sendPubSub(to: NodeId, words: Bytes): boolean {
    return this.#peers?.send(to, FRAME.pubsub, toBuffer(words)) ?? false;
  }

  /** Takes a frame of a member. Throws nothing on what a peer may send. */
  receive(from: NodeId, { type, payload }: Frame): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    try {
      if (type === FRAME.raft) {
        // A plain array, whose slices are copies: entries must not keep the socket's chunk.
        const message = decodeMessage(
          new Uint8Array(payload.buffer, payload.byteOffset, payload.length),
        );
        if (message.from !== from) return;
        this.#heard(message);
        receiver.receive(message);
      } else if (type === FRAME.forward) {
        // The payload is the reader's buffer: what is kept must be a copy.
        const segment = Buffer.from(payload.subarray(NUMBER_BYTES));
        receiver.receiveForward(from, payload.readDoubleBE(0), segment);
      } else if (type === FRAME.readRequest) {
        receiver.receiveReadRequest(from, payload.readDoubleBE(0));
      } else if (type === FRAME.readPoint) {
        receiver.receiveReadPoint(payload.readDoubleBE(0), payload.readDoubleBE(NUMBER_BYTES));
      } else if (type === FRAME.digest) {
        receiver.receiveDigest(from, payload.readDoubleBE(0), payload.readDoubleBE(NUMBER_BYTES));
      } else if (type === FRAME.pubsub) {
        receiver.receivePubSub(from, payload);
      }
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof RangeError)) throw error;
      this.#logger.warn("peer sent what cannot be read", { node: from, type });
    }
  }
}

function numbers(...values: number[]): Buffer {
  const buffer = Buffer.allocUnsafe(values.length * NUMBER_BYTES);
  for (const [i, value] of values.entries()) buffer.writeDoubleBE(value, i * NUMBER_BYTES);
  return buffer;
}
