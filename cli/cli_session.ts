import type { Bytes } from "../src/base/bytes.ts";
import { utf8Encode } from "../src/base/bytes.ts";
import { ErrorReply, type Reply, Status } from "../src/resp/reply.ts";
import { hostPort } from "../src/runtime/listen_error.ts";
import { formatReply, rawReply } from "./format_reply.ts";
import { ConnectionError, RespClient } from "./resp_client.ts";

export interface SessionOptions {
  readonly host: string;
  readonly port: number;
  readonly password: string;
  /** "" = the default user. */
  readonly user: string;
  readonly db: number;
  readonly resp3: boolean;
  /** Plain bytes rather than formatted replies. */
  readonly raw: boolean;
  /** Takes output as bytes. */
  readonly write: (bytes: Bytes) => void;
}

/** A conversation with one server: connects when needed, keeps what a new connection must repeat. */
export class CliSession {
  #options: SessionOptions;
  #client: RespClient | undefined;
  #db: number;
  #resp3: boolean;
  #inTransaction = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#db = options.db;
    this.#resp3 = options.resp3;
  }

  /** `127.0.0.1:6379[1](TX)> `, as redis-cli shows it. */
  get promptText(): string {
    if (!this.#client?.open) return "not connected> ";
    const db = this.#db === 0 ? "" : `[${this.#db}]`;
    const address = hostPort(this.#options.host, this.#options.port);
    return `${address}${db}${this.#inTransaction ? "(TX)" : ""}> `;
  }

  /** Connects unless connected. Throws ConnectionError. */
  async connect(): Promise<RespClient> {
    if (this.#client?.open) return this.#client;
    this.#inTransaction = false;
    this.#client = await this.#open();
    return this.#client;
  }

  async #open(): Promise<RespClient> {
    const { host, port, password, user, write } = this.#options;
    const client = await RespClient.connect(host, port);
    client.onMessage = (reply) => write(this.#format(reply, false));
    const greetings: Bytes[][] = [];
    if (password !== "") {
      greetings.push(["AUTH", ...(user === "" ? [] : [utf8Encode(user)]), utf8Encode(password)]);
    }
    if (this.#resp3) greetings.push(["HELLO", "3"]);
    if (this.#db !== 0) greetings.push(["SELECT", String(this.#db)]);
    for (const greeting of greetings) {
      const reply = await client.call(...greeting);
      if (reply instanceof ErrorReply) write(`${greeting[0]} failed: ${reply.text}\n`);
    }
    return client;
  }

  /** Leaves the server and talks to another one from now on. */
  async reconnectTo(host: string, port: number): Promise<void> {
    this.close();
    this.#options = { ...this.#options, host, port };
    this.#db = 0;
    await this.connect();
  }

  /** Sends one command and writes its reply. Returns whether it was no error. */
  async run(args: readonly Bytes[]): Promise<boolean> {
    const client = await this.connect();
    const reply = await client.call(...args);
    this.#follow(args, reply);
    this.#options.write(this.#format(reply, showsText(args)));
    if (!streams(args) || reply instanceof ErrorReply) return !(reply instanceof ErrorReply);
    // Messages follow for as long as the connection lives.
    await client.closed;
    if (this.#client === undefined) return true;
    throw new ConnectionError("Server closed the connection");
  }

  /** Asks on a connection of its own, so that a transaction or subscription is left alone. */
  async ask(...args: readonly Bytes[]): Promise<Reply> {
    const aside = await this.#open();
    try {
      return await aside.call(...args);
    } finally {
      aside.close();
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #format(reply: Reply, text: boolean): Bytes {
    if (text && !(reply instanceof ErrorReply)) return rawReply(reply).replace(/\n?$/, "\n");
    if (this.#options.raw) return rawReply(reply) + "\n";
    return formatReply(reply);
  }

  /** Keeps what the command changed for this connection. */
  #follow(args: readonly Bytes[], reply: Reply): void {
    const name = args[0].toUpperCase();
    if (reply instanceof ErrorReply) {
      if (name === "EXEC") this.#inTransaction = false;
      return;
    }
    if (name === "HELLO" && args.length > 1) this.#resp3 = args[1] === "3";
    if (name === "EXEC" || name === "DISCARD") this.#inTransaction = false;
    if (name === "RESET") {
      this.#inTransaction = false;
      this.#resp3 = false;
      this.#db = 0;
    }
    if (!(reply instanceof Status) || reply.text !== "OK") return;
    if (name === "SELECT") this.#db = Number(args[1]);
    if (name === "MULTI") this.#inTransaction = true;
    if (name === "AUTH") {
      const [user, password] = args.length === 3 ? [args[1], args[2]] : ["", args[1]];
      this.#options = { ...this.#options, user, password };
    }
  }
}

const STREAMS = new Set(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR"]);

function streams(args: readonly Bytes[]): boolean {
  return STREAMS.has(args[0].toUpperCase());
}

const TEXT_REPLIES = new Set([
  "INFO",
  "LOLWUT",
  "CLIENT LIST",
  "CLIENT INFO",
  "CLUSTER NODES",
  "CLUSTER INFO",
  "DEBUG HTSTATS",
  "MEMORY MALLOC-STATS",
  "MEMORY DOCTOR",
  "LATENCY GRAPH",
  "LATENCY DOCTOR",
]);

/** Whether the reply is a text for people, shown unquoted. */
function showsText(args: readonly Bytes[]): boolean {
  const name = args[0].toUpperCase();
  return TEXT_REPLIES.has(name) || TEXT_REPLIES.has(`${name} ${args[1]?.toUpperCase()}`);
}
