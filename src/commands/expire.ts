import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, quick, readCommand, writeCommand } from "./define.ts";
import {
  EX,
  EXAT,
  expireKey,
  expiryTimeMs,
  type ExpiryUnit,
  invalidExpireTime,
  PX,
  PXAT,
} from "./expiry_time.ts";
import { errQuoting, quoted } from "./help.ts";
import { optionName } from "./parse.ts";

const NX_CONFLICT = err("NX and XX, GT or LT options at the same time are not compatible");
const GT_LT_CONFLICT = err("GT and LT options at the same time are not compatible");

/** EXPIRE key seconds [NX|XX|GT|LT] */
function expire(context: DataContext, argv: readonly Bytes[]): Reply {
  return expireBy(context, argv, EX, "expire");
}

/** PEXPIRE key milliseconds [NX|XX|GT|LT] */
function pexpire(context: DataContext, argv: readonly Bytes[]): Reply {
  return expireBy(context, argv, PX, "pexpire");
}

/** EXPIREAT key unix-time-seconds [NX|XX|GT|LT] */
function expireat(context: DataContext, argv: readonly Bytes[]): Reply {
  return expireBy(context, argv, EXAT, "expireat");
}

/** PEXPIREAT key unix-time-milliseconds [NX|XX|GT|LT] */
function pexpireat(context: DataContext, argv: readonly Bytes[]): Reply {
  return expireBy(context, argv, PXAT, "pexpireat");
}

function expireBy(
  context: DataContext,
  argv: readonly Bytes[],
  unit: ExpiryUnit,
  command: string,
): Reply {
  const condition = argv.length > 3 ? parseCondition(argv) : NO_CONDITION;
  if (condition instanceof ErrorReply) return condition;
  const value = parseInt64(argv[2]);
  if (value === undefined) return NOT_INTEGER;
  const expireAtMs = expiryTimeMs(value, unit, context.nowMs);
  if (expireAtMs === undefined) return invalidExpireTime(command);
  const record = context.find(argv[1]);
  if (record === undefined || !holds(condition, expireAtMs, record.expireAtMs)) return 0;
  expireKey(context, argv[1], expireAtMs);
  return 1;
}

interface Condition {
  nx: boolean;
  xx: boolean;
  gt: boolean;
  lt: boolean;
}

const NO_CONDITION: Readonly<Condition> = { nx: false, xx: false, gt: false, lt: false };

function parseCondition(argv: readonly Bytes[]): Condition | ErrorReply {
  const condition: Condition = { ...NO_CONDITION };
  for (let index = 3; index < argv.length; index++) {
    switch (optionName(argv[index])) {
      case "nx":
        condition.nx = true;
        break;
      case "xx":
        condition.xx = true;
        break;
      case "gt":
        condition.gt = true;
        break;
      case "lt":
        condition.lt = true;
        break;
      default:
        return errQuoting(`Unsupported option ${quoted(argv[index])}`);
    }
  }
  if (condition.nx && (condition.xx || condition.gt || condition.lt)) return NX_CONFLICT;
  return condition.gt && condition.lt ? GT_LT_CONFLICT : condition;
}

/** Whether a key that expires at `currentMs` (NO_EXPIRY: never) may be given `nextMs`. */
function holds(condition: Readonly<Condition>, nextMs: number, currentMs: number): boolean {
  if (condition.nx && currentMs !== NO_EXPIRY) return false;
  if (condition.xx && currentMs === NO_EXPIRY) return false;
  if (condition.gt && nextMs <= currentMs) return false;
  return !(condition.lt && nextMs >= currentMs);
}

/** TTL key */
function ttl(context: DataContext, argv: readonly Bytes[]): Reply {
  return seconds(remaining(context, argv[1]));
}

/** PTTL key */
function pttl(context: DataContext, argv: readonly Bytes[]): Reply {
  return remaining(context, argv[1]);
}

/** EXPIRETIME key */
function expiretime(context: DataContext, argv: readonly Bytes[]): Reply {
  return seconds(expiryOf(context, argv[1]));
}

/** PEXPIRETIME key */
function pexpiretime(context: DataContext, argv: readonly Bytes[]): Reply {
  return expiryOf(context, argv[1]);
}

/** The Unix time in milliseconds when a key expires; -1: never, -2: there is no such key. */
function expiryOf(context: DataContext, key: Bytes): number {
  const record = context.look(key);
  if (record === undefined) return -2;
  return record.expireAtMs === NO_EXPIRY ? -1 : record.expireAtMs;
}

function remaining(context: DataContext, key: Bytes): number {
  const expireAtMs = expiryOf(context, key);
  return expireAtMs < 0 ? expireAtMs : Math.max(0, expireAtMs - context.nowMs);
}

/** Rounded as Redis does; the negative answers stay. */
function seconds(milliseconds: number): number {
  return milliseconds < 0 ? milliseconds : Math.floor((milliseconds + 500) / 1000);
}

/** PERSIST key */
function persist(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record === undefined || record.expireAtMs === NO_EXPIRY) return 0;
  context.ops.setExpiry(context.db, argv[1], NO_EXPIRY);
  context.notify("generic", "persist", argv[1]);
  return 1;
}

/** The commands on the time to live of keys. */
export const expireCommands: readonly Command[] = [
  quick(writeCommand("expire", -3, expire, FIRST_KEY)),
  quick(writeCommand("pexpire", -3, pexpire, FIRST_KEY)),
  quick(writeCommand("expireat", -3, expireat, FIRST_KEY)),
  quick(writeCommand("pexpireat", -3, pexpireat, FIRST_KEY)),
  quick(readCommand("ttl", 2, ttl, FIRST_KEY)),
  quick(readCommand("pttl", 2, pttl, FIRST_KEY)),
  readCommand("expiretime", 2, expiretime, FIRST_KEY),
  readCommand("pexpiretime", 2, pexpiretime, FIRST_KEY),
  quick(writeCommand("persist", 2, persist, FIRST_KEY)),
];
