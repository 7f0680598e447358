import type { Bytes } from "../../base/bytes.ts";
import { NO_EXPIRY } from "../../storage/redis_operations.ts";
import { formatCompactDouble } from "../double.ts";
import { littleEndian, writeIntset, writeListpack } from "./packed.ts";
import { writeStream } from "./stream_write.ts";
import { type DumpedField, type DumpedValue, RDB_TYPE } from "./value.ts";
import { double, writeLength, writeString } from "./writer.ts";

/** Larger collections are written element by element. */
const COMPACT_ENTRIES_MAX = 128;
const COMPACT_BYTES_MAX = 64;
const INTSET_ENTRIES_MAX = 512;
/** Bytes of list elements in one listpack; a single one may be larger. */
const NODE_BYTES_MAX = 8192;
const PACKED_NODE = 2;

/** A value in the form that Redis 7.0 writes and reads; fields that expire as 7.4 does. */
export function writeValue(value: DumpedValue): Bytes {
  switch (value.type) {
    case "string":
      return typed(RDB_TYPE.string, [writeString(value.value)]);
    case "list":
      return writeList(value.items);
    case "set":
      return writeSet(value.items);
    case "zset": {
      const { members } = value;
      const flat = members.flatMap(({ name, score }) => [name, formatCompactDouble(score)]);
      if (isCompact(flat, 2)) {
        return typed(RDB_TYPE.zsetListpack, [writeString(writeListpack(flat))]);
      }
      const rows = members.toReversed().map(({ name, score }) => writeString(name) + double(score));
      return typed(RDB_TYPE.zset2, [writeLength(members.length), ...rows]);
    }
    case "hash":
      return writeHash(value.fields);
    case "stream":
      return typed(RDB_TYPE.streamListpacks2, [writeStream(value.contents)]);
  }
}

/** Whether a value needs a version that Redis 7.0 does not read. */
export function needsNewerVersion(value: DumpedValue): boolean {
  return value.type === "hash" && value.fields.some(({ expireAtMs }) => expireAtMs !== NO_EXPIRY);
}

function typed(type: number, parts: readonly Bytes[]): Bytes {
  return String.fromCharCode(type) + parts.join("");
}

/** Whether elements, `each` words for one, are few and short. */
function isCompact(words: readonly Bytes[], each: number): boolean {
  return words.length <= COMPACT_ENTRIES_MAX * each &&
    words.every(({ length }) => length <= COMPACT_BYTES_MAX);
}

function writeList(items: readonly Bytes[]): Bytes {
  const nodes: Bytes[] = [];
  for (let start = 0; start < items.length;) {
    let end = start;
    for (let bytes = 0; end < items.length; end++) {
      bytes += items[end].length + 8;
      if (end > start && bytes > NODE_BYTES_MAX) break;
    }
    const packed = writeListpack(items.slice(start, end));
    nodes.push(writeLength(PACKED_NODE) + writeString(packed));
    start = end;
  }
  return typed(RDB_TYPE.listQuicklist2, [writeLength(nodes.length), ...nodes]);
}

function writeSet(items: readonly Bytes[]): Bytes {
  const intset = items.length <= INTSET_ENTRIES_MAX ? writeIntset(items) : undefined;
  if (intset !== undefined) return typed(RDB_TYPE.setIntset, [writeString(intset)]);
  return typed(RDB_TYPE.set, [writeLength(items.length), ...items.map(writeString)]);
}

function writeHash(fields: readonly DumpedField[]): Bytes {
  let earliest = NO_EXPIRY;
  for (const { expireAtMs } of fields) earliest = Math.min(earliest, expireAtMs);
  if (earliest !== NO_EXPIRY) {
    const rows = fields.map(({ name, value, expireAtMs }) =>
      writeLength(expireAtMs === NO_EXPIRY ? 0 : expireAtMs - earliest + 1) +
      writeString(name) + writeString(value)
    );
    const head = littleEndian(earliest, 8) + writeLength(fields.length);
    return typed(RDB_TYPE.hashWithExpiries, [head, ...rows]);
  }
  const flat = fields.flatMap(({ name, value }) => [name, value]);
  if (isCompact(flat, 2)) return typed(RDB_TYPE.hashListpack, [writeString(writeListpack(flat))]);
  return typed(RDB_TYPE.hash, [writeLength(fields.length), ...flat.map(writeString)]);
}
