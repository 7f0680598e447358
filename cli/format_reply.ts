import type { Bytes } from "../src/base/bytes.ts";
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
  PushReply,
  type Reply,
  SequenceReply,
  SetReply,
  Status,
  TransactionReply,
  VerbatimReply,
} from "../src/resp/reply.ts";

/** A reply as redis-cli shows it to a person: typed, quoted, numbered; ends in a newline. */
export function formatReply(reply: Reply, prefix = ""): Bytes {
  if (typeof reply === "string") return quoteBytes(reply) + "\n";
  if (typeof reply === "number" || typeof reply === "bigint") return `(integer) ${reply}\n`;
  if (reply === null || reply instanceof NilArray) return "(nil)\n";
  if (reply instanceof Status) return reply.text + "\n";
  if (reply instanceof ErrorReply) return `(error) ${reply.text}\n`;
  if (reply instanceof DoubleReply) return `(double) ${reply.text}\n`;
  if (reply instanceof BooleanReply) return `(${reply.value})\n`;
  if (reply instanceof VerbatimReply) return reply.text + "\n";
  if (reply instanceof BigNumberReply) return `(big number) ${reply.digits}\n`;
  if (reply instanceof AnnouncedReply) return formatReply(reply.reply, prefix);
  if (reply instanceof MapReply || reply instanceof KeyedReply) return formatMap(reply, prefix);
  if (reply instanceof SetReply) return formatItems(reply.items, "~", "set", prefix);
  if (reply instanceof PushReply) return formatItems(reply.items, ")", "push", prefix);
  if (reply instanceof PairsReply) return formatItems(reply.pairs, ")", "array", prefix);
  return formatItems(itemsOf(reply), ")", "array", prefix);
}

/** The items of an array. */
function itemsOf(reply: readonly Reply[] | SequenceReply | TransactionReply): readonly Reply[] {
  return reply instanceof SequenceReply || reply instanceof TransactionReply
    ? reply.replies
    : reply;
}

function formatItems(
  items: readonly Reply[],
  mark: string,
  kind: string,
  prefix: string,
): Bytes {
  if (items.length === 0) return `(empty ${kind})\n`;
  const width = String(items.length).length;
  const inner = prefix + " ".repeat(width + 2);
  return items
    .map((item, i) => {
      const number = String(i + 1).padStart(width);
      return `${i === 0 ? "" : prefix}${number}${mark} ${formatReply(item, inner)}`;
    })
    .join("");
}

function formatMap(reply: MapReply | KeyedReply, prefix: string): Bytes {
  const { entries } = reply;
  if (entries.length === 0) return "(empty hash)\n";
  const width = String(entries.length).length;
  const inner = prefix + " ".repeat(width + 2);
  return entries
    .map(([key, value], i) => {
      const number = String(i + 1).padStart(width);
      const shownKey = formatReply(key, inner).slice(0, -1);
      const shownValue = formatReply(value, inner);
      // A value of several lines starts on a line of its own.
      const gap = shownValue.indexOf("\n") < shownValue.length - 1 ? `\n${inner}` : "";
      return `${i === 0 ? "" : prefix}${number}# ${shownKey} => ${gap}${shownValue}`;
    })
    .join("");
}

/** A reply as redis-cli pipes it to a program: the bytes, one element a line. */
export function rawReply(reply: Reply): Bytes {
  if (typeof reply === "string") return reply;
  if (typeof reply === "number" || typeof reply === "bigint") return String(reply);
  if (reply === null || reply instanceof NilArray) return "";
  if (reply instanceof Status) return reply.text;
  if (reply instanceof ErrorReply) return reply.text + "\n";
  if (reply instanceof DoubleReply) return reply.text;
  if (reply instanceof BooleanReply) return `(${reply.value})`;
  if (reply instanceof VerbatimReply) return reply.text;
  if (reply instanceof BigNumberReply) return reply.digits;
  if (reply instanceof AnnouncedReply) return rawReply(reply.reply);
  if (reply instanceof MapReply || reply instanceof KeyedReply) {
    return reply.entries.map(([key, value]) => `${rawReply(key)} ${rawReply(value)}`).join("\n");
  }
  if (reply instanceof PairsReply) return reply.pairs.map(rawReply).join("\n");
  const isSet = reply instanceof SetReply || reply instanceof PushReply;
  return (isSet ? reply.items : itemsOf(reply)).map(rawReply).join("\n");
}

const ESCAPES = new Map([
  ["\\", "\\\\"],
  ['"', '\\"'],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
]);

/** `bytes` in double quotes, everything that is not printable ASCII escaped. */
export function quoteBytes(bytes: Bytes): string {
  // Only printable ASCII without the double quote and the backslash stays.
  const escaped = bytes.replace(
    /[^ !#-[\]-~]/g,
    (char) => ESCAPES.get(char) ?? "\\x" + char.charCodeAt(0).toString(16).padStart(2, "0"),
  );
  return `"${escaped}"`;
}
