import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import nodeProcess from "node:process";
import type { Bytes } from "../../src/base/bytes.ts";
import { freePort } from "../system/harness.ts";

/** A redis-server of its own for a test, on a free port and with a directory that it removes. */
export class RealRedis {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, process: ChildProcess, directory: string) {
    this.port = port;
    this.#process = process;
    this.#directory = directory;
    // A program that fails before stop() leaves no server behind.
    nodeProcess.once("exit", () => process.kill("SIGKILL"));
  }

  /** Starts Debian's redis-server with these further options ("--requirepass", "x"). */
  static async start(...options: string[]): Promise<RealRedis> {
    const directory = mkdtempSync(join(tmpdir(), "real-redis-"));
    for (let attempt = 0; attempt < 5; attempt++) {
      const port = await freePort();
      const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", directory];
      const child = spawn("redis-server", [...args, ...options], { stdio: ["ignore", "pipe", 2] });
      if (await becomesReady(child)) return new RealRedis(port, child, directory);
      child.kill("SIGKILL");
    }
    rmSync(directory, { recursive: true });
    throw new Error("redis-server does not start");
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port);
  }

  /** Ends the process and removes its directory. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function becomesReady(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    let seen = "";
    child.stdout?.on("data", (chunk) => {
      seen = (seen + chunk).slice(-4000);
      if (seen.includes("Ready to accept connections")) resolve(true);
    });
    child.once("error", () => resolve(false));
    child.once("exit", () => resolve(false));
  });
}

/** A connection that hands out replies as the bytes that came. */
export class RawClient {
  readonly #socket: Socket;
  #received: Bytes = "";
  #waiting: ((reply: Bytes | undefined) => void)[] = [];
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      this.#received += chunk;
      this.#deliver();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      this.#deliver();
    });
  }

  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new RawClient(socket)));
      socket.once("error", reject);
    });
  }

  /** The bytes of the reply to a command; undefined when the connection ends before it. */
  send(argv: readonly Bytes[]): Promise<Bytes | undefined> {
    const parts = argv.map((argument) => `$${argument.length}\r\n${argument}\r\n`);
    this.#socket.write(`*${argv.length}\r\n${parts.join("")}`, "latin1");
    return this.next();
  }

  /** The bytes of the next reply. */
  next(): Promise<Bytes | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#deliver();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #deliver(): void {
    while (this.#waiting.length > 0) {
      const end = replyEnd(this.#received, 0);
      if (end < 0 && !this.#ended) return;
      const waiting = this.#waiting.shift();
      waiting?.(end < 0 ? undefined : this.#received.slice(0, end));
      this.#received = end < 0 ? "" : this.#received.slice(end);
    }
  }
}

/** Where the reply that starts at `start` ends, or -1 when it is not complete. */
export function replyEnd(text: Bytes, start: number): number {
  const lineEnd = text.indexOf("\r\n", start);
  if (lineEnd < 0) return -1;
  const kind = text[start];
  const count = Number(text.slice(start + 1, lineEnd));
  if ("$=!".includes(kind)) {
    const end = count < 0 ? lineEnd + 2 : lineEnd + 2 + count + 2;
    return end <= text.length ? end : -1;
  }
  if (!"*~%>|".includes(kind)) return lineEnd + 2;
  let end = lineEnd + 2;
  for (let left = kind === "%" || kind === "|" ? count * 2 : count; left > 0; left--) {
    end = replyEnd(text, end);
    if (end < 0) return -1;
  }
  return end;
}
