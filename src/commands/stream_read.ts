import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, KeyedReply, NIL_ARRAY, type Reply } from "../resp/reply.ts";
import type { StreamOperations } from "../storage/streams.ts";
import {
  compareIds,
  ID_MAX,
  ID_ZERO,
  idBefore,
  idText,
  type StreamId,
} from "../storage/stream_id.ts";
import { blockingCommand, Waiting } from "./blocking.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { entryReply, following, parseId } from "./stream_id.ts";
import { parseRead } from "./stream_read_arguments.ts";

const GROUP_ID = err(
  "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> " +
    "option.",
);
/** Entries for one that has waited and named no number. */
export const WAITING_COUNT = 1000;

/** XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...] */
function xread(context: DataContext, argv: readonly Bytes[]): Reply | Waiting {
  const request = parseRead(argv, false);
  if (request instanceof ErrorReply) return request;
  const { keys, keysAt, blockMs } = request;
  const isWoken = context.wokenBy !== undefined;
  const ids: StreamId[] = [];
  const found: [Bytes, Reply][] = [];
  for (const [at, key] of keys.entries()) {
    const stream = context.read(key, "stream");
    // A key that has become something else meanwhile may be a stream again.
    const known = isWoken && stream instanceof ErrorReply ? undefined : stream;
    if (known instanceof ErrorReply) return known;
    const id = readFrom(request.ids[at], known);
    if (id instanceof ErrorReply) return id;
    ids.push(id);
  }
  const count = request.count === 0 && isWoken ? WAITING_COUNT : request.count;
  for (const [at, key] of keys.entries()) {
    if (!context.mayServe(key)) continue;
    const stream = context.read(key, "stream");
    if (stream === undefined || stream instanceof ErrorReply) continue;
    if (stream.last === undefined || compareIds(stream.last, ids[at]) <= 0) continue;
    found.push([key, entriesAfter(stream, ids[at], count)]);
    if (isWoken) break;
  }
  if (found.length > 0) return new KeyedReply(found);
  if (blockMs === undefined) return NIL_ARRAY;
  // "$" stands for what was there last when the client came.
  const fixed = [...argv.slice(0, keysAt + keys.length), ...ids.map(idText)];
  return new Waiting(keys, blockMs, fixed);
}

/** The id behind which to read. */
function readFrom(text: Bytes, stream: StreamOperations | undefined): StreamId | ErrorReply {
  if (text === "$") return stream?.lastId ?? ID_ZERO;
  // Of 7.4: the last entry that is there, or what comes next.
  if (text === "+") return (stream?.last && idBefore(stream.last)) ?? stream?.lastId ?? ID_ZERO;
  return text === ">" ? GROUP_ID : parseId(text);
}

function entriesAfter(stream: StreamOperations, id: StreamId, count: number): Reply[] {
  const entries: Reply[] = [];
  for (const entry of stream.range(following(id), ID_MAX)) {
    entries.push(entryReply(entry));
    if (entries.length === count) break;
  }
  return entries;
}

/** Whether this XREAD or XREADGROUP may wait. */
export function readMayWait(argv: readonly Bytes[], ofGroup: boolean): boolean {
  return blockMsOf(argv, ofGroup) !== undefined;
}

/** How long it may wait; undefined: not at all. */
export function blockMsOf(argv: readonly Bytes[], ofGroup: boolean): number | undefined {
  const request = parseRead(argv, ofGroup);
  return request instanceof ErrorReply ? undefined : request.blockMs;
}

function findKeys(argv: readonly Bytes[]): readonly Bytes[] {
  const request = parseRead(argv, false);
  return request instanceof ErrorReply ? [] : request.keys;
}

/** The command that reads of several streams. */
export const streamReadCommands: readonly Command[] = [
  blockingCommand("xread", -4, xread, {
    path: "read",
    findKeys,
    type: "stream",
    nil: NIL_ARRAY,
    mayWait: (argv) => readMayWait(argv, false),
    timeoutMs: (argv) => blockMsOf(argv, false) ?? 0,
  }),
];
