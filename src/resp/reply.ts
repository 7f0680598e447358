import type { Bytes } from "../base/bytes.ts";

/**
 * What a command answers, before it is encoded for a protocol version:
 *
 * - a `Bytes` string is a bulk string, `null` the nil, a `number` or `bigint` an integer,
 *   a plain array an array;
 * - everything else is one of the classes below. RESP2 has fewer shapes; the encoder maps.
 *
 * Replies are values: built once, never changed, so constants may be shared. `kind` exists only
 * for the type checker, to which classes of the same fields would be one.
 */
export type Reply =
  | Bytes
  | number
  | bigint
  | null
  | readonly Reply[]
  | Status
  | ErrorReply
  | NilArray
  | MapReply
  | SetReply
  | PairsReply
  | KeyedReply
  | DoubleReply
  | BooleanReply
  | VerbatimReply
  | BigNumberReply
  | PushReply
  | AnnouncedReply
  | SequenceReply
  | TransactionReply;

/** A simple string: `+text`. */
export class Status {
  declare readonly kind: "status";
  readonly text: Bytes;
  constructor(text: Bytes) {
    this.text = text;
  }
}

/** An error: `-text`, with its code word ("ERR …", "WRONGTYPE …") and without CR or LF. */
export class ErrorReply {
  declare readonly kind: "error";
  readonly text: Bytes;
  constructor(text: Bytes) {
    this.text = text;
  }
}

/** An error that a script passes on from a command it has called, where it was counted. */
export class CalledErrorReply extends ErrorReply {}

/** The nil of array-valued commands: `*-1` in RESP2, `_` in RESP3. */
export class NilArray {
  declare readonly kind: "nil array";
  readonly nil = true;
}

/** A map; RESP2: one flat array of keys and values. */
export class MapReply {
  declare readonly kind: "map";
  readonly entries: readonly (readonly [Reply, Reply])[];
  constructor(entries: readonly (readonly [Reply, Reply])[]) {
    this.entries = entries;
  }
}

/** A set; RESP2: an array. */
export class SetReply {
  declare readonly kind: "set";
  readonly items: readonly Reply[];
  constructor(items: readonly Reply[]) {
    this.items = items;
  }
}

/** An array of arrays in RESP3 (ZRANGE WITHSCORES, HRANDFIELD WITHVALUES); RESP2: flat. */
export class PairsReply {
  declare readonly kind: "pairs";
  readonly pairs: readonly (readonly Reply[])[];
  constructor(pairs: readonly (readonly Reply[])[]) {
    this.pairs = pairs;
  }
}

/** A map in RESP3 (XREAD: entries by stream); RESP2: an array of arrays of key and value. */
export class KeyedReply {
  declare readonly kind: "keyed";
  readonly entries: readonly (readonly [Reply, Reply])[];
  constructor(entries: readonly (readonly [Reply, Reply])[]) {
    this.entries = entries;
  }
}

/** A double, given in Redis's own text ("1.5", "inf", "-inf", "nan"); RESP2: a bulk string. */
export class DoubleReply {
  declare readonly kind: "double";
  readonly text: Bytes;
  constructor(text: Bytes) {
    this.text = text;
  }
}

/** A boolean; RESP2: the integer 1 or 0. */
export class BooleanReply {
  declare readonly kind: "boolean";
  readonly value: boolean;
  constructor(value: boolean) {
    this.value = value;
  }
}

/** A verbatim string with its three-letter format; RESP2: a bulk string. */
export class VerbatimReply {
  declare readonly kind: "verbatim";
  readonly format: "txt" | "mkd";
  readonly text: Bytes;
  constructor(format: "txt" | "mkd", text: Bytes) {
    this.format = format;
    this.text = text;
  }
}

/** A number of any size in decimal digits; RESP2: a bulk string. */
export class BigNumberReply {
  declare readonly kind: "big number";
  readonly digits: Bytes;
  constructor(digits: Bytes) {
    this.digits = digits;
  }
}

/** An out-of-band message (pub/sub, invalidation); RESP2: an array. */
export class PushReply {
  declare readonly kind: "push";
  readonly items: readonly Reply[];
  constructor(items: readonly Reply[]) {
    this.items = items;
  }
}

/** A reply behind attributes (a map) or a push message, of which RESP2 has neither. */
export class AnnouncedReply {
  declare readonly kind: "announced";
  readonly before: MapReply | PushReply;
  readonly reply: Reply;
  constructor(before: MapReply | PushReply, reply: Reply) {
    this.before = before;
    this.reply = reply;
  }
}

/** Several replies in a row, as SUBSCRIBE of several channels has; at least one. */
export class SequenceReply {
  declare readonly kind: "sequence";
  readonly replies: readonly Reply[];
  constructor(replies: readonly Reply[]) {
    this.replies = replies;
  }
}

/** What EXEC answers where some of its commands concerned the connection or the node. */
export class TransactionReply {
  declare readonly kind: "transaction";
  /** Of all commands, in order. */
  readonly replies: readonly Reply[];
  /** Of the commands on data: the same on every node. */
  readonly dataReplies: readonly Reply[];
  /** The protocol version of each reply, where HELLO was among the commands. */
  readonly protocols: readonly (2 | 3)[] | undefined;
  constructor(
    replies: readonly Reply[],
    dataReplies: readonly Reply[],
    protocols?: readonly (2 | 3)[],
  ) {
    this.replies = replies;
    this.dataReplies = dataReplies;
    this.protocols = protocols;
  }
}

export const OK = new Status("OK");
export const PONG = new Status("PONG");
export const QUEUED = new Status("QUEUED");
export const NIL_ARRAY = new NilArray();

/** An error reply with the generic code: `ERR text`. */
export function err(text: Bytes): ErrorReply {
  return new ErrorReply("ERR " + text);
}

export const WRONG_TYPE = new ErrorReply(
  "WRONGTYPE Operation against a key holding the wrong kind of value",
);
export const SYNTAX_ERROR = err("syntax error");
export const NOT_INTEGER = err("value is not an integer or out of range");
export const NOT_FLOAT = err("value is not a valid float");
export const NO_SUCH_KEY = err("no such key");
export const DB_OUT_OF_RANGE = err("DB index is out of range");

/** Redis's answer to a wrong number of arguments; `name` in lower case, "object|freq" for a sub. */
export function wrongArity(name: Bytes): ErrorReply {
  return err(`wrong number of arguments for '${name}' command`);
}
