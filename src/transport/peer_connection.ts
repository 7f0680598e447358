import { Buffer } from "node:buffer";
import type { Clock, Timer } from "../base/clock.ts";
import { type Entropy, randomHex } from "../base/entropy.ts";
import { encodeFrame, FRAME, type Frame, FrameError, FrameReader } from "./frame.ts";
import {
  type Challenge,
  encodeJson,
  HandshakeError,
  type Hello,
  makeProof,
  NONCE_BYTES,
  parseChallenge,
  parseHello,
  parseProof,
  parseRefusal,
  parseWelcome,
  PEER_PROTOCOL,
  type PeerIdentity,
  type Purpose,
  sameProof,
} from "./handshake.ts";
import type { PeerSocket } from "./net.ts";

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly local: () => PeerIdentity;
  readonly secret: string;
  readonly payloadBytesMax: number;
  /** Why a peer that has proven the secret is not let in; undefined lets it in. */
  readonly refuse: (remote: PeerIdentity, purpose: Purpose) => string | undefined;
  readonly established: (connection: PeerConnection) => void;
  readonly frame: (connection: PeerConnection, frame: Frame) => void;
  /** `reason`: "" for an ordinary end. */
  readonly closed: (connection: PeerConnection, reason: string) => void;
}

/** Handshake frames are small; nothing larger is taken from a stranger. */
const HANDSHAKE_BYTES_MAX = 4096;
const HANDSHAKE_TIMEOUT_MS = 5000;
/** A peer that takes nothing while this much waits for it is cut off. */
const OUTBOX_BYTES_MAX = 256 * 1024 * 1024;

const NOBODY: PeerIdentity = Object.freeze({
  clusterId: "",
  nodeId: 0,
  incarnation: 0,
  runs: [],
  term: 0,
  lastIndex: 0,
  address: "",
});

type State = "hello" | "challenge" | "proof" | "welcome" | "established" | "closed";

/**
 * One connection between two nodes, over TCP. The dialer says who it is, proves that it knows the
 * cluster's secret for the acceptor's nonce, and gets the same proof back; then frames flow.
 */
export class PeerConnection {
  readonly dialed: boolean;
  purpose: Purpose = "messages";
  remote: PeerIdentity = NOBODY;
  readonly remoteAddress: string;
  /** Pings sent since anything was received; its owner counts them. */
  pingsUnheard = 0;
  readonly #socket: PeerSocket;
  readonly #options: ConnectionOptions;
  readonly #reader = new FrameReader(HANDSHAKE_BYTES_MAX);
  readonly #timer: Timer;
  #state: State;
  #hello: Hello | undefined;
  #challenge: Challenge | undefined;

  private constructor(socket: PeerSocket, dialed: boolean, options: ConnectionOptions) {
    this.dialed = dialed;
    this.#socket = socket;
    this.#options = options;
    this.#state = dialed ? "challenge" : "hello";
    this.remoteAddress = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
    const tooLong = () => this.close("the handshake took too long");
    this.#timer = options.clock.after(HANDSHAKE_TIMEOUT_MS, tooLong);
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error: Error) => this.close(error.message));
    socket.on("close", () => this.close(""));
  }

  /** Takes a connection that a peer has opened. */
  static accept(socket: PeerSocket, options: ConnectionOptions): PeerConnection {
    return new PeerConnection(socket, false, options);
  }

  /** Introduces this node on a connection it has opened; `toNodeId` 0: to whoever it is. */
  static dial(
    socket: PeerSocket,
    to: { readonly nodeId: number; readonly purpose: Purpose },
    options: ConnectionOptions,
  ): PeerConnection {
    const connection = new PeerConnection(socket, true, options);
    connection.purpose = to.purpose;
    connection.#hello = {
      protocol: PEER_PROTOCOL,
      purpose: to.purpose,
      toNodeId: to.nodeId,
      nonce: randomHex(options.entropy, NONCE_BYTES),
      ...options.local(),
    };
    connection.#write(FRAME.hello, encodeJson(connection.#hello));
    return connection;
  }

  get isEstablished(): boolean {
    return this.#state === "established";
  }

  /** Bytes that the socket has not taken yet. */
  get outboxBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sends a frame; false when the connection is not (or no longer) established. */
  send(type: number, payload: Uint8Array): boolean {
    if (this.#state !== "established") return false;
    if (this.#socket.writableLength > OUTBOX_BYTES_MAX) {
      this.close("it takes nothing of what is sent");
      return false;
    }
    this.#write(type, payload);
    return true;
  }

  /** Calls back once the socket has taken what waits for it. */
  onceDrained(callback: () => void): void {
    if (!this.#socket.writableNeedDrain) callback();
    else this.#socket.once("drain", callback);
  }

  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#timer.cancel();
    this.#socket.destroy();
    this.#options.closed(this, reason);
  }

  #write(type: number, payload: Uint8Array): void {
    this.#socket.write(encodeFrame(type, payload));
  }

  #receive(chunk: Buffer): void {
    this.pingsUnheard = 0;
    try {
      this.#reader.push(chunk);
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        if (this.#state === "established") this.#options.frame(this, frame);
        else this.#handshake(frame);
        if (this.#state === "closed") return;
      }
    } catch (error) {
      if (error instanceof FrameError) return this.close(error.message);
      if (error instanceof HandshakeError) return this.#refuse(error.message);
      throw error;
    }
  }

  #handshake({ type, payload }: Frame): void {
    if (type === FRAME.refusal && this.dialed) {
      return this.close(`it refuses: ${parseRefusal(payload).reason}`);
    }
    if (this.#state === "hello" && type === FRAME.hello) return this.#takeHello(payload);
    if (this.#state === "challenge" && type === FRAME.challenge) {
      return this.#takeChallenge(payload);
    }
    if (this.#state === "proof" && type === FRAME.proof) return this.#takeProof(payload);
    if (this.#state === "welcome" && type === FRAME.welcome) return this.#takeWelcome(payload);
    throw new HandshakeError("it does not keep to the handshake");
  }

  #takeHello(payload: Buffer): void {
    const hello = parseHello(payload);
    if (hello.protocol !== PEER_PROTOCOL) {
      throw new HandshakeError(
        `peer protocol ${hello.protocol}, this node speaks ${PEER_PROTOCOL}`,
      );
    }
    this.#hello = hello;
    this.purpose = hello.purpose;
    const { clusterId, nodeId, incarnation, runs, term, lastIndex, address } = hello;
    this.remote = { clusterId, nodeId, incarnation, runs, term, lastIndex, address };
    this.#challenge = { nonce: randomHex(this.#options.entropy, NONCE_BYTES) };
    this.#state = "proof";
    this.#write(FRAME.challenge, encodeJson(this.#challenge));
  }

  #takeChallenge(payload: Buffer): void {
    this.#challenge = parseChallenge(payload);
    const proof = makeProof(this.#options.secret, "dialer", this.#hello!, this.#challenge);
    this.#state = "welcome";
    this.#write(FRAME.proof, encodeJson({ proof }));
  }

  #takeProof(payload: Buffer): void {
    const { secret } = this.#options;
    const hello = this.#hello!;
    const challenge = this.#challenge!;
    if (!sameProof(parseProof(payload).proof, makeProof(secret, "dialer", hello, challenge))) {
      throw new HandshakeError("it does not know the cluster's secret");
    }
    const local = this.#options.local();
    const reason = this.#options.refuse(this.remote, this.purpose);
    if (reason !== undefined) throw new HandshakeError(reason);
    if (hello.toNodeId !== 0 && hello.toNodeId !== local.nodeId) {
      throw new HandshakeError(`it looks for node ${hello.toNodeId}, this is ${local.nodeId}`);
    }
    const proof = makeProof(secret, "acceptor", hello, challenge);
    this.#write(FRAME.welcome, encodeJson({ proof, ...local }));
    this.#establish();
  }

  #takeWelcome(payload: Buffer): void {
    const { proof, ...remote } = parseWelcome(payload);
    const expected = makeProof(this.#options.secret, "acceptor", this.#hello!, this.#challenge!);
    if (!sameProof(proof, expected)) {
      throw new HandshakeError("it does not know the cluster's secret");
    }
    this.remote = remote;
    const reason = this.#options.refuse(remote, this.purpose);
    if (reason !== undefined) throw new HandshakeError(reason);
    this.#establish();
  }

  #establish(): void {
    this.#timer.cancel();
    this.#state = "established";
    this.#reader.payloadBytesMax = this.#options.payloadBytesMax;
    this.#options.established(this);
  }

  #refuse(reason: string): void {
    if (!this.dialed) this.#write(FRAME.refusal, encodeJson({ reason }));
    this.#socket.end();
    this.close(reason);
  }
}
