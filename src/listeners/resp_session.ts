import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { Bytes } from "../base/bytes.ts";
import {
  INPUT_HIGH_WATER_BYTES,
  OUTPUT_CHUNK_BYTES,
  OUTPUT_HIGH_WATER_BYTES,
  OUTPUT_LIMIT_BYTES,
  UNAUTHENTICATED_OUTPUT_BYTES,
} from "../constants.ts";
import { ProtocolError, RequestDecoder } from "../resp/decoder.ts";
import { encodeReply } from "../resp/encoder.ts";
import { PROTOCOL_ERROR_PREFIX } from "../resp/errors.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { OutputLimit } from "../commands/config_types.ts";
import type { Limits } from "../server/limits.ts";
import { Session, type SessionOptions } from "../server/session.ts";
import type { Server } from "../server/server.ts";
import { OutputQueue } from "./output_queue.ts";

/** What a client may send on after the last reply, which it may not have read yet. */
const DISCARDED_BYTES_MAX = 1024 * 1024;

/** A client on a socket. */
export class RespSession extends Session {
  readonly #server: Server;
  readonly #socket: Socket;
  readonly #limits: Limits;
  readonly #decoder = new RequestDecoder();
  /** Replies of this turn. */
  #out: Bytes = "";
  /** Long output, and what follows it. */
  readonly #queue: OutputQueue;
  /** A request that must wait for those before it. */
  #held: readonly Bytes[] | undefined;
  #protocolError: string | undefined;
  #paused = false;
  /** No request will be taken any more; the connection closes when all replies are sent. */
  #closing = false;
  /** Our side of the connection is closed. */
  #isEnded = false;
  #discardedBytes = 0;
  /** It left too much unread. */
  #isCutOff = false;
  /** Since when it has had more unread than its soft limit; Infinity: it has not. */
  #overSoftSinceMs = Infinity;
  /** The decoder has no complete request left. */
  #exhausted = true;

  constructor(server: Server, socket: Socket, options: SessionOptions, limits: Limits) {
    super(options);
    this.#server = server;
    this.#socket = socket;
    this.#limits = limits;
    this.#queue = new OutputQueue(socket);
  }

  get queryBufferBytes(): number {
    return this.#decoder.heldBytes;
  }

  get outputBufferBytes(): number {
    return this.#out.length + this.#queue.bytes + this.#socket.writableLength;
  }

  get outputBlocked(): boolean {
    return !this.closed && this.outputBufferBytes > OUTPUT_HIGH_WATER_BYTES;
  }

  /** Bytes from the socket. */
  receive(chunk: Buffer): void {
    if (this.#isEnded) return this.#discard(chunk.length);
    if (this.#closing || this.#protocolError !== undefined) return;
    this.#decoder.bulkBytesMax = this.#limits.bulkBytesMax;
    this.#decoder.requestBytesMax = this.#limits.requestBytesMax;
    this.#server.metrics.bytesIn += chunk.length;
    this.#decoder.push(chunk);
    this.#exhausted = false;
    this.#work();
  }

  /** The client sends no more; what it has sent is still answered. */
  endReceived(): void {
    this.inputEnded = true;
    // Nobody is left to be served.
    if (this.blocked !== undefined) return this.close(true);
    this.#work();
  }

  /** The socket has taken all that was written. */
  drained(): void {
    if (!this.closed) this.#queue.pump();
    this.#server.resumeReads(this);
    this.#work();
    if (this.#closing) this.#endIfDone();
  }

  /** The socket is closed. */
  gone(): void {
    this.closed = true;
    this.#closing = true;
    this.release();
    this.#out = "";
    this.#queue.clear();
    this.#held = undefined;
    this.pendingReads -= this.deferredReads.length;
    this.deferredReads = [];
  }

  override deliver(reply: Reply): void {
    if (this.closed || this.#isCutOff) return;
    if (typeof reply === "string" && reply.length > OUTPUT_CHUNK_BYTES) {
      return this.#deliverLong(reply);
    }
    this.#out += encodeReply(reply, this.protocol);
    if (this.#out.length > OUTPUT_CHUNK_BYTES) this.#send();
  }

  /** The same without a copy of the whole. */
  #deliverLong(reply: Bytes): void {
    this.#out += `$${reply.length}\r\n`;
    this.#send();
    this.#queue.push(reply);
    this.#server.metrics.bytesOut += reply.length;
    this.#out = "\r\n";
    this.#send();
  }

  override flush(): void {
    this.#send();
    this.#endIfDone();
  }

  override resume(): void {
    this.#work();
  }

  override close(now = false): void {
    this.#closing = true;
    if (now) {
      this.#socket.destroy();
    } else {
      this.#server.answers.touch(this);
    }
  }

  /** Takes requests until one must wait or none is complete. */
  #work(): void {
    this.#decoder.authenticated = this.authenticated;
    while (!this.#closing && !this.outputBlocked) {
      const argv = this.#held ?? this.#next();
      if (argv === undefined) break;
      if (isHttp(argv[0])) return this.close(true);
      this.#held = undefined;
      if (!this.#server.execute(this, argv)) {
        this.#held = argv;
        break;
      }
      this.#decoder.authenticated = this.authenticated;
    }
    if (this.#protocolError !== undefined && this.#held === undefined && this.idle) {
      this.deliver(new ErrorReply(PROTOCOL_ERROR_PREFIX + this.#protocolError));
      this.#protocolError = undefined;
      this.close();
    }
    this.#throttle();
    if (this.inputEnded) this.#endIfDone();
  }

  /** Closes our side when all that was asked for is answered and no more will be. */
  #endIfDone(): void {
    if (this.closed || !this.idle || this.#held !== undefined) return;
    if (this.inputEnded && this.#exhausted && this.#protocolError === undefined) {
      this.#closing = true;
    }
    if (!this.#closing) return;
    this.#send();
    if (this.#queue.bytes > 0) return;
    this.#socket.end();
    this.#isEnded = true;
    // For all others it is gone, whenever the client closes its side.
    this.release();
    this.#server.sessions.delete(this.id);
  }

  /** What comes after our end: a client that just goes on sending loses its connection. */
  #discard(bytes: number): void {
    this.#discardedBytes += bytes;
    if (this.#discardedBytes > DISCARDED_BYTES_MAX) this.#socket.destroy();
  }

  #next(): readonly Bytes[] | undefined {
    if (this.#protocolError !== undefined) return undefined;
    try {
      const argv = this.#decoder.next();
      this.#exhausted = argv === undefined;
      return argv;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#protocolError = error.message;
      return undefined;
    }
  }

  /** Reads no more from a client that waits while much of its requests is held. */
  #throttle(): void {
    if (this.closed) return;
    const stopped = this.#held !== undefined || this.outputBlocked;
    const pause = stopped && this.#decoder.heldBytes > INPUT_HIGH_WATER_BYTES;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #send(): void {
    if (this.#out === "" || this.closed) return;
    if (this.outputBufferBytes > this.#hardOutputBytes) return this.#cutOff();
    const out = this.#out;
    this.#out = "";
    this.#server.metrics.bytesOut += out.length;
    if (this.#queue.bytes === 0 && out.length <= 2 * OUTPUT_CHUNK_BYTES) {
      this.#socket.write(out, "latin1");
    } else {
      this.#queue.push(out);
      this.#queue.pump();
    }
    const limitBytes = this.authenticated ? OUTPUT_LIMIT_BYTES : UNAUTHENTICATED_OUTPUT_BYTES;
    if (this.outputBufferBytes > limitBytes) this.#cutOff();
  }

  get #outputLimit(): OutputLimit {
    const isListening = this.type === "pubsub" || this.monitor !== undefined;
    return isListening ? this.#limits.listenerOutput : this.#limits.normalOutput;
  }

  get #hardOutputBytes(): number {
    return this.#outputLimit.hardBytes || Infinity;
  }

  /** Cuts off a client that has left much unread for long; called about each second. */
  checkSoftLimit(nowMs: number): void {
    const { softBytes, softSeconds } = this.#outputLimit;
    if (softBytes === 0 || this.outputBufferBytes <= softBytes) this.#overSoftSinceMs = Infinity;
    else if (this.#overSoftSinceMs === Infinity) this.#overSoftSinceMs = nowMs;
    else if (nowMs - this.#overSoftSinceMs >= softSeconds * 1000) this.#cutOff();
  }

  /** It leaves too much unread: what is due to it is dropped, and the connection closed. */
  #cutOff(): void {
    this.#isCutOff = true;
    this.#out = "";
    this.#queue.clear();
    this.close(true);
  }
}

/**
 * A word that HTTP clients send and no Redis client does: a web page makes its reader's browser
 * talk to us. Redis closes such a connection without a reply too.
 */
function isHttp(name: Bytes): boolean {
  if (name.length !== 4 && name.length !== 5) return false;
  const lower = name.toLowerCase();
  return lower === "post" || lower === "host:";
}
