import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, type Reply } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, writeCommand } from "./define.ts";
import { EX, EXAT, type ExpiryUnit, PX, PXAT } from "./expiry_time.ts";
import {
  fieldExpiry,
  FIELDS_MISMATCH,
  FIELDS_POSITIVE,
  NO_FIELDS,
  parseFields,
} from "./hash_expire.ts";
import { findField } from "./hash_field.ts";
import { errQuoting, quoted } from "./help.ts";
import { optionName, parseOffset } from "./parse.ts";

const UNITS: ReadonlyMap<string, ExpiryUnit> = new Map([
  ["ex", EX],
  ["px", PX],
  ["exat", EXAT],
  ["pxat", PXAT],
]);
const ONE_OF_GETEX = err("Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified");
const ONE_OF_SETEX = err("Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
const ONE_CONDITION = err("Only one of FXX or FNX arguments can be specified");
const BAD_COUNT = err("invalid number of fields");
const WRONG_NUMBER = err("wrong number of arguments");
const MISSING_FIELDS = err("missing FIELDS argument");
const REPEATED_FIELDS = err("FIELDS keyword specified multiple times");

/** HGETDEL key FIELDS numfields field [field ...] */
function hgetdel(context: DataContext, argv: readonly Bytes[]): Reply {
  const existing = context.read(argv[1], "hash");
  if (existing instanceof ErrorReply) return existing;
  const fields = parseFields(argv, 2);
  if (fields instanceof ErrorReply) return fields;
  if (existing === undefined) return fields.map(() => null);
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  let removed = 0;
  const values = fields.map((name) => {
    const field = findField(context, hash, name);
    if (field === undefined) return null;
    const { value } = field;
    hash.remove(name);
    removed++;
    return value;
  });
  if (removed > 0) context.notify("hash", "hdel", argv[1]);
  if (removed > 0 && hash.size === 0) context.notify("generic", "del", argv[1]);
  return values;
}

interface Options {
  /** Undefined when none is given. */
  expireAtMs: number | undefined;
  /** PERSIST of HGETEX, KEEPTTL of HSETEX. */
  keep: boolean;
  condition: "fnx" | "fxx" | undefined;
  /** What follows the number of fields. */
  fields: readonly Bytes[] | undefined;
}

/** The options of HGETEX or (`pairs`) HSETEX, in any order; the errors are those of Redis 8.0. */
function parseOptions(
  context: DataContext,
  argv: readonly Bytes[],
  command: string,
  pairs: boolean,
): Options | ErrorReply {
  const options: Options = {
    expireAtMs: undefined,
    keep: false,
    condition: undefined,
    fields: undefined,
  };
  for (let at = 2; at < argv.length; at++) {
    const name = optionName(argv[at]);
    const unit = UNITS.get(name);
    if (unit !== undefined || name === (pairs ? "keepttl" : "persist")) {
      if (options.keep || options.expireAtMs !== undefined) {
        return pairs ? ONE_OF_SETEX : ONE_OF_GETEX;
      }
      if (unit === undefined) {
        options.keep = true;
        continue;
      }
      if (++at === argv.length) return WRONG_NUMBER;
      const expireAtMs = fieldExpiry(context, argv[at], unit, command);
      if (expireAtMs instanceof ErrorReply) return expireAtMs;
      options.expireAtMs = expireAtMs;
    } else if (pairs && (name === "fnx" || name === "fxx")) {
      if (options.condition !== undefined) return ONE_CONDITION;
      options.condition = name;
    } else if (name === "fields") {
      if (options.fields !== undefined) return REPEATED_FIELDS;
      const count = at + 1 < argv.length ? parseOffset(argv[at + 1]) : undefined;
      if (count === undefined || count < 1) return pairs ? BAD_COUNT : FIELDS_POSITIVE;
      const end = at + 2 + count * (pairs ? 2 : 1);
      if (end > argv.length) return pairs ? WRONG_NUMBER : FIELDS_MISMATCH;
      options.fields = argv.slice(at + 2, end);
      at = end - 1;
    } else if (options.fields !== undefined) {
      return pairs ? WRONG_NUMBER : FIELDS_MISMATCH;
    } else {
      return pairs ? errQuoting(`unknown argument: ${quoted(argv[at])}`) : NO_FIELDS;
    }
  }
  if (options.fields === undefined) return pairs ? MISSING_FIELDS : NO_FIELDS;
  return options;
}

/** HGETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST] FIELDS numfields field [field ...] */
function hgetex(context: DataContext, argv: readonly Bytes[]): Reply {
  const existing = context.read(argv[1], "hash");
  if (existing instanceof ErrorReply) return existing;
  const options = parseOptions(context, argv, "hgetex", false);
  if (options instanceof ErrorReply) return options;
  const { fields = [], expireAtMs, keep } = options;
  if (existing === undefined) return fields.map(() => null);
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  const events = new Set<string>();
  const values = fields.map((name) => {
    const field = findField(context, hash, name);
    if (field === undefined) return null;
    const { value } = field;
    if (expireAtMs !== undefined && expireAtMs <= context.nowMs) {
      hash.remove(name);
      events.add("hdel");
    } else if (expireAtMs !== undefined) {
      hash.set(name, value, expireAtMs);
      events.add("hexpire");
    } else if (keep && field.expireAtMs !== NO_EXPIRY) {
      hash.set(name, value, NO_EXPIRY);
      events.add("hpersist");
    }
    return value;
  });
  for (const event of events) context.notify("hash", event, argv[1]);
  if (hash.size === 0) context.notify("generic", "del", argv[1]);
  return values;
}

/** HSETEX key [FNX|FXX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] FIELDS numfields field value [...] */
function hsetex(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = parseOptions(context, argv, "hsetex", true);
  if (options instanceof ErrorReply) return options;
  const hash = context.edit(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  const { fields = [], expireAtMs, keep, condition } = options;
  for (let at = 0; at < fields.length && condition !== undefined; at += 2) {
    const exists = findField(context, hash, fields[at]) !== undefined;
    if (exists !== (condition === "fxx")) return 0;
  }
  const isPast = expireAtMs !== undefined && expireAtMs <= context.nowMs;
  for (let at = 0; at < fields.length; at += 2) {
    const kept = keep ? findField(context, hash, fields[at])?.expireAtMs : undefined;
    if (isPast) hash.remove(fields[at]);
    else hash.set(fields[at], fields[at + 1], expireAtMs ?? kept ?? NO_EXPIRY);
  }
  context.notify("hash", "hset", argv[1]);
  if (expireAtMs !== undefined) context.notify("hash", isPast ? "hdel" : "hexpire", argv[1]);
  if (hash.size === 0) context.notify("generic", "del", argv[1]);
  return 1;
}

/** The commands that get or set fields with their expiry. */
export const hashGetSetCommands: readonly Command[] = [
  writeCommand("hgetdel", -5, hgetdel, FIRST_KEY),
  writeCommand("hgetex", -5, hgetex, FIRST_KEY),
  writeCommand("hsetex", -6, hsetex, FIRST_KEY),
];
