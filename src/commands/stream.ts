import type { Bytes } from "../base/bytes.ts";
import { type Int64, parseInt64 } from "../base/int64.ts";
import { UINT64_MAX } from "../base/uint64.ts";
import {
  err,
  ErrorReply,
  NIL_ARRAY,
  NO_SUCH_KEY,
  NOT_INTEGER,
  OK,
  type Reply,
  SYNTAX_ERROR,
  WRONG_TYPE,
  wrongArity,
} from "../resp/reply.ts";
import {
  compareIds,
  ID_MAX,
  ID_ZERO,
  idAfter,
  idText,
  isZeroId,
  type StreamId,
} from "../storage/stream_id.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { optionName, parseOffset } from "./parse.ts";
import {
  entryReply,
  following,
  type NewId,
  parseId,
  parseIds,
  parseRangeEnd,
  parseRangeStart,
} from "./stream_id.ts";
import { parseAddOrTrim } from "./stream_trim.ts";

const ID_ZERO_ERROR = err("The ID specified in XADD must be greater than 0-0");
const ID_TOO_SMALL = err(
  "The ID specified in XADD is equal or smaller than the target stream top item",
);
const IDS_EXHAUSTED = err(
  "The stream has exhausted the last possible ID, unable to add more items",
);
const ADDED_NEGATIVE = err("entries_added must be positive");
const BELOW_DELETED = err(
  "The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
const BELOW_TOP = err("The ID specified in XSETID is smaller than the target stream top item");
const BELOW_LENGTH = err(
  "The entries_added specified in XSETID is smaller than the target stream length",
);

/** XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field …] */
function xadd(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = parseAddOrTrim(argv, true);
  if (options instanceof ErrorReply) return options;
  const words = argv.slice(options.idAt + 1);
  if (words.length < 2 || words.length % 2 === 1) return wrongArity("xadd");
  const { id: wanted, trim } = options;
  if (wanted?.ms === 0 && wanted.seq === 0) return ID_ZERO_ERROR;
  const key = argv[1];
  if (options.noMakeStream && context.find(key) === undefined) return null;
  const stream = context.edit(key, "stream");
  if (stream instanceof ErrorReply) return stream;
  if (compareIds(stream.lastId, ID_MAX) === 0) return IDS_EXHAUSTED;
  const id = newId(wanted, stream.lastId, context.nowMs);
  if (id === undefined || compareIds(id, stream.lastId) <= 0) return ID_TOO_SMALL;
  stream.append({ ...id, words }, options.limits);
  context.notify("stream", "xadd", key);
  if (trim !== undefined && stream.trim(trim) > 0) context.notify("stream", "xtrim", key);
  return idText(id);
}

/** The id of a new entry; undefined when there is none left of that time. */
function newId(wanted: NewId | undefined, lastId: StreamId, nowMs: number): StreamId | undefined {
  if (wanted === undefined) return nowMs > lastId.ms ? { ms: nowMs, seq: 0 } : idAfter(lastId);
  const { ms, seq } = wanted;
  if (seq !== undefined) return { ms, seq };
  if (ms !== lastId.ms) return { ms, seq: 0 };
  return lastId.seq === UINT64_MAX ? undefined : following(lastId);
}

/** XLEN key */
function xlen(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.find(argv[1]);
  if (record === undefined) return 0;
  return record.type === "stream" ? record.size : WRONG_TYPE;
}

/** XRANGE key start end [COUNT count] */
function xrange(context: DataContext, argv: readonly Bytes[]): Reply {
  return range(context, argv, argv[2], argv[3], false);
}

/** XREVRANGE key end start [COUNT count] */
function xrevrange(context: DataContext, argv: readonly Bytes[]): Reply {
  return range(context, argv, argv[3], argv[2], true);
}

function range(
  context: DataContext,
  argv: readonly Bytes[],
  startText: Bytes,
  endText: Bytes,
  reverse: boolean,
): Reply {
  const start = parseRangeStart(startText);
  if (start instanceof ErrorReply) return start;
  const end = parseRangeEnd(endText);
  if (end instanceof ErrorReply) return end;
  let count = Infinity;
  for (let i = 4; i < argv.length; i += 2) {
    if (optionName(argv[i]) !== "count" || i + 1 === argv.length) return SYNTAX_ERROR;
    const parsed = parseOffset(argv[i + 1]);
    if (parsed === undefined) return NOT_INTEGER;
    count = parsed;
  }
  const stream = context.read(argv[1], "stream");
  if (stream instanceof ErrorReply) return stream;
  if (stream === undefined) return [];
  if (count <= 0) return NIL_ARRAY;
  const entries: Reply[] = [];
  if (compareIds(start, end) > 0) return entries;
  for (const entry of stream.range(start, end, reverse)) {
    entries.push(entryReply(entry));
    if (entries.length === count) break;
  }
  return entries;
}

/** XDEL key id [id ...] */
function xdel(context: DataContext, argv: readonly Bytes[]): Reply {
  const [, key] = argv;
  if (context.find(key) === undefined) return 0;
  const stream = context.edit(key, "stream");
  if (stream instanceof ErrorReply) return stream;
  const ids = parseIds(argv, 2);
  if (ids instanceof ErrorReply) return ids;
  let count = 0;
  for (const id of ids) if (stream.remove(id)) count++;
  if (count > 0) context.notify("stream", "xdel", key);
  return count;
}

/** XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count] */
function xtrim(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = parseAddOrTrim(argv, false);
  if (options instanceof ErrorReply) return options;
  const [, key] = argv;
  if (context.find(key) === undefined) return 0;
  const stream = context.edit(key, "stream");
  if (stream instanceof ErrorReply) return stream;
  const count = options.trim === undefined ? 0 : stream.trim(options.trim);
  if (count > 0) context.notify("stream", "xtrim", key);
  return count;
}

/** XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id] */
function xsetid(context: DataContext, argv: readonly Bytes[]): Reply {
  const lastId = parseId(argv[2]);
  if (lastId instanceof ErrorReply) return lastId;
  let entriesAdded: Int64 | undefined;
  let maxDeletedId = ID_ZERO;
  for (let i = 3; i < argv.length; i += 2) {
    const name = optionName(argv[i]);
    if (i + 1 === argv.length) return SYNTAX_ERROR;
    if (name === "entriesadded") {
      entriesAdded = parseInt64(argv[i + 1]);
      if (entriesAdded === undefined) return NOT_INTEGER;
      if (entriesAdded < 0) return ADDED_NEGATIVE;
    } else if (name === "maxdeletedid") {
      const id = parseId(argv[i + 1]);
      if (id instanceof ErrorReply) return id;
      if (compareIds(lastId, id) < 0) return BELOW_DELETED;
      maxDeletedId = id;
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (context.find(argv[1]) === undefined) return NO_SUCH_KEY;
  const stream = context.edit(argv[1], "stream");
  if (stream instanceof ErrorReply) return stream;
  if (stream.last !== undefined) {
    if (compareIds(lastId, stream.last) < 0) return BELOW_TOP;
    if (entriesAdded !== undefined && stream.length > entriesAdded) return BELOW_LENGTH;
  }
  stream.setCounters({
    lastId,
    ...(entriesAdded === undefined ? {} : { entriesAdded }),
    ...(isZeroId(maxDeletedId) ? {} : { maxDeletedId }),
  });
  context.notify("stream", "xsetid", argv[1]);
  return OK;
}

/** The commands on the entries of a stream. */
export const streamCommands: readonly Command[] = [
  writeCommand("xadd", -5, xadd, FIRST_KEY),
  readCommand("xlen", 2, xlen, FIRST_KEY),
  readCommand("xrange", -4, xrange, FIRST_KEY),
  readCommand("xrevrange", -4, xrevrange, FIRST_KEY),
  writeCommand("xdel", -3, xdel, FIRST_KEY),
  writeCommand("xtrim", -4, xtrim, FIRST_KEY),
  writeCommand("xsetid", -3, xsetid, FIRST_KEY),
];
