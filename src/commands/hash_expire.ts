import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply } from "../resp/reply.ts";
import type { HashField, HashOperations } from "../storage/collections.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import {
  EX,
  EXAT,
  expiryTimeMs,
  type ExpiryUnit,
  invalidExpireTime,
  PX,
  PXAT,
} from "./expiry_time.ts";
import { findField } from "./hash_field.ts";
import { optionName, parseOffset } from "./parse.ts";

/** The latest expiry of a field that Redis takes, Unix milliseconds. */
const FIELD_EXPIRY_MS_MAX = 2 ** 46 - 1;

const NEGATIVE_TIME = err("invalid expire time, must be >= 0");
/** What is wrong with FIELDS, in Redis's words. */
export const NO_FIELDS = err("Mandatory argument FIELDS is missing or not at the right position");
export const FIELDS_POSITIVE = err("Number of fields must be a positive integer");
export const FIELDS_MISMATCH = err(
  "The `numfields` parameter must match the number of arguments",
);
const FIELDS_ABOVE_ZERO = err("Parameter `numFields` should be greater than 0");

/** What became of one field, as Redis counts it. */
const FIELD_ABSENT = -2;
const NEVER_EXPIRES = -1;
const CONDITION_FAILED = 0;
const EXPIRY_SET = 1;
const FIELD_DELETED = 2;

/** The fields behind FIELDS at `at`, or the error; `notPositive` is the one for their number. */
export function parseFields(
  argv: readonly Bytes[],
  at: number,
  notPositive: ErrorReply = FIELDS_POSITIVE,
): readonly Bytes[] | ErrorReply {
  if (at >= argv.length || optionName(argv[at]) !== "fields") return NO_FIELDS;
  const count = at + 1 < argv.length ? parseOffset(argv[at + 1]) : undefined;
  if (count === undefined || count < 1) return notPositive;
  const fields = argv.slice(at + 2);
  return fields.length === count ? fields : FIELDS_MISMATCH;
}

/**
 * The Unix time in milliseconds when a field is to expire, or the error for a text that is no such
 * time.
 */
export function fieldExpiry(
  context: DataContext,
  text: Bytes,
  unit: ExpiryUnit,
  command: string,
): number | ErrorReply {
  const value = parseInt64(text);
  if (value === undefined) return NOT_INTEGER;
  if (value < 0) return NEGATIVE_TIME;
  const expireAtMs = expiryTimeMs(value, unit, context.nowMs);
  if (expireAtMs === undefined || expireAtMs > FIELD_EXPIRY_MS_MAX) {
    return invalidExpireTime(command);
  }
  return expireAtMs;
}

/** HEXPIRE key seconds [NX|XX|GT|LT] FIELDS numfields field [field ...], and in other units */
function hexpire(unit: ExpiryUnit, command: string) {
  return (context: DataContext, argv: readonly Bytes[]): Reply => {
    const existing = context.read(argv[1], "hash");
    if (existing instanceof ErrorReply) return existing;
    const expireAtMs = fieldExpiry(context, argv[2], unit, command);
    if (expireAtMs instanceof ErrorReply) return expireAtMs;
    const option = optionName(argv[3]);
    const isCondition = option === "nx" || option === "xx" || option === "gt" || option === "lt";
    const fields = parseFields(argv, isCondition ? 4 : 3, FIELDS_ABOVE_ZERO);
    if (fields instanceof ErrorReply) return fields;
    if (existing === undefined) return fields.map(() => FIELD_ABSENT);
    const hash = context.edit(argv[1], "hash");
    if (hash instanceof ErrorReply) return hash;
    const replies = fields.map((name) => {
      const field = findField(context, hash, name);
      if (field === undefined) return FIELD_ABSENT;
      if (isCondition && !holds(option, field.expireAtMs, expireAtMs)) return CONDITION_FAILED;
      return setExpiry(context, hash, name, field, expireAtMs);
    });
    tell(context, argv[1], hash, replies);
    return replies;
  };
}

function holds(condition: string, currentMs: number, nextMs: number): boolean {
  switch (condition) {
    case "nx":
      return currentMs === NO_EXPIRY;
    case "xx":
      return currentMs !== NO_EXPIRY;
    case "gt":
      return currentMs !== NO_EXPIRY && nextMs > currentMs;
    default:
      return nextMs < currentMs;
  }
}

/** Gives a field an expiry; one that has come removes it. */
function setExpiry(
  context: DataContext,
  hash: HashOperations,
  name: Bytes,
  field: HashField,
  expireAtMs: number,
): number {
  if (expireAtMs <= context.nowMs) {
    hash.remove(name);
    return FIELD_DELETED;
  }
  hash.set(name, field.value, expireAtMs);
  return EXPIRY_SET;
}

/** Tells of what became of the fields. */
function tell(
  context: DataContext,
  key: Bytes,
  hash: HashOperations,
  replies: readonly number[],
): void {
  if (replies.includes(EXPIRY_SET)) context.notify("hash", "hexpire", key);
  if (!replies.includes(FIELD_DELETED)) return;
  context.notify("hash", "hdel", key);
  if (hash.size === 0) context.notify("generic", "del", key);
}

/** HPERSIST key FIELDS numfields field [field ...] */
function hpersist(context: DataContext, argv: readonly Bytes[]): Reply {
  const existing = context.read(argv[1], "hash");
  if (existing instanceof ErrorReply) return existing;
  const fields = parseFields(argv, 2);
  if (fields instanceof ErrorReply) return fields;
  if (existing === undefined) return fields.map(() => FIELD_ABSENT);
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  const replies = fields.map((name) => {
    const field = findField(context, hash, name);
    if (field === undefined) return FIELD_ABSENT;
    if (field.expireAtMs === NO_EXPIRY) return NEVER_EXPIRES;
    hash.set(name, field.value, NO_EXPIRY);
    return EXPIRY_SET;
  });
  if (replies.includes(EXPIRY_SET)) context.notify("hash", "hpersist", argv[1]);
  return replies;
}

/** HTTL key FIELDS numfields field [field ...], and its like: `answer` maps an expiry. */
function fieldTimes(answer: (expireAtMs: number, nowMs: number) => number) {
  return (context: DataContext, argv: readonly Bytes[]): Reply => {
    const hash = context.read(argv[1], "hash");
    if (hash instanceof ErrorReply) return hash;
    const fields = parseFields(argv, 2);
    if (fields instanceof ErrorReply) return fields;
    return fields.map((name) => {
      const field = findField(context, hash, name);
      if (field === undefined) return FIELD_ABSENT;
      return field.expireAtMs === NO_EXPIRY
        ? NEVER_EXPIRES
        : answer(field.expireAtMs, context.nowMs);
    });
  };
}

const httl = fieldTimes((atMs, nowMs) => Math.max(0, Math.ceil((atMs - nowMs) / 1000)));
const hpttl = fieldTimes((atMs, nowMs) => Math.max(0, atMs - nowMs));
const hexpiretime = fieldTimes((atMs) => Math.ceil(atMs / 1000));
const hpexpiretime = fieldTimes((atMs) => atMs);

/** The commands on the expiry of fields. */
export const hashExpireCommands: readonly Command[] = [
  writeCommand("hexpire", -6, hexpire(EX, "hexpire"), FIRST_KEY),
  writeCommand("hpexpire", -6, hexpire(PX, "hpexpire"), FIRST_KEY),
  writeCommand("hexpireat", -6, hexpire(EXAT, "hexpireat"), FIRST_KEY),
  writeCommand("hpexpireat", -6, hexpire(PXAT, "hpexpireat"), FIRST_KEY),
  writeCommand("hpersist", -5, hpersist, FIRST_KEY),
  readCommand("httl", -5, httl, FIRST_KEY),
  readCommand("hpttl", -5, hpttl, FIRST_KEY),
  readCommand("hexpiretime", -5, hexpiretime, FIRST_KEY),
  readCommand("hpexpiretime", -5, hpexpiretime, FIRST_KEY),
];
