import type { Bytes } from "../base/bytes.ts";
import {
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  ErrorReply,
  MapReply,
  NIL_ARRAY,
  PushReply,
  type Reply,
  SetReply,
  Status,
  VerbatimReply,
} from "./reply.ts";

/** Bytes of a header line, a simple string or an error. */
const LINE_BYTES_MAX = 64 * 1024;
/** Aggregates within aggregates. */
const DEPTH_MAX = 1024;
const BULK_BYTES_MAX = 2 ** 31;

/** What a server sent is not RESP: the connection cannot go on. */
export class ReplyProtocolError extends Error {
  override name = "ReplyProtocolError";
}

/** An aggregate that still lacks items. */
interface Frame {
  readonly type: string;
  missing: number;
  readonly items: Reply[];
}

/**
 * Reads replies of RESP2 and RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec/)
 * from any split of their bytes: the client's side of a connection. Attributes are dropped.
 */
export class ReplyDecoder {
  #buffer: Bytes = "";
  #at = 0;
  /** The type and size of a bulk whose header has been read; -1: none. */
  #bulkType = "";
  #bulkBytes = -1;
  #stack: Frame[] = [];
  /** An attribute was read; the reply that it belongs to follows. */
  #attributed = false;

  /** The replies that `chunk` completes, in order. Throws ReplyProtocolError. */
  decode(chunk: Bytes): Reply[] {
    this.#buffer = this.#at === this.#buffer.length ? chunk : this.#buffer.slice(this.#at) + chunk;
    this.#at = 0;
    const replies: Reply[] = [];
    for (;;) {
      const reply = this.#bulkBytes >= 0 ? this.#readBulk() : this.#readLine();
      if (reply === undefined) return replies;
      if (reply === OPENED) continue;
      const done = this.#place(reply);
      if (done !== undefined) replies.push(done);
    }
  }

  /** Whether a reply has begun and is not complete. */
  get pending(): boolean {
    return this.#at < this.#buffer.length || this.#bulkBytes >= 0 || this.#stack.length > 0 ||
      this.#attributed;
  }

  /** Puts a value where it belongs; returns it, or the aggregate it completes, at the top. */
  #place(value: Reply): Reply | undefined {
    for (;;) {
      const frame = this.#stack.at(-1);
      if (frame === undefined) {
        this.#attributed = false;
        return value;
      }
      frame.items.push(value);
      if (--frame.missing > 0) return undefined;
      this.#stack.pop();
      if (frame.type === "|") {
        this.#attributed = true;
        return undefined;
      }
      value = aggregate(frame);
    }
  }

  #readLine(): Reply | typeof OPENED | undefined {
    const end = this.#buffer.indexOf("\r\n", this.#at);
    if ((end < 0 ? this.#buffer.length : end) - this.#at > LINE_BYTES_MAX) {
      throw new ReplyProtocolError("A reply has too long a line");
    }
    if (end < 0) return undefined;
    const type = this.#buffer[this.#at];
    const text = this.#buffer.slice(this.#at + 1, end);
    this.#at = end + 2;
    switch (type) {
      case "$":
      case "=":
      case "!":
        return this.#openBulk(type, text);
      case "*":
      case "%":
      case "~":
      case ">":
      case "|":
        return this.#openAggregate(type, text);
    }
    return scalar(type, text);
  }

  #openBulk(type: string, text: string): Reply | typeof OPENED {
    if (type === "$" && text === "-1") return null;
    this.#bulkBytes = count(text, BULK_BYTES_MAX);
    this.#bulkType = type;
    return OPENED;
  }

  #readBulk(): Reply | undefined {
    // Until all of it is here the buffer is only added to, never searched: linear in its size.
    const end = this.#at + this.#bulkBytes;
    if (this.#buffer.length < end + 2) return undefined;
    const bytes = this.#buffer.slice(this.#at, end);
    if (this.#buffer.slice(end, end + 2) !== "\r\n") {
      throw new ReplyProtocolError("A bulk string does not end where its length says");
    }
    this.#at = end + 2;
    this.#bulkBytes = -1;
    if (this.#bulkType === "$") return bytes;
    if (this.#bulkType === "!") return new ErrorReply(bytes);
    const format = bytes.slice(0, 4);
    if (format === "txt:" || format === "mkd:") {
      return new VerbatimReply(format === "txt:" ? "txt" : "mkd", bytes.slice(4));
    }
    throw new ReplyProtocolError(`A verbatim string of unknown format ${JSON.stringify(format)}`);
  }

  #openAggregate(type: string, text: string): Reply | typeof OPENED {
    if (type === "*" && text === "-1") return NIL_ARRAY;
    const pairs = type === "%" || type === "|";
    const missing = count(text, 2 ** 31) * (pairs ? 2 : 1);
    const frame = { type, missing, items: [] };
    if (missing === 0 && type === "|") this.#attributed = true;
    if (missing === 0) return type === "|" ? OPENED : aggregate(frame);
    if (this.#stack.length === DEPTH_MAX) throw new ReplyProtocolError("A reply nests too deep");
    this.#stack.push(frame);
    return OPENED;
  }
}

/** A header was read; its content follows. */
const OPENED = Symbol("opened");

function scalar(type: string, text: string): Reply {
  switch (type) {
    case "+":
      return new Status(text);
    case "-":
      return new ErrorReply(text);
    case ":":
      return integer(text);
    case "_":
      if (text === "") return null;
      break;
    case "#":
      if (text === "t" || text === "f") return new BooleanReply(text === "t");
      break;
    case ",":
      return new DoubleReply(text);
    case "(":
      if (/^[+-]?\d+$/.test(text)) return new BigNumberReply(text);
      break;
  }
  throw new ReplyProtocolError(`Not a reply: ${JSON.stringify((type + text).slice(0, 40))}`);
}

function integer(text: string): number | bigint {
  if (!/^[+-]?\d{1,20}$/.test(text)) {
    throw new ReplyProtocolError(`Not an integer: ${JSON.stringify(text.slice(0, 40))}`);
  }
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function count(text: string, max: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (number <= max) return number;
  throw new ReplyProtocolError(`Not a length: ${JSON.stringify(text.slice(0, 40))}`);
}

function aggregate(frame: Frame): Reply {
  switch (frame.type) {
    case "%": {
      const entries: (readonly [Reply, Reply])[] = [];
      for (let i = 0; i < frame.items.length; i += 2) {
        entries.push([frame.items[i], frame.items[i + 1]]);
      }
      return new MapReply(entries);
    }
    case "~":
      return new SetReply(frame.items);
    case ">":
      return new PushReply(frame.items);
  }
  return frame.items;
}
