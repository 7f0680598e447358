import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import type { Bytes } from "../src/base/bytes.ts";
import { PushReply, type Reply } from "../src/resp/reply.ts";
import { ReplyDecoder } from "../src/resp/reply_decoder.ts";
import { hostPort } from "../src/runtime/listen_error.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** The connection could not be made, or ended before a reply. */
export class ConnectionError extends Error {
  override name = "ConnectionError";
}

/** One RESP connection: requests may be pipelined, replies come in their order. */
export class RespClient {
  /** Takes RESP3 pushes, and replies that no request asked for (RESP2 messages, MONITOR). */
  onMessage: (reply: Reply) => void = () => {};
  readonly #socket: Socket;
  readonly #decoder = new ReplyDecoder();
  readonly #waiting: PromiseWithResolvers<Reply>[] = [];
  /** What came and is no reply, which ends the connection. */
  malformed: string | undefined;
  #failure: ConnectionError | undefined;
  readonly #closed = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(`Connection lost: ${error.message}`));
    socket.on("close", () => this.#fail("Server closed the connection"));
  }

  /** Connects. Throws ConnectionError. */
  static connect(host: string, port: number): Promise<RespClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      const fail = (reason: string) => {
        socket.destroy();
        const message = `Could not connect to Balsa at ${hostPort(host, port)}: ${reason}`;
        reject(new ConnectionError(message));
      };
      const timer = setTimeout(() => fail("no answer"), CONNECT_TIMEOUT_MS);
      socket.once("error", (error) => {
        clearTimeout(timer);
        fail(connectReason(error));
      });
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.removeAllListeners("error");
        resolve(new RespClient(socket));
      });
    });
  }

  /** Whether requests can still be sent. */
  get open(): boolean {
    return this.#failure === undefined;
  }

  /** Resolves when the connection has ended. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Sends one request; its reply, errors included. Throws ConnectionError. */
  call(...args: readonly Bytes[]): Promise<Reply> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const waiting = Promise.withResolvers<Reply>();
    this.#waiting.push(waiting);
    this.#socket.write(encodeRequest(args));
    return waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
    this.#fail("Connection closed");
  }

  #receive(chunk: Buffer): void {
    let replies: Reply[];
    try {
      replies = this.#decoder.decode(chunk.toString("latin1"));
    } catch (error) {
      this.#socket.destroy();
      this.malformed = error instanceof Error ? error.message : String(error);
      this.#fail(this.malformed);
      return;
    }
    for (const reply of replies) {
      const waiting = reply instanceof PushReply ? undefined : this.#waiting.shift();
      if (waiting === undefined) this.onMessage(reply);
      else waiting.resolve(reply);
    }
  }

  #fail(message: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new ConnectionError(message);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
    this.#closed.resolve();
  }
}

/** A request as clients send it: an array of bulk strings. */
export function encodeRequest(args: readonly Bytes[]): Buffer {
  let wire = `*${args.length}\r\n`;
  for (const arg of args) wire += `$${arg.length}\r\n${arg}\r\n`;
  return Buffer.from(wire, "latin1");
}

function connectReason(error: Error): string {
  switch ("code" in error ? error.code : undefined) {
    case "ECONNREFUSED":
      return "connection refused (is it running there?)";
    case "ENOTFOUND":
      return "the host name is unknown";
  }
  return error.message;
}
