import { Buffer } from "node:buffer";
import { connect } from "node:net";

export interface RawResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export interface RawRequest {
  readonly method?: string;
  /** The request target, sent as it is; chars are bytes. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Chars are bytes. Sent with its Content-Length, or in one chunk. */
  readonly body?: string;
  readonly chunked?: boolean;
}

/** Sends one request over a connection of its own, without any client's normalising. */
export async function sendRaw(port: number, request: RawRequest): Promise<RawResponse> {
  return parseResponse(await exchange(port, requestBytes(request)));
}

/** Sends bytes and resolves with all that comes back until the other side closes. */
export function exchange(port: number, bytes: string, halfClose = false): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => {
      if (halfClose) socket.end(bytes, "latin1");
      else socket.write(bytes, "latin1");
    });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  });
}

/** Sends bytes and resolves with the response, then cuts the connection. */
export function firstResponse(port: number, bytes: string): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const head = received.indexOf("\r\n\r\n");
      const length = /content-length: (\d+)/i.exec(received.toString("latin1", 0, head));
      if (head < 0 || length === null) return;
      if (received.length < head + 4 + Number(length[1])) return;
      socket.destroy();
      resolve(parseResponse(received));
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("Cannot read a response: connection closed")));
  });
}

function requestBytes({ method = "GET", target, headers, body, chunked }: RawRequest): string {
  let head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
  for (const [name, value] of Object.entries(headers ?? {})) head += `${name}: ${value}\r\n`;
  if (body === undefined) return `${head}\r\n`;
  if (!chunked) return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  const size = body.length.toString(16);
  const chunk = body === "" ? "" : `${size}\r\n${body}\r\n`;
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
}

export function parseResponse(bytes: Buffer): RawResponse {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) throw new Error(`Cannot parse as HTTP: ${JSON.stringify(bytes.toString("latin1"))}`);
  const [statusLine, ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const rest = bytes.subarray(end + 4);
  const body = headers.get("transfer-encoding") === "chunked" ? dechunk(rest) : rest;
  return { status: Number(statusLine.split(" ")[1]), headers, body };
}

function dechunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const line = bytes.indexOf("\r\n", at);
    const size = parseInt(bytes.toString("latin1", at, line), 16);
    if (size === 0) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
