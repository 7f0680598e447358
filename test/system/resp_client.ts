import { connect, type Socket } from "node:net";

/** A decoded reply; simple and bulk strings are strings, maps are flat arrays. */
export type Decoded = string | number | bigint | boolean | null | RespError | Decoded[];

/** An error reply; `text` without the leading dash. */
export class RespError {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A request in the form clients send it. */
export function encodeCommand(argv: readonly string[]): string {
  let text = `*${argv.length}\r\n`;
  for (const word of argv) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

interface Parsed {
  readonly value: Decoded;
  readonly end: number;
}

/** A reply at `start`, or the least length that `text` must have before it can be complete. */
function parseReply(text: string, start: number): Parsed | number {
  const lineEnd = text.indexOf("\r\n", start);
  if (lineEnd < 0) return text.length + 1;
  const line = text.slice(start + 1, lineEnd);
  const next = lineEnd + 2;
  switch (text[start]) {
    case "+":
    case ",":
    case "(":
      return { value: line, end: next };
    case "-":
      return { value: new RespError(line), end: next };
    case ":":
      return { value: safeInteger(line), end: next };
    case "#":
      return { value: line === "t", end: next };
    case "_":
      return { value: null, end: next };
    case "$":
    case "=": {
      const length = Number(line);
      if (length < 0) return { value: null, end: next };
      const end = next + length + 2;
      return text.length < end ? end : { value: text.slice(next, end - 2), end };
    }
    case "*":
    case "~":
    case ">":
      return parseItems(text, next, Number(line));
    case "%":
      return parseItems(text, next, 2 * Number(line));
    default:
      throw new Error(`Cannot parse a reply: ${JSON.stringify(text.slice(start, start + 80))}`);
  }
}

function parseItems(text: string, start: number, count: number): Parsed | number {
  if (count < 0) return { value: null, end: start };
  const items: Decoded[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const item = parseReply(text, at);
    if (typeof item === "number") return item;
    items.push(item.value);
    at = item.end;
  }
  return { value: items, end: at };
}

function safeInteger(line: string): number | bigint {
  const value = Number(line);
  return Number.isSafeInteger(value) ? value : BigInt(line);
}

interface Waiter {
  resolve(raw: string): void;
  reject(error: Error): void;
}

/** A connection that sends bytes as given and hands replies out as the bytes they came in. */
export class RespClient {
  readonly #socket: Socket;
  readonly #waiters: Waiter[] = [];
  readonly #closeWaiters: (() => void)[] = [];
  #chunks: string[] = [];
  #chunksLength = 0;
  #buffer = "";
  #at = 0;
  #needed = 0;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", () => this.#close());
    socket.on("close", () => this.#close());
    socket.on("end", () => this.#close());
  }

  static open(port: number, host = "127.0.0.1"): Promise<RespClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RespClient(socket));
      });
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that arrived and belong to no reply that was asked for. */
  get unread(): string {
    return this.#flat().slice(this.#at);
  }

  /** Sends bytes; a promise of when the kernel has taken them. */
  send(bytes: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve();
      this.#socket.write(Buffer.from(bytes, "latin1"), () => resolve());
    });
  }

  /** The next reply's bytes. Rejects when the connection closes first. */
  readRaw(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#deliver();
    });
  }

  async read(): Promise<Decoded> {
    return decodeReply(await this.readRaw());
  }

  /** Sends one command and decodes its reply. */
  command(...argv: string[]): Promise<Decoded> {
    void this.send(encodeCommand(argv));
    return this.read();
  }

  /** Sends commands in one write; their replies in order. */
  pipeline(commands: readonly (readonly string[])[]): Promise<Decoded[]> {
    void this.send(commands.map(encodeCommand).join(""));
    return Promise.all(commands.map(() => this.read()));
  }

  /** Stops taking what arrives: a slow reader. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes the sending side only. */
  half(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
    this.#close();
  }

  /** Settles when the other side has closed. */
  whenClosed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) resolve();
      else this.#closeWaiters.push(resolve);
    });
  }

  #receive(chunk: Buffer | string): void {
    const text = typeof chunk === "string" ? chunk : chunk.toString("latin1");
    this.#chunks.push(text);
    this.#chunksLength += text.length;
    this.#deliver();
  }

  #flat(): string {
    if (this.#chunks.length > 0) {
      this.#buffer = this.#buffer.slice(this.#at) + this.#chunks.join("");
      this.#chunks = [];
      this.#chunksLength = 0;
      this.#at = 0;
    }
    return this.#buffer;
  }

  #deliver(): void {
    while (this.#waiters.length > 0) {
      const held = this.#buffer.length - this.#at + this.#chunksLength;
      if (held < Math.max(1, this.#needed)) break;
      const text = this.#flat();
      const parsed = parseReply(text, this.#at);
      if (typeof parsed === "number") {
        this.#needed = parsed - this.#at;
        break;
      }
      this.#needed = 0;
      const raw = text.slice(this.#at, parsed.end);
      this.#at = parsed.end;
      this.#waiters.shift()?.resolve(raw);
    }
    if (this.#closed) {
      for (const waiter of this.#waiters.splice(0)) {
        waiter.reject(new Error("The connection was closed"));
      }
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deliver();
    for (const wake of this.#closeWaiters.splice(0)) wake();
  }
}

/** The value of one whole reply. */
export function decodeReply(raw: string): Decoded {
  const parsed = parseReply(raw, 0);
  if (typeof parsed === "number") throw new Error("Cannot decode a reply: it is not complete");
  return parsed.value;
}
