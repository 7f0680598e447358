import type { Bytes } from "../base/bytes.ts";
import {
  AnnouncedReply,
  BigNumberReply,
  BooleanReply,
  CalledErrorReply,
  DoubleReply,
  ErrorReply,
  KeyedReply,
  MapReply,
  NilArray,
  PairsReply,
  type Reply,
  SetReply,
  Status,
  VerbatimReply,
} from "../resp/reply.ts";
import { sized, uint32 } from "../scripting/lua_engine.ts";
import { formatDouble } from "./double.ts";

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

function encodeNumber(tag: string, value: number): Bytes {
  double[0] = value;
  return tag + String.fromCharCode(...doubleBytes);
}

/**
 * A reply as a script takes it (`src/scripting/wasm/values.h` has the form), in the shapes of the
 * protocol that the script has chosen. Source: redis.io/docs/interact/programmability/lua-api.
 */
export function encodeForScript(reply: Reply, protocol: 2 | 3): Bytes {
  if (typeof reply === "string") return "$" + sized(reply);
  if (typeof reply === "number") return encodeNumber("i", reply);
  if (reply === null || reply instanceof NilArray) return protocol === 2 ? "0" : "_";
  if (typeof reply === "bigint") return encodeNumber("i", Number(reply));
  if (reply instanceof Status) return "+" + sized(reply.text);
  if (reply instanceof ErrorReply) return "-" + sized(reply.text);
  if (Array.isArray(reply)) return encodeItems("*", reply, protocol);
  if (reply instanceof AnnouncedReply) return encodeForScript(reply.reply, protocol);
  return protocol === 2 ? encodeResp2(reply) : encodeResp3(reply);
}

function encodeItems(tag: string, items: readonly Reply[], protocol: 2 | 3): Bytes {
  let out = tag + uint32(items.length);
  for (const item of items) out += encodeForScript(item, protocol);
  return out;
}

function encodeResp2(reply: Reply): Bytes {
  if (reply instanceof MapReply) return encodeItems("*", reply.entries.flat(), 2);
  if (reply instanceof SetReply) return encodeItems("*", reply.items, 2);
  if (reply instanceof PairsReply) return encodeItems("*", reply.pairs.flat(), 2);
  if (reply instanceof KeyedReply) return encodeItems("*", reply.entries, 2);
  if (reply instanceof DoubleReply) return "$" + sized(reply.text);
  if (reply instanceof BooleanReply) return encodeNumber("i", Number(reply.value));
  if (reply instanceof VerbatimReply) return "$" + sized(reply.text);
  if (reply instanceof BigNumberReply) return "$" + sized(reply.digits);
  throw new TypeError("Cannot give a script a reply of this kind");
}

function encodeResp3(reply: Reply): Bytes {
  if (reply instanceof MapReply || reply instanceof KeyedReply) {
    let out = "%" + uint32(reply.entries.length);
    for (const [key, value] of reply.entries) {
      out += encodeForScript(key, 3) + encodeForScript(value, 3);
    }
    return out;
  }
  if (reply instanceof SetReply) return encodeItems("~", reply.items, 3);
  if (reply instanceof PairsReply) return encodeItems("*", reply.pairs, 3);
  if (reply instanceof DoubleReply) return encodeNumber(",", doubleOf(reply.text));
  if (reply instanceof BooleanReply) return reply.value ? "t" : "f";
  if (reply instanceof VerbatimReply) return "=" + reply.format + sized(reply.text);
  if (reply instanceof BigNumberReply) return "(" + sized(reply.digits);
  throw new TypeError("Cannot give a script a reply of this kind");
}

function doubleOf(text: Bytes): number {
  if (text === "inf") return Infinity;
  return text === "-inf" ? -Infinity : Number(text);
}

/**
 * What a script has returned, in the form of `encodeForScript`, as a reply; `calledErrors`: texts
 * of errors that it has from commands it called.
 */
export function decodeFromScript(bytes: Bytes, calledErrors?: ReadonlySet<Bytes>): Reply {
  return new Decoder(bytes, calledErrors).reply();
}

/** The strings that stand behind one another, each with its tag. */
export function decodeTagged(bytes: Bytes): (readonly [tag: string, text: Bytes])[] {
  const decoder = new Decoder(bytes);
  const strings: (readonly [string, Bytes])[] = [];
  while (!decoder.isAtEnd) strings.push(decoder.tagged());
  return strings;
}

/** The same without the tags. */
export function decodeStrings(bytes: Bytes): Bytes[] {
  return decodeTagged(bytes).map(([, text]) => text);
}

/** What no 64 bits hold becomes this, as where Redis runs. */
const OUT_OF_RANGE = -(2n ** 63n);

function integerOf(value: number): number | bigint {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) return whole === 0 ? 0 : whole;
  if (Math.abs(whole) < 2 ** 63) return BigInt(whole);
  return OUT_OF_RANGE;
}

/** A text that must be one line. */
function lineOf(text: Bytes): Bytes {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+$/, "").replace(/[\r\n]/g, " ") : text;
}

class Decoder {
  readonly #bytes: Bytes;
  readonly #calledErrors: ReadonlySet<Bytes> | undefined;
  #at = 0;

  constructor(bytes: Bytes, calledErrors?: ReadonlySet<Bytes>) {
    this.#bytes = bytes;
    this.#calledErrors = calledErrors;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  tagged(): readonly [tag: string, text: Bytes] {
    return [this.#bytes[this.#at++], this.#sized()];
  }

  reply(): Reply {
    const tag = this.#bytes[this.#at++];
    switch (tag) {
      case "i":
        return integerOf(this.#double());
      case "$":
        return this.#sized();
      case "+":
        return new Status(lineOf(this.#sized()));
      case "-":
        return this.#error(this.#sized());
      case ",": {
        const value = this.#double();
        return new DoubleReply(Number.isNaN(value) ? "nan" : formatDouble(value));
      }
      case "(":
        return new BigNumberReply(this.#sized().replace(/[\r\n]/g, " "));
      case "=":
        return this.#verbatim();
      case "t":
        return new BooleanReply(true);
      case "f":
        return new BooleanReply(false);
      case "*":
        return this.#items(this.#uint32());
      case "~":
        return new SetReply(this.#items(this.#uint32()));
      case "%":
        return this.#map();
      default:
        return null;
    }
  }

  #error(text: Bytes): Reply {
    const isCalled = this.#calledErrors?.has(text);
    return isCalled ? new CalledErrorReply(lineOf(text)) : new ErrorReply(lineOf(text));
  }

  #verbatim(): Reply {
    const format = this.#take(3);
    this.#at++;
    return new VerbatimReply(format as VerbatimReply["format"], this.#sized());
  }

  #map(): Reply {
    const entries: [Reply, Reply][] = [];
    for (let left = this.#uint32(); left > 0; left--) entries.push([this.reply(), this.reply()]);
    return new MapReply(entries);
  }

  #items(count: number): Reply[] {
    const items: Reply[] = [];
    for (let left = count; left > 0; left--) items.push(this.reply());
    return items;
  }

  #take(length: number): Bytes {
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  #sized(): Bytes {
    return this.#take(this.#uint32());
  }

  #uint32(): number {
    const at = this.#at;
    this.#at += 4;
    let value = 0;
    for (let i = 3; i >= 0; i--) value = value * 256 + this.#bytes.charCodeAt(at + i);
    return value;
  }

  #double(): number {
    for (let i = 0; i < 8; i++) doubleBytes[i] = this.#bytes.charCodeAt(this.#at++);
    return double[0];
  }
}
