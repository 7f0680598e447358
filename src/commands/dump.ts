import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_INTEGER, OK, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import { type KeyRecord, NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { expiryTimeMs } from "./expiry_time.ts";
import { optionName, parseOffset } from "./parse.ts";
import { parseInt64 } from "../base/int64.ts";
import { crc64 } from "./rdb/crc64.ts";
import { littleEndian } from "./rdb/packed.ts";
import { readValue } from "./rdb/read.ts";
import type { DumpedValue } from "./rdb/value.ts";
import { needsNewerVersion, writeValue } from "./rdb/write.ts";

/** Of Redis 7.0, and of 7.4, whose values are read too. */
const VERSION = 10;
const VERSION_MAX = 12;
/** Version and checksum, which stand behind the value. */
export const FOOTER_BYTES = 10;

const BUSY_KEY = new ErrorReply("BUSYKEY Target key name already exists.");
const NEGATIVE_TTL = err("Invalid TTL value, must be >= 0");
const NEGATIVE_IDLE_TIME = err("Invalid IDLETIME value, must be >= 0");
const NO_FREQUENCY = err("Invalid FREQ value, must be >= 0 and <= 255");
export const WRONG_FOOTER = err("DUMP payload version or checksum are wrong");
const BAD_DATA = err("Bad data format");

/** DUMP key */
function dump(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record === undefined) return null;
  return dumpPayload(context, argv[1], record);
}

/** What is at a key as RESTORE takes it. */
export function dumpPayload(context: DataContext, key: Bytes, record: KeyRecord): Bytes {
  const value = valueOf(context, key, record);
  const version = needsNewerVersion(value) ? VERSION_MAX : VERSION;
  return withFooter(writeValue(value), version);
}

/** A payload as RESTORE and FUNCTION RESTORE take it. */
export function withFooter(content: Bytes, version = VERSION): Bytes {
  const payload = content + littleEndian(version, 2);
  return payload + crc64(payload);
}

/** What is at a key, apart from it. */
export function valueOf({ ops, db }: DataContext, key: Bytes, record: KeyRecord): DumpedValue {
  switch (record.type) {
    case "string":
      return { type: "string", value: record.value };
    case "list":
      return { type: "list", items: [...ops.collection(db, key, "list")?.values(0) ?? []] };
    case "set":
      return { type: "set", items: [...ops.collection(db, key, "set")?.members() ?? []] };
    case "zset":
      return {
        type: "zset",
        members: [...ops.collection(db, key, "zset")?.range(0, Infinity) ?? []],
      };
    case "hash": {
      const entries = ops.collection(db, key, "hash")?.entries() ?? [];
      const fields = Array.from(entries, ([name, { value, expireAtMs }]) => ({
        name,
        value,
        expireAtMs,
      }));
      return { type: "hash", fields };
    }
    case "stream": {
      const stream = ops.collection(db, key, "stream");
      assert(stream !== undefined, "a key of the type stream has one");
      return { type: "stream", contents: stream.contents() };
    }
  }
}

/** RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency] */
function restore(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = parseOptions(argv);
  if (options instanceof ErrorReply) return options;
  const [, key, ttlText, payload] = argv;
  const existed = context.find(key) !== undefined;
  if (existed && !options.replace) return BUSY_KEY;
  const ttl = parseInt64(ttlText);
  if (ttl === undefined) return NOT_INTEGER;
  if (ttl < 0) return NEGATIVE_TTL;
  if (!hasRightFooter(payload)) return WRONG_FOOTER;
  const value = readValue(payload.slice(0, -FOOTER_BYTES));
  if (value === undefined) return BAD_DATA;
  const unit = { seconds: false, relative: !options.absolute };
  const expireAtMs = ttl === 0 ? NO_EXPIRY : expiryTimeMs(ttl, unit, context.nowMs) ?? NO_EXPIRY;
  context.ops.del(context.db, key);
  if (expireAtMs <= context.nowMs) {
    if (existed) context.notify("generic", "del", key);
    return OK;
  }
  store(context, key, value);
  if (expireAtMs !== NO_EXPIRY) context.ops.setExpiry(context.db, key, expireAtMs);
  context.notify("generic", "restore", key);
  return OK;
}

interface RestoreOptions {
  replace: boolean;
  /** The time to live is a Unix time. */
  absolute: boolean;
}

/** IDLETIME and FREQ are checked; uses of keys are no part of the replicated state. */
function parseOptions(argv: readonly Bytes[]): RestoreOptions | ErrorReply {
  const options = { replace: false, absolute: false };
  let usage: string | undefined;
  for (let i = 4; i < argv.length; i++) {
    const name = optionName(argv[i]);
    if (name === "replace") options.replace = true;
    else if (name === "absttl") options.absolute = true;
    else if (name === "idletime" || name === "freq") {
      if (i + 1 === argv.length || (usage ?? name) !== name) return SYNTAX_ERROR;
      usage = name;
      const number = parseOffset(argv[++i]);
      if (number === undefined) return NOT_INTEGER;
      if (name === "idletime" && number < 0) return NEGATIVE_IDLE_TIME;
      if (name === "freq" && (number < 0 || number > 255)) return NO_FREQUENCY;
    } else return SYNTAX_ERROR;
  }
  return options;
}

/** Whether a payload ends with a version that is known, and with its checksum. */
export function hasRightFooter(payload: Bytes): boolean {
  if (payload.length < FOOTER_BYTES) return false;
  const at = payload.length - FOOTER_BYTES;
  const version = payload.charCodeAt(at) + payload.charCodeAt(at + 1) * 256;
  return version <= VERSION_MAX && crc64(payload.slice(0, -8)) === payload.slice(-8);
}

/** Makes a key that is absent. */
function store({ ops, db }: DataContext, key: Bytes, value: DumpedValue): void {
  switch (value.type) {
    case "string":
      ops.set(db, key, value.value, NO_EXPIRY);
      break;
    case "list": {
      const list = ops.edit(db, key, "list");
      for (const item of value.items) list.push("tail", item);
      break;
    }
    case "set": {
      const set = ops.edit(db, key, "set");
      for (const item of value.items) set.add(item);
      break;
    }
    case "zset": {
      const zset = ops.edit(db, key, "zset");
      for (const { name, score } of value.members) zset.set(name, score);
      break;
    }
    case "hash": {
      const hash = ops.edit(db, key, "hash");
      for (const { name, value: text, expireAtMs } of value.fields) {
        hash.set(name, text, expireAtMs);
      }
      break;
    }
    case "stream":
      ops.edit(db, key, "stream").assign(value.contents);
      break;
  }
}

/** The commands that take a value out and put it in again. */
export const dumpCommands: readonly Command[] = [
  readCommand("dump", 2, dump, FIRST_KEY),
  writeCommand("restore", -4, restore, FIRST_KEY),
];
