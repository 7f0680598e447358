import type { Bytes } from "../base/bytes.ts";
import { ErrorReply, OK, type Reply, SYNTAX_ERROR, WRONG_TYPE, wrongArity } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import {
  ALL_KEYS,
  FIRST_KEY,
  KEY_VALUE_PAIRS,
  quick,
  readCommand,
  writeCommand,
} from "./define.ts";
import { EX, EXAT, expireKey, type ExpiryUnit, parseExpiry, PX, PXAT } from "./expiry_time.ts";
import { optionName } from "./parse.ts";

/** GET key */
function get(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record === undefined) return null;
  return record.type === "string" ? record.value : WRONG_TYPE;
}

/** SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] */
function set(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length === 3) {
    context.ops.set(context.db, argv[1], argv[2], NO_EXPIRY);
    context.notify("string", "set", argv[1]);
    return OK;
  }
  const options = parseOptions(argv, 3, false);
  if (options instanceof ErrorReply) return options;
  let expireAtMs = NO_EXPIRY;
  if (options.unit !== undefined) {
    const parsed = parseExpiry(options.expiry, options.unit, context.nowMs, "set");
    if (parsed instanceof ErrorReply) return parsed;
    expireAtMs = parsed;
  }
  const plain = !options.get && !options.keepTtl && options.condition === undefined;
  const record = plain ? undefined : context.find(argv[1]);
  if (options.get && record !== undefined && record.type !== "string") return WRONG_TYPE;
  const before = options.get ? record?.value ?? null : OK;
  if (options.condition === "nx" ? record !== undefined : record === undefined) {
    if (options.condition !== undefined) return options.get ? before : null;
  }
  if (options.keepTtl && record !== undefined) expireAtMs = record.expireAtMs;
  store(context, argv[1], argv[2], expireAtMs);
  if (options.unit !== undefined) notifyExpiry(context, argv[1], expireAtMs);
  return before;
}

/** Sets a value whose expiry may have come already: then nothing remains. */
function store(context: DataContext, key: Bytes, value: Bytes, expireAtMs: number): void {
  if (expireAtMs <= context.nowMs) context.ops.del(context.db, key);
  else context.ops.set(context.db, key, value, expireAtMs);
  context.notify("string", "set", key);
}

/** Tells of an expiry that was set with a value, and of its coming when it has come already. */
function notifyExpiry(context: DataContext, key: Bytes, expireAtMs: number): void {
  context.notify("generic", "expire", key);
  if (expireAtMs <= context.nowMs) context.notify("expired", "expired", key);
}

interface StringOptions {
  condition: "nx" | "xx" | undefined;
  get: boolean;
  keepTtl: boolean;
  persist: boolean;
  /** Undefined when no expiry is given. */
  unit: ExpiryUnit | undefined;
  expiry: Bytes;
}

/** The options of SET, or of GETEX, from argv[start] on. */
function parseOptions(
  argv: readonly Bytes[],
  start: number,
  getex: boolean,
): StringOptions | ErrorReply {
  const options: StringOptions = {
    condition: undefined,
    get: false,
    keepTtl: false,
    persist: false,
    unit: undefined,
    expiry: "",
  };
  for (let index = start; index < argv.length; index++) {
    const name = optionName(argv[index]);
    const unit = expiryUnit(name);
    if (unit !== undefined) {
      const mixed = options.unit !== undefined && options.unit !== unit;
      if (mixed || options.keepTtl || options.persist || index + 1 === argv.length) {
        return SYNTAX_ERROR;
      }
      options.unit = unit;
      options.expiry = argv[++index];
    } else if (getex) {
      if (name !== "persist" || options.unit !== undefined) return SYNTAX_ERROR;
      options.persist = true;
    } else if (!parseSetFlag(name, options)) {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

/** Whether `name` is an option of SET that goes with those before it; notes it in `options`. */
function parseSetFlag(name: string, options: StringOptions): boolean {
  switch (name) {
    case "nx":
    case "xx":
      if (options.condition !== undefined && options.condition !== name) return false;
      options.condition = name;
      return true;
    case "get":
      options.get = true;
      return true;
    case "keepttl":
      options.keepTtl = true;
      return options.unit === undefined;
    default:
      return false;
  }
}

function expiryUnit(name: string): ExpiryUnit | undefined {
  switch (name) {
    case "ex":
      return EX;
    case "px":
      return PX;
    case "exat":
      return EXAT;
    case "pxat":
      return PXAT;
    default:
      return undefined;
  }
}

/** SETNX key value */
function setnx(context: DataContext, argv: readonly Bytes[]): Reply {
  if (context.find(argv[1]) !== undefined) return 0;
  context.ops.set(context.db, argv[1], argv[2], NO_EXPIRY);
  context.notify("string", "set", argv[1]);
  return 1;
}

/** SETEX key seconds value */
function setex(context: DataContext, argv: readonly Bytes[]): Reply {
  return setWithExpiry(context, argv, EX, "setex");
}

/** PSETEX key milliseconds value */
function psetex(context: DataContext, argv: readonly Bytes[]): Reply {
  return setWithExpiry(context, argv, PX, "psetex");
}

function setWithExpiry(
  context: DataContext,
  argv: readonly Bytes[],
  unit: ExpiryUnit,
  command: string,
): Reply {
  const expireAtMs = parseExpiry(argv[2], unit, context.nowMs, command);
  if (expireAtMs instanceof ErrorReply) return expireAtMs;
  store(context, argv[1], argv[3], expireAtMs);
  notifyExpiry(context, argv[1], expireAtMs);
  return OK;
}

/** GETSET key value */
function getset(context: DataContext, argv: readonly Bytes[]): Reply {
  const before = get(context, argv);
  if (before === WRONG_TYPE) return before;
  context.ops.set(context.db, argv[1], argv[2], NO_EXPIRY);
  context.notify("string", "set", argv[1]);
  return before;
}

/** GETDEL key */
function getdel(context: DataContext, argv: readonly Bytes[]): Reply {
  const before = get(context, argv);
  if (before !== null && before !== WRONG_TYPE) {
    context.ops.del(context.db, argv[1]);
    context.notify("generic", "del", argv[1]);
  }
  return before;
}

/** GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST] */
function getex(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = parseOptions(argv, 2, true);
  if (options instanceof ErrorReply) return options;
  const record = context.find(argv[1]);
  if (record === undefined) return null;
  if (record.type !== "string") return WRONG_TYPE;
  if (options.unit !== undefined) {
    const expireAtMs = parseExpiry(options.expiry, options.unit, context.nowMs, "getex");
    if (expireAtMs instanceof ErrorReply) return expireAtMs;
    expireKey(context, argv[1], expireAtMs);
  } else if (options.persist && record.expireAtMs !== NO_EXPIRY) {
    context.ops.setExpiry(context.db, argv[1], NO_EXPIRY);
    context.notify("generic", "persist", argv[1]);
  }
  return record.value;
}

/** MGET key [key ...] */
function mget(context: DataContext, argv: readonly Bytes[]): Reply {
  const values: Reply[] = [];
  for (let index = 1; index < argv.length; index++) {
    const record = context.find(argv[index]);
    values.push(record !== undefined && record.type === "string" ? record.value : null);
  }
  return values;
}

/** MSET key value [key value ...] */
function mset(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length % 2 === 0) return wrongArity("mset");
  setPairs(context, argv);
  return OK;
}

/** MSETNX key value [key value ...] */
function msetnx(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length % 2 === 0) return wrongArity("msetnx");
  for (let index = 1; index < argv.length; index += 2) {
    if (context.find(argv[index]) !== undefined) return 0;
  }
  setPairs(context, argv);
  return 1;
}

function setPairs(context: DataContext, argv: readonly Bytes[]): void {
  const pairs: [Bytes, Bytes][] = [];
  for (let index = 1; index < argv.length; index += 2) pairs.push([argv[index], argv[index + 1]]);
  context.ops.mset(context.db, pairs);
  for (const [key] of pairs) context.notify("string", "set", key);
}

/** The commands on whole string values. */
export const stringCommands: readonly Command[] = [
  quick(readCommand("get", 2, get, FIRST_KEY)),
  quick(writeCommand("set", -3, set, FIRST_KEY)),
  quick(writeCommand("setnx", 3, setnx, FIRST_KEY)),
  quick(writeCommand("setex", 4, setex, FIRST_KEY)),
  quick(writeCommand("psetex", 4, psetex, FIRST_KEY)),
  quick(writeCommand("getset", 3, getset, FIRST_KEY)),
  quick(writeCommand("getdel", 2, getdel, FIRST_KEY)),
  quick(writeCommand("getex", -2, getex, FIRST_KEY)),
  readCommand("mget", -2, mget, ALL_KEYS),
  writeCommand("mset", -3, mset, KEY_VALUE_PAIRS),
  writeCommand("msetnx", -3, msetnx, KEY_VALUE_PAIRS),
];
