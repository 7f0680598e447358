import type { Bytes } from "../base/bytes.ts";
import {
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  ErrorReply,
  KeyedReply,
  MapReply,
  NIL_ARRAY,
  NilArray,
  PairsReply,
  PushReply,
  type Reply,
  SetReply,
  Status,
  VerbatimReply,
} from "./reply.ts";

/** A reply as JSON has it: what JSON lacks is an object whose only member names its kind. */
type Packed = string | number | null | readonly Packed[] | { readonly [kind: string]: Packed };

/** A reply as text that `unpackReply` makes an equal one of, in the shapes of both protocols. */
export function packReply(reply: Reply): Bytes {
  return JSON.stringify(pack(reply));
}

/** The reply that `packReply` was given. */
export function unpackReply(text: Bytes): Reply {
  return unpack(JSON.parse(text));
}

function pack(reply: Reply): Packed {
  if (reply === null || typeof reply === "string") return reply;
  if (typeof reply === "number") return reply;
  if (typeof reply === "bigint") return { bigint: String(reply) };
  if (Array.isArray(reply)) return reply.map(pack);
  if (reply instanceof Status) return { status: reply.text };
  if (reply instanceof ErrorReply) return { error: reply.text };
  if (reply instanceof NilArray) return { nil: "array" };
  if (reply instanceof MapReply) return { map: reply.entries.map((entry) => entry.map(pack)) };
  if (reply instanceof KeyedReply) return { keyed: reply.entries.map((entry) => entry.map(pack)) };
  if (reply instanceof SetReply) return { set: reply.items.map(pack) };
  if (reply instanceof PairsReply) return { pairs: reply.pairs.map((pair) => pair.map(pack)) };
  if (reply instanceof DoubleReply) return { double: reply.text };
  if (reply instanceof BooleanReply) return { boolean: reply.value ? 1 : 0 };
  if (reply instanceof VerbatimReply) return { verbatim: [reply.format, reply.text] };
  if (reply instanceof BigNumberReply) return { number: reply.digits };
  if (reply instanceof PushReply) return { push: reply.items.map(pack) };
  throw new TypeError("Cannot pack a reply of an unknown kind");
}

function unpack(packed: Packed): Reply {
  if (packed === null || typeof packed === "string" || typeof packed === "number") return packed;
  if (isArray(packed)) return packed.map(unpack);
  const [kind] = Object.keys(packed);
  const value = packed[kind];
  return isArray(value) ? unpackList(kind, value) : unpackText(kind, value as string);
}

function unpackText(kind: string, value: string | number): Reply {
  const text = String(value);
  switch (kind) {
    case "bigint":
      return BigInt(text);
    case "status":
      return new Status(text);
    case "error":
      return new ErrorReply(text);
    case "nil":
      return NIL_ARRAY;
    case "double":
      return new DoubleReply(text);
    case "boolean":
      return new BooleanReply(value === 1);
    case "number":
      return new BigNumberReply(text);
  }
  throw new TypeError(`Cannot unpack a reply of kind ${kind}`);
}

function unpackList(kind: string, items: readonly Packed[]): Reply {
  switch (kind) {
    case "set":
      return new SetReply(items.map(unpack));
    case "push":
      return new PushReply(items.map(unpack));
    case "verbatim":
      return new VerbatimReply(items[0] as "txt" | "mkd", String(items[1]));
    case "map":
      return new MapReply(items.map((entry) => unpack(entry) as [Reply, Reply]));
    case "keyed":
      return new KeyedReply(items.map((entry) => unpack(entry) as [Reply, Reply]));
    case "pairs":
      return new PairsReply(items.map((pair) => unpack(pair) as readonly Reply[]));
  }
  throw new TypeError(`Cannot unpack a reply of kind ${kind}`);
}

function isArray(packed: Packed): packed is readonly Packed[] {
  return Array.isArray(packed);
}
