import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bytes, fromUint8Array, toBuffer } from "../../src/base/bytes.ts";

/** A real redis-server of its own, on a socket in a scratch directory: what replies must equal. */
export class RedisReference {
  readonly #directory: string;
  readonly #process: ChildProcess;
  readonly #socketPath: string;
  #connections: ReferenceConnection[] = [];

  private constructor(directory: string, process: ChildProcess, socketPath: string) {
    this.#directory = directory;
    this.#process = process;
    this.#socketPath = socketPath;
  }

  /** Starts redis-server; throws when it is not installed or does not come up. */
  static async start(): Promise<RedisReference> {
    const directory = mkdtempSync(join(tmpdir(), "balsa-redis-"));
    const socketPath = join(directory, "socket");
    const options = ["--port", "0", "--unixsocket", socketPath, "--save", "", "--dir", directory];
    const process = spawn("redis-server", options, { stdio: "ignore" });
    const failure = new Promise<never>((_, reject) => {
      process.on("error", (error) => {
        reject(
          new Error(`These tests compare with redis-server 7.0: install it. ${error.message}`),
        );
      });
      process.on("exit", (code) => reject(new Error(`redis-server ended with ${code}`)));
    });
    failure.catch(() => {});
    const reference = new RedisReference(directory, process, socketPath);
    try {
      await Promise.race([failure, reference.#untilReady()]);
    } catch (error) {
      await reference.stop();
      throw error;
    }
    return reference;
  }

  async #untilReady(): Promise<void> {
    while (true) {
      try {
        const connection = await this.connect(2);
        const [reply] = await connection.exec([["PING"]]);
        if (reply === "+PONG\r\n") return;
      } catch {
        // Not listening yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** A connection that speaks RESP2 or RESP3. */
  async connect(protocol: 2 | 3): Promise<ReferenceConnection> {
    const socket = createConnection(this.#socketPath);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const connection = new ReferenceConnection(socket);
    this.#connections.push(connection);
    if (protocol === 3) await connection.exec([["HELLO", "3"]]);
    return connection;
  }

  /** Ends the server and removes its directory. */
  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    if (this.#process.pid !== undefined && this.#process.exitCode === null) {
      const ended = new Promise((resolve) => this.#process.once("exit", resolve));
      this.#process.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Commands sent in one piece, so that neither side holds much of the other's. */
const BATCH_COMMANDS = 500;

/** A connection that gives replies as the bytes that came. */
export class ReferenceConnection {
  readonly #socket: Socket;
  #received = "";
  #replies: Bytes[] = [];
  #wanted = 0;
  #done: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data: Uint8Array) => {
      this.#received += fromUint8Array(data);
      this.#settle();
    });
    socket.on("close", () => this.#failed?.(new Error("redis-server closed the connection")));
    socket.on("error", (error) => this.#failed?.(error));
  }

  /** Sends commands; their replies in order. */
  async exec(commands: readonly (readonly Bytes[])[]): Promise<Bytes[]> {
    const replies: Bytes[] = [];
    for (let start = 0; start < commands.length; start += BATCH_COMMANDS) {
      for (const reply of await this.#execBatch(commands.slice(start, start + BATCH_COMMANDS))) {
        replies.push(reply);
      }
    }
    return replies;
  }

  async #execBatch(commands: readonly (readonly Bytes[])[]): Promise<Bytes[]> {
    this.#replies = [];
    this.#wanted = commands.length;
    const settled = new Promise<void>((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
    });
    this.#socket.write(toBuffer(commands.map(encodeRequest).join("")));
    await settled;
    return this.#replies;
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #settle(): void {
    let at = 0;
    while (this.#replies.length < this.#wanted) {
      const end = replyEnd(this.#received, at);
      if (end < 0) break;
      this.#replies.push(this.#received.slice(at, end));
      at = end;
    }
    this.#received = this.#received.slice(at);
    if (this.#replies.length < this.#wanted) return;
    this.#done?.();
    this.#done = this.#failed = undefined;
  }
}

function encodeRequest(argv: readonly Bytes[]): Bytes {
  const items = argv.map((item) => `$${item.length}\r\n${item}\r\n`);
  return `*${argv.length}\r\n${items.join("")}`;
}

/** Where the reply that begins at `start` ends, or -1 when it is not complete. */
function replyEnd(text: Bytes, start: number): number {
  const lineEnd = text.indexOf("\r\n", start);
  if (lineEnd < 0) return -1;
  const count = Number(text.slice(start + 1, lineEnd));
  let end = lineEnd + 2;
  switch (text[start]) {
    case "$":
    case "=":
      if (count >= 0) end += count + 2;
      return end <= text.length ? end : -1;
    case "*":
    case "%":
    case "~":
    case ">":
      for (let left = text[start] === "%" ? count * 2 : count; left > 0; left--) {
        end = replyEnd(text, end);
        if (end < 0) return -1;
      }
      return end;
    default:
      return end;
  }
}

/** The bulk strings of an encoded array of them. */
export function bulkStrings(reply: Bytes): Bytes[] {
  const strings: Bytes[] = [];
  let at = reply.indexOf("\r\n") + 2;
  while (at < reply.length) {
    const lineEnd = reply.indexOf("\r\n", at);
    const length = Number(reply.slice(at + 1, lineEnd));
    strings.push(reply.slice(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return strings;
}
