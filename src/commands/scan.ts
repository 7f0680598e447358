import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { readCommand } from "./define.ts";
import { globMatches, matchesAll } from "./glob.ts";
import { optionName, parseOffset } from "./parse.ts";

const COUNT_DEFAULT = 10;
/** Keys of one page: a larger COUNT is taken as this, so that no SCAN holds the loop for long. */
const COUNT_MAX = 1_000_000;
const UINT64_MAX = 18446744073709551615n;
const INVALID_CURSOR = err("invalid cursor");

/** KEYS pattern */
function keys(context: DataContext, argv: readonly Bytes[]): Reply {
  const pattern = argv[1];
  const all = matchesAll(pattern);
  const matching: Bytes[] = [];
  for (const key of context.ops.keys(context.db)) {
    if (all || globMatches(pattern, key)) matching.push(key);
  }
  if (context.ops.sizeWithExpiry(context.db) === 0) return matching;
  // Not inside the loop above: storage may load records, and must not while it iterates.
  return matching.filter((key) => context.peek(key) !== undefined);
}

/**
 * SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] [WITHTYPE]
 * WITHTYPE, each key followed by its type, is Upstash's: its SDK's `scan` has it.
 */
function scan(context: DataContext, argv: readonly Bytes[]): Reply {
  const cursor = parseCursor(argv[1]);
  if (cursor instanceof ErrorReply) return cursor;
  const options = parseScanOptions(argv, 2, true);
  if (options instanceof ErrorReply) return options;
  const page = cursor > Number.MAX_SAFE_INTEGER
    ? { cursor: 0, keys: [] }
    : context.ops.scan(context.db, cursor, options.count);
  const { pattern, type, withTypes } = options;
  const checked = type !== undefined || withTypes || context.ops.sizeWithExpiry(context.db) > 0;
  const found: Bytes[] = [];
  for (const key of page.keys) {
    if (pattern !== undefined && !globMatches(pattern, key)) continue;
    if (checked) {
      const record = context.peek(key);
      if (record === undefined || (type !== undefined && record.type !== type)) continue;
      if (withTypes) {
        found.push(key, record.type);
        continue;
      }
    }
    found.push(key);
  }
  return [String(page.cursor), found];
}

/** The options of SCAN, HSCAN, SSCAN and ZSCAN. */
export interface ScanOptions {
  count: number;
  /** Undefined when everything matches. */
  pattern: Bytes | undefined;
  /** In lower case; undefined when every type is meant. */
  type: string | undefined;
  withTypes: boolean;
}

/** The options from argv[start] on; TYPE and WITHTYPE only where `typed`. */
export function parseScanOptions(
  argv: readonly Bytes[],
  start: number,
  typed: boolean,
): ScanOptions | ErrorReply {
  const options: ScanOptions = {
    count: COUNT_DEFAULT,
    pattern: undefined,
    type: undefined,
    withTypes: false,
  };
  for (let index = start; index < argv.length; index += 2) {
    if (typed && optionName(argv[index]) === "withtype") {
      options.withTypes = true;
      index--;
      continue;
    }
    if (index + 1 === argv.length) return SYNTAX_ERROR;
    const name = optionName(argv[index]);
    const value = argv[index + 1];
    if (name === "count") {
      const count = parseOffset(value);
      if (count === undefined) return NOT_INTEGER;
      if (count < 1) return SYNTAX_ERROR;
      options.count = Math.min(count, COUNT_MAX);
    } else if (name === "match") {
      options.pattern = matchesAll(value) ? undefined : value;
    } else if (name === "type" && typed) {
      options.type = optionName(value);
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

/**
 * A cursor as strtoul reads it: a sign is taken, a minus wraps around, and the text ends at a
 * zero byte. Beyond 2^53 the number is rounded: no page has such a cursor.
 */
export function parseCursor(text: Bytes): number | ErrorReply {
  const end = text.indexOf("\0");
  const match = /^([+-]?)(\d+)$/.exec(end < 0 ? text : text.slice(0, end));
  if (match === null) return end === 0 || text === "" ? 0 : INVALID_CURSOR;
  const value = BigInt(match[2]);
  if (value > UINT64_MAX) return INVALID_CURSOR;
  return Number(match[1] === "-" ? BigInt.asUintN(64, -value) : value);
}

/** The commands that iterate over keys. */
export const scanCommands: readonly Command[] = [
  readCommand("keys", 2, keys),
  readCommand("scan", -2, scan),
];
