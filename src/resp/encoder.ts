import type { Bytes } from "../base/bytes.ts";
import {
  AnnouncedReply,
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  ErrorReply,
  KeyedReply,
  MapReply,
  NilArray,
  PairsReply,
  type Reply,
  SequenceReply,
  SetReply,
  Status,
  TransactionReply,
  VerbatimReply,
} from "./reply.ts";

/** The protocol versions of HELLO. */
export type Protocol = 2 | 3;

/**
 * The wire form of a reply, as one byte string to be joined with others of its connection.
 *
 * Source: the RESP2 and RESP3 specifications (redis.io/docs/reference/protocol-spec).
 */
export function encodeReply(reply: Reply, protocol: Protocol): Bytes {
  if (typeof reply === "string") return "$" + reply.length + "\r\n" + reply + "\r\n";
  if (typeof reply === "number" || typeof reply === "bigint") return ":" + reply + "\r\n";
  if (reply === null) return protocol === 2 ? "$-1\r\n" : "_\r\n";
  if (reply instanceof Status) return "+" + reply.text + "\r\n";
  if (reply instanceof ErrorReply) return "-" + reply.text + "\r\n";
  if (isArray(reply)) return encodeItems("*", reply, protocol);
  if (reply instanceof SequenceReply) {
    return reply.replies.map((each) => encodeReply(each, protocol)).join("");
  }
  if (reply instanceof TransactionReply) return encodeTransaction(reply, protocol);
  return protocol === 2 ? encodeResp2(reply) : encodeResp3(reply);
}

type RareReply = Exclude<
  Reply,
  | Bytes
  | number
  | bigint
  | null
  | readonly Reply[]
  | Status
  | ErrorReply
  | SequenceReply
  | TransactionReply
>;

/** Array.isArray does not narrow readonly arrays. */
function isArray(reply: Reply): reply is readonly Reply[] {
  return Array.isArray(reply);
}

function encodeItems(sigil: string, items: readonly Reply[], protocol: Protocol): Bytes {
  if (items.length >= STRINGS_MIN && areStrings(items)) return encodeStrings(sigil, items);
  let out = sigil + items.length + "\r\n";
  for (let i = 0; i < items.length; i++) out += encodeReply(items[i], protocol);
  return out;
}

/** From so many strings on, encoding them alone pays. */
const STRINGS_MIN = 8;

/** What stands between one item and a string of each short length. */
const HEADS = Array.from({ length: 512 }, (_, length) => `\r\n$${length}\r\n`);

function headOf(item: Bytes): Bytes {
  return item.length < HEADS.length ? HEADS[item.length] : `\r\n$${item.length}\r\n`;
}

function areStrings(items: readonly Reply[]): items is readonly Bytes[] {
  for (let i = 0; i < items.length; i++) if (typeof items[i] !== "string") return false;
  return true;
}

/** `encodeItems` of strings: several at a time, so that fewer strings are made on the way. */
function encodeStrings(sigil: string, items: readonly Bytes[]): Bytes {
  let out = sigil + items.length;
  let i = 0;
  for (; i + 4 <= items.length; i += 4) {
    const a = items[i], b = items[i + 1], c = items[i + 2], d = items[i + 3];
    out += `${headOf(a)}${a}${headOf(b)}${b}${headOf(c)}${c}${headOf(d)}${d}`;
  }
  for (; i < items.length; i++) out += headOf(items[i]) + items[i];
  return out + "\r\n";
}

function encodeTransaction({ replies, protocols }: TransactionReply, protocol: Protocol): Bytes {
  const encoded = replies.map((each, i) => encodeReply(each, protocols?.[i] ?? protocol));
  return "*" + replies.length + "\r\n" + encoded.join("");
}

function encodeResp2(reply: RareReply): Bytes {
  if (reply instanceof NilArray) return "*-1\r\n";
  if (reply instanceof MapReply) return encodePairsFlat("*", reply.entries, 2);
  if (reply instanceof SetReply) return encodeItems("*", reply.items, 2);
  if (reply instanceof PairsReply) return encodeItems("*", reply.pairs.flat(), 2);
  if (reply instanceof KeyedReply) return encodeItems("*", reply.entries, 2);
  if (reply instanceof DoubleReply) return encodeReply(reply.text, 2);
  if (reply instanceof BooleanReply) return reply.value ? ":1\r\n" : ":0\r\n";
  if (reply instanceof VerbatimReply) return encodeReply(reply.text, 2);
  if (reply instanceof BigNumberReply) return encodeReply(reply.digits, 2);
  if (reply instanceof AnnouncedReply) return encodeReply(reply.reply, 2);
  return encodeItems("*", reply.items, 2);
}

function encodeResp3(reply: RareReply): Bytes {
  if (reply instanceof NilArray) return "_\r\n";
  if (reply instanceof MapReply) return encodePairsFlat("%", reply.entries, 3);
  if (reply instanceof SetReply) return encodeItems("~", reply.items, 3);
  if (reply instanceof PairsReply) return encodeItems("*", reply.pairs, 3);
  if (reply instanceof KeyedReply) return encodePairsFlat("%", reply.entries, 3);
  if (reply instanceof DoubleReply) return "," + reply.text + "\r\n";
  if (reply instanceof BooleanReply) return reply.value ? "#t\r\n" : "#f\r\n";
  if (reply instanceof VerbatimReply) {
    return "=" + (reply.text.length + 4) + "\r\n" + reply.format + ":" + reply.text + "\r\n";
  }
  if (reply instanceof BigNumberReply) return "(" + reply.digits + "\r\n";
  if (reply instanceof AnnouncedReply) return encodeAnnounced(reply);
  return encodeItems(">", reply.items, 3);
}

function encodeAnnounced({ before, reply }: AnnouncedReply): Bytes {
  const first = before instanceof MapReply
    ? encodePairsFlat("|", before.entries, 3)
    : encodeItems(">", before.items, 3);
  return first + encodeReply(reply, 3);
}

function encodePairsFlat(
  sigil: "*" | "%" | "|",
  entries: readonly (readonly [Reply, Reply])[],
  protocol: Protocol,
): Bytes {
  let out = sigil + (sigil === "*" ? entries.length * 2 : entries.length) + "\r\n";
  for (const [key, value] of entries) {
    out += encodeReply(key, protocol) + encodeReply(value, protocol);
  }
  return out;
}
