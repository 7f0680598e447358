import type { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import { ReplyDecoder } from "../resp/reply_decoder.ts";
import type { Reply } from "../resp/reply.ts";

/** Requests are written in pieces of this size, each of which may take the time-out. */
const PIECE_BYTES = 64 * 1024;
/** Of a reply that is not complete: what is asked for answers with a line. */
const REPLY_BYTES_MAX = 64 * 1024;

/** What came of requests: the replies until all were there, or until it failed. */
export interface Exchange {
  readonly replies: readonly Reply[];
  /** What failed, if anything did; the connection is closed then. */
  readonly failed?: "writing" | "reading";
  /** It failed as the time was up. */
  readonly isTimeout: boolean;
}

/** A connection to a server that takes keys, used for one thing at a time. */
export class MigrationConnection {
  /** The database that was selected; undefined before the first. */
  db: Bytes | undefined;
  /** Called when it is closed, by either side. */
  onClose: () => void = () => {};
  readonly #socket: Socket;
  readonly #decoder = new ReplyDecoder();
  #replies: Reply[] = [];
  #expected = 0;
  /** Received since the last complete reply. */
  #partBytes = 0;
  #isConnected = false;
  #isClosed = false;
  #changed: () => void = () => {};

  private constructor(host: string, port: number) {
    this.#socket = connect({ host, port });
    this.#socket.setNoDelay(true);
    this.#socket.on("connect", () => {
      this.#isConnected = true;
      this.#changed();
    });
    this.#socket.on("data", (chunk) => {
      if (typeof chunk !== "string") this.#receive(chunk);
    });
    this.#socket.on("drain", () => this.#changed());
    this.#socket.on("error", () => this.close());
    this.#socket.on("end", () => this.close());
    this.#socket.on("close", () => this.close());
    this.#socket.on("timeout", () => this.close());
  }

  /** Connects; undefined when that fails or takes longer than the time-out. */
  static async open(
    host: string,
    port: number,
    timeoutMs: number,
  ): Promise<MigrationConnection | undefined> {
    const connection = new MigrationConnection(host, port);
    await connection.#until(() => connection.#isConnected, timeoutMs);
    if (connection.#isConnected && !connection.#isClosed) return connection;
    connection.close();
    return undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Sends requests and waits for a reply to each. The time-out is for each piece of the requests
   * and for each reply.
   */
  async exchange(requests: readonly (readonly Bytes[])[], timeoutMs: number): Promise<Exchange> {
    this.#replies = [];
    this.#expected = requests.length;
    for (const piece of piecesOf(requests)) {
      if (this.#isClosed) return this.#failed("writing", false);
      if (this.#socket.write(toBuffer(piece))) continue;
      if (!await this.#until(() => !this.#socket.writableNeedDrain, timeoutMs)) {
        return this.#failed("writing", true);
      }
    }
    while (this.#replies.length < requests.length) {
      if (this.#isClosed) return this.#failed("reading", false);
      const count = this.#replies.length;
      if (!await this.#until(() => this.#replies.length > count, timeoutMs)) {
        return this.#failed("reading", true);
      }
    }
    return { replies: this.#replies, isTimeout: false };
  }

  /** It is not used for now: after this time it is closed, and it holds up no end of the process. */
  rest(maxMs: number): void {
    this.#expected = 0;
    this.#replies = [];
    this.#socket.setTimeout(maxMs);
    this.#socket.unref();
  }

  /** It is used again. */
  wake(): void {
    this.#socket.setTimeout(0);
    this.#socket.ref();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    this.#changed();
    this.onClose();
  }

  #failed(failed: "writing" | "reading", isTimeout: boolean): Exchange {
    this.close();
    return { replies: this.#replies, failed, isTimeout };
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return;
    const before = this.#replies.length;
    this.#partBytes += chunk.length;
    try {
      this.#replies.push(...this.#decoder.decode(fromUint8Array(chunk)));
    } catch {
      return this.close();
    }
    if (this.#replies.length > before) this.#partBytes = 0;
    const isTooMuch = this.#replies.length > this.#expected || this.#partBytes > REPLY_BYTES_MAX;
    if (isTooMuch) return this.close();
    this.#changed();
  }

  /** Waits until something is so or the connection is closed; false when the time is up before. */
  #until(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (value: boolean) => {
        clearTimeout(timer);
        this.#changed = () => {};
        resolve(value);
      };
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#changed = () => {
        if (this.#isClosed || isSo()) end(true);
      };
      this.#changed();
    });
  }
}

/** Requests as RESP has them, in pieces of about PIECE_BYTES. */
function* piecesOf(requests: readonly (readonly Bytes[])[]): Generator<Bytes> {
  let piece = "";
  for (const part of partsOf(requests)) {
    if (piece.length + part.length <= PIECE_BYTES) {
      piece += part;
      continue;
    }
    if (piece !== "") yield piece;
    let at = 0;
    for (; part.length - at > PIECE_BYTES; at += PIECE_BYTES) {
      yield part.slice(at, at + PIECE_BYTES);
    }
    piece = part.slice(at);
  }
  if (piece !== "") yield piece;
}

/** The longest string an engine makes is hardly longer than a value: they are never joined. */
function* partsOf(requests: readonly (readonly Bytes[])[]): Generator<Bytes> {
  for (const argv of requests) {
    yield `*${argv.length}\r\n`;
    for (const argument of argv) {
      yield `$${argument.length}\r\n`;
      yield argument;
      yield "\r\n";
    }
  }
}
