import type { Bytes } from "../../base/bytes.ts";
import { NO_EXPIRY } from "../../storage/redis_operations.ts";
import { parseDouble } from "../double.ts";
import { readIntset, readListpack, readZiplist, readZipmap } from "./packed.ts";
import { BadDump, Reader } from "./reader.ts";
import { readStream } from "./stream_read.ts";
import { type DumpedField, type DumpedValue, RDB_TYPE } from "./value.ts";

const PLAIN_NODE = 1;
const PACKED_NODE = 2;
/** In place of the length of a score's text. */
const NAN = 253;
const POSITIVE_INFINITY = 254;
const NEGATIVE_INFINITY = 255;

/**
 * The value that a dump holds, in any form that Redis has written up to 7.0, and in three of later
 * ones. Undefined when it is none. What stands behind the value is not looked at.
 */
export function readValue(dump: Bytes): DumpedValue | undefined {
  try {
    const reader = new Reader(dump);
    const value = readTyped(reader, reader.byte());
    return isWhole(value) ? value : undefined;
  } catch (error) {
    if (error instanceof BadDump) return undefined;
    throw error;
  }
}

/** No collection is empty or has an element twice. */
function isWhole(value: DumpedValue): boolean {
  switch (value.type) {
    case "string":
      return true;
    case "list":
      return value.items.length > 0;
    case "set":
      return areDistinct(value.items);
    case "zset":
      return areDistinct(value.members.map(({ name }) => name)) &&
        value.members.every(({ score }) => !Number.isNaN(score));
    case "hash":
      return areDistinct(value.fields.map(({ name }) => name));
    case "stream":
      return true;
  }
}

function areDistinct(names: readonly Bytes[]): boolean {
  return names.length > 0 && new Set(names).size === names.length;
}

function readTyped(reader: Reader, type: number): DumpedValue {
  switch (type) {
    case RDB_TYPE.string:
      return { type: "string", value: reader.string() };
    case RDB_TYPE.list:
      return { type: "list", items: strings(reader, 1) };
    case RDB_TYPE.listZiplist:
      return { type: "list", items: readZiplist(reader.string()) };
    case RDB_TYPE.listQuicklist:
    case RDB_TYPE.listQuicklist2:
      return { type: "list", items: quicklist(reader, type === RDB_TYPE.listQuicklist2) };
    case RDB_TYPE.set:
      return { type: "set", items: strings(reader, 1) };
    case RDB_TYPE.setIntset:
      return { type: "set", items: readIntset(reader.string()) };
    case RDB_TYPE.setListpack:
      return { type: "set", items: readListpack(reader.string()) };
    case RDB_TYPE.zset:
      return sortedSet(reader, textScore);
    case RDB_TYPE.zset2:
      return sortedSet(reader, () => reader.double());
    case RDB_TYPE.zsetZiplist:
      return sortedSetOf(readZiplist(reader.string()));
    case RDB_TYPE.zsetListpack:
      return sortedSetOf(readListpack(reader.string()));
    case RDB_TYPE.hash:
      return hashOf(strings(reader, 2));
    case RDB_TYPE.hashZipmap:
      return hashOf(readZipmap(reader.string()));
    case RDB_TYPE.hashZiplist:
      return hashOf(readZiplist(reader.string()));
    case RDB_TYPE.hashListpack:
      return hashOf(readListpack(reader.string()));
    case RDB_TYPE.hashWithExpiries:
      return { type: "hash", fields: expiringFields(reader) };
    case RDB_TYPE.streamListpacks:
    case RDB_TYPE.streamListpacks2:
    case RDB_TYPE.streamListpacks3:
      return { type: "stream", contents: readStream(reader, type) };
    default:
      throw new BadDump();
  }
}

/** A count, and so many times `each` strings. */
function strings(reader: Reader, each: number): Bytes[] {
  const items: Bytes[] = [];
  for (let left = reader.length() * each; left > 0; left--) items.push(reader.string());
  return items;
}

function quicklist(reader: Reader, isNewer: boolean): Bytes[] {
  const items: Bytes[] = [];
  for (let left = reader.length(); left > 0; left--) {
    const kind = isNewer ? reader.length() : PACKED_NODE;
    const node = reader.string();
    if (kind === PLAIN_NODE) items.push(node);
    else if (kind !== PACKED_NODE) throw new BadDump();
    else for (const item of isNewer ? readListpack(node) : readZiplist(node)) items.push(item);
  }
  return items;
}

function sortedSet(reader: Reader, readScore: (reader: Reader) => number): DumpedValue {
  const members: { name: Bytes; score: number }[] = [];
  for (let left = reader.length(); left > 0; left--) {
    members.push({ name: reader.string(), score: readScore(reader) });
  }
  return { type: "zset", members };
}

function textScore(reader: Reader): number {
  const size = reader.byte();
  if (size === NAN) return NaN;
  if (size === POSITIVE_INFINITY) return Infinity;
  return size === NEGATIVE_INFINITY ? -Infinity : scoreOf(reader.take(size));
}

function scoreOf(text: Bytes): number {
  const score = parseDouble(text);
  if (score === undefined) throw new BadDump();
  return score;
}

function sortedSetOf(words: readonly Bytes[]): DumpedValue {
  return {
    type: "zset",
    members: inPairs(words, (name, score) => ({ name, score: scoreOf(score) })),
  };
}

function hashOf(words: readonly Bytes[]): DumpedValue {
  const fields = inPairs(words, (name, value) => ({ name, value, expireAtMs: NO_EXPIRY }));
  return { type: "hash", fields };
}

function inPairs<T>(words: readonly Bytes[], make: (first: Bytes, second: Bytes) => T): T[] {
  if (words.length % 2 !== 0) throw new BadDump();
  const pairs: T[] = [];
  for (let i = 0; i < words.length; i += 2) pairs.push(make(words[i], words[i + 1]));
  return pairs;
}

/** Fields of a hash with times to live, of Redis 7.4: counted from the earliest, 1 for that. */
function expiringFields(reader: Reader): DumpedField[] {
  const earliestMs = reader.little(6) + reader.little(2) * 2 ** 48;
  const fields: DumpedField[] = [];
  for (let left = reader.length(); left > 0; left--) {
    const later = reader.length();
    const [name, value] = [reader.string(), reader.string()];
    fields.push({ name, value, expireAtMs: later === 0 ? NO_EXPIRY : earliestMs + later - 1 });
  }
  return fields;
}
