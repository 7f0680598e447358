import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { toUint64, type Uint64, UINT64_MAX } from "../base/uint64.ts";
import { err, ErrorReply, type Reply } from "../resp/reply.ts";
import { ID_MAX, ID_ZERO, idAfter, idBefore, idText, type StreamId } from "../storage/stream_id.ts";
import type { StreamEntry } from "../storage/streams.ts";
import { quoted } from "./help.ts";

const INVALID_ID = err("Invalid stream ID specified as stream command argument");
const INVALID_START = err("invalid start ID for the interval");
const INVALID_END = err("invalid end ID for the interval");
/** Longer ones are none. */
const ID_BYTES_MAX = 127;

/** An id to add: `seq` undefined stands for the next one of that time. */
export interface NewId {
  readonly ms: Uint64;
  readonly seq: Uint64 | undefined;
}

/** An id "ms-seq" or "ms", then with this sequence; Redis's error for anything else. */
export function parseId(text: Bytes, missingSeq: Uint64 = 0): StreamId | ErrorReply {
  const parsed = parseParts(text, false);
  if (parsed === undefined) return INVALID_ID;
  return { ms: parsed.ms, seq: parsed.seq ?? missingSeq };
}

/** The same, with "-" and "+" for the least and the greatest one. */
export function parseIdOrEnd(text: Bytes, missingSeq: Uint64 = 0): StreamId | ErrorReply {
  if (text.length <= ID_BYTES_MAX) {
    const plain = quoted(text);
    if (plain === "-") return ID_ZERO;
    if (plain === "+") return ID_MAX;
  }
  return parseId(text, missingSeq);
}

/** `parseId` of XADD, where "ms-*" has the sequence found. */
export function parseNewId(text: Bytes): NewId | ErrorReply {
  return parseParts(text, true) ?? INVALID_ID;
}

/** Where a range begins; "(" leaves that one out. */
export function parseRangeStart(text: Bytes): StreamId | ErrorReply {
  if (!isExclusive(text)) return parseIdOrEnd(text);
  const id = parseId(text.slice(1));
  return id instanceof ErrorReply ? id : idAfter(id) ?? INVALID_START;
}

/** Where a range ends; "(" leaves that one out. */
export function parseRangeEnd(text: Bytes): StreamId | ErrorReply {
  if (!isExclusive(text)) return parseIdOrEnd(text, UINT64_MAX);
  const id = parseId(text.slice(1), UINT64_MAX);
  return id instanceof ErrorReply ? id : idBefore(id) ?? INVALID_END;
}

/** The ids from `argv[start]` on; the error of the first that is none. */
export function parseIds(argv: readonly Bytes[], start: number): StreamId[] | ErrorReply {
  const ids: StreamId[] = [];
  for (let i = start; i < argv.length; i++) {
    const id = parseId(argv[i]);
    if (id instanceof ErrorReply) return id;
    ids.push(id);
  }
  return ids;
}

/** An entry as clients see it. */
export function entryReply(entry: StreamEntry): Reply {
  return [idText(entry), entry.words];
}

/** What is after an id; behind the last one Redis begins again. */
export function following(id: StreamId): StreamId {
  return idAfter(id) ?? ID_ZERO;
}

function isExclusive(text: Bytes): boolean {
  return text.length > 1 && text[0] === "(";
}

function parseParts(text: Bytes, takesStar: boolean): NewId | undefined {
  if (text.length > ID_BYTES_MAX) return undefined;
  const plain = quoted(text);
  const dash = plain.indexOf("-");
  const ms = parseUint64(dash < 0 ? plain : plain.slice(0, dash));
  if (ms === undefined) return undefined;
  const rest = plain.slice(dash + 1);
  if (dash < 0) return { ms, seq: takesStar ? 0 : undefined };
  if (takesStar && rest === "*") return { ms, seq: undefined };
  const seq = parseUint64(rest);
  return seq === undefined ? undefined : { ms, seq };
}

/** As Redis's string2ull: what is no signed integer is read as C's strtoull does. */
function parseUint64(text: Bytes): Uint64 | undefined {
  const signed = parseInt64(text);
  if (signed !== undefined) return signed < 0 ? undefined : signed;
  const match = /^[\t-\r ]*([+-]?)(\d+)$/.exec(text);
  if (match === null) return undefined;
  const value = BigInt(match[2]);
  if (value > UINT64_MAX) return undefined;
  return toUint64(match[1] === "-" ? -value : value);
}
