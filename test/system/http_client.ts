import { connect, type Socket } from "node:net";

/** A request to one server, with a token that is sent along. */
export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body as JSON. */
  readonly json: unknown;
}

/** Sends a request and reads its answer, which is JSON. */
export async function ask(port: number, path: string, sent: Sent = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, sent);
  const text = await response.text();
  const json = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, json };
}

/** `POST /` with one command; its result, or its error as `Error: …`. */
export async function command(
  port: number,
  argv: readonly unknown[],
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const answer = await ask(port, "/", { method: "POST", body: JSON.stringify(argv), headers });
  const { result, error } = answer.json as { result?: unknown; error?: string };
  return error === undefined ? result : `Error: ${error}`;
}

/** One event as EventSource would see it. */
export interface Event {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** A reader of server-sent events over a socket of its own, which can stop to read. */
export class SseReader {
  readonly events: Event[] = [];
  readonly #socket: Socket;
  status = 0;
  /** The head of the response, in lower case. */
  head = "";
  /** The id of the last event, or of a heartbeat. */
  lastId = "";
  isClosed = false;
  /** Comment lines. */
  comments = 0;
  #received = "";
  #body = "";

  constructor(port: number, path: string, headers: Readonly<Record<string, string>> = {}) {
    const lines = [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", "Accept: text/event-stream"];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    this.#socket = connect(port, "127.0.0.1", () => {
      this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    });
    this.#socket.on("data", (chunk: Uint8Array) => this.#receive(Buffer.from(chunk)));
    this.#socket.on("close", () => this.isClosed = true);
    this.#socket.on("error", () => this.isClosed = true);
  }

  get text(): string {
    return this.#body;
  }

  stopReading(): void {
    this.#socket.pause();
  }

  goOnReading(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received += chunk.toString("latin1");
    if (this.status === 0) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.head = this.#received.slice(0, end).toLowerCase();
      this.status = Number(this.head.split(" ")[1]);
      this.#received = this.#received.slice(end + 4);
    }
    this.#readChunks();
    this.#readEvents();
  }

  /** Takes the frames of the chunked body off; a body of a declared length is as it is. */
  #readChunks(): void {
    if (!this.head.includes("transfer-encoding: chunked")) {
      this.#body += this.#received;
      this.#received = "";
      return;
    }
    for (;;) {
      const end = this.#received.indexOf("\r\n");
      if (end < 0) return;
      const length = parseInt(this.#received.slice(0, end), 16);
      if (this.#received.length < end + 2 + length + 2) return;
      this.#body += this.#received.slice(end + 2, end + 2 + length);
      this.#received = this.#received.slice(end + 2 + length + 2);
    }
  }

  #readEvents(): void {
    for (;;) {
      const end = this.#body.indexOf("\n\n");
      if (end < 0 || this.status !== 200) return;
      const block = Buffer.from(this.#body.slice(0, end), "latin1").toString("utf8");
      this.#body = this.#body.slice(end + 2);
      let type = "message";
      const data: string[] = [];
      for (const line of block.split("\n")) {
        if (line.startsWith(":")) this.comments++;
        else if (line.startsWith("id: ")) this.lastId = line.slice(4);
        else if (line.startsWith("event: ")) type = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      if (data.length > 0) this.events.push({ id: this.lastId, type, data: data.join("\n") });
    }
  }
}
