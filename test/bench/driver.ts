import { connect, type Socket } from "node:net";

/** What the requests of a phase took. */
export interface Taken {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  /** The first of them. */
  readonly error: string;
}

/** One connection: requests go out as they are given, replies are told from their bytes alone. */
export class Connection {
  readonly #socket: Socket;
  #held: Uint8Array = new Uint8Array(0);
  #waiting: { readonly startMs: number; done(ms: number, error: string): void }[] = [];
  #at = 0;
  #failed: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#take(chunk as Uint8Array));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the server closed the connection")));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => resolve(new Connection(socket)));
      socket.on("error", reject);
    });
  }

  /** Sends a request; resolves to its milliseconds, and its error reply or "". */
  send(request: string): Promise<{ ms: number; error: string }> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    this.#socket.write(request, "latin1");
    return new Promise((resolve) => {
      const done = (ms: number, error: string) => resolve({ ms, error });
      this.#waiting.push({ startMs: performance.now(), done });
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Uint8Array): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const nowMs = performance.now();
    let at = 0;
    for (;;) {
      const end = replyEnd(bytes, at);
      if (end < 0) break;
      const { startMs, done } = this.#waiting[this.#at++];
      done(
        nowMs - startMs,
        bytes[at] === MINUS ? Buffer.from(bytes.slice(at, end)).toString() : "",
      );
      at = end;
    }
    this.#held = bytes.subarray(at);
    if (this.#at > 1000) {
      this.#waiting.splice(0, this.#at);
      this.#at = 0;
    }
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    for (const { done } of this.#waiting.slice(this.#at)) done(0, error.message);
    this.#waiting = [];
    this.#at = 0;
  }
}

const MINUS = 45;
const DOLLAR = 36;
const STAR = 42;
const CR = 13;

/** Where the reply that starts at `at` ends, or -1 while it is incomplete. */
export function replyEnd(bytes: Uint8Array, at: number): number {
  const line = bytes.indexOf(CR, at);
  if (line < 0 || line + 2 > bytes.length) return -1;
  const kind = bytes[at];
  let end = line + 2;
  if (kind !== DOLLAR && kind !== STAR) return end;
  const count = Number(Buffer.from(bytes.subarray(at + 1, line)).toString());
  if (kind === DOLLAR) {
    if (count >= 0) end += count + 2;
    return end <= bytes.length ? end : -1;
  }
  for (let i = 0; i < count; i++) {
    end = replyEnd(bytes, end);
    if (end < 0) return -1;
  }
  return end;
}

/** A request in the form clients send it. */
export function request(...argv: readonly (string | number)[]): string {
  let text = `*${argv.length}\r\n`;
  for (const word of argv) text += `$${String(word).length}\r\n${word}\r\n`;
  return text;
}

/**
 * Keeps `depth` requests on the way on each of `clients` connections until `next` gives no more.
 */
export async function drive(
  port: number,
  clients: number,
  depth: number,
  next: () => string | undefined,
): Promise<Taken> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => Connection.open(port)),
  );
  const times: number[] = [];
  let errors = 0;
  let firstError = "";
  const startMs = performance.now();
  const run = async (connection: Connection): Promise<void> => {
    for (let text = next(); text !== undefined; text = next()) {
      const { ms, error } = await connection.send(text);
      times.push(ms);
      if (error === "") continue;
      firstError ||= error;
      errors += 1;
    }
  };
  const runs: Promise<void>[] = [];
  for (const connection of connections) for (let i = 0; i < depth; i++) runs.push(run(connection));
  await Promise.all(runs);
  const seconds = (performance.now() - startMs) / 1000;
  for (const connection of connections) connection.close();
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return {
    requests: sorted.length,
    requestsPerSecond: sorted.length / seconds,
    p50Ms: at(0.5) ?? 0,
    p99Ms: at(0.99) ?? 0,
    maxMs: at(1) ?? 0,
    errors,
    error: firstError,
  };
}
