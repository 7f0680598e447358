import { addInt64, type Int64 } from "../base/int64.ts";
import type { Bytes } from "../base/bytes.ts";
import { addUint64 } from "../base/uint64.ts";
import { err, ErrorReply, KeyedReply, NIL_ARRAY, type Reply } from "../resp/reply.ts";
import {
  READ_UNKNOWN,
  type StreamEntry,
  type StreamGroup,
  type StreamOperations,
} from "../storage/streams.ts";
import { compareIds, ID_MAX, idOf, idText, type StreamId } from "../storage/stream_id.ts";
import { blockingCommand, Waiting } from "./blocking.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { noGroup, quoted } from "./help.ts";
import { hasDeletedAfter, readCountAt } from "./stream_counters.ts";
import { entryReply, following, parseId } from "./stream_id.ts";
import { blockMsOf, readMayWait, WAITING_COUNT } from "./stream_read.ts";
import { parseRead, type ReadRequest } from "./stream_read_arguments.ts";

const DOLLAR_ID = err(
  "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this " +
    "consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would " +
    "just return an empty result set.",
);
const KEY_GONE = new ErrorReply("UNBLOCKED the stream key no longer exists");
const GROUP_GONE = noGroup("the consumer group this client was blocked on no longer exists");

/** A stream to read, and from where: ID_MAX stands for what no one was given yet. */
interface Source {
  readonly key: Bytes;
  readonly id: StreamId;
}

/**
 * XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...]
 * id [id ...]
 */
function xreadgroup(context: DataContext, argv: readonly Bytes[]): Reply | Waiting {
  const request = parseRead(argv, true);
  if (request instanceof ErrorReply) return request;
  const { keys, blockMs } = request;
  if (context.wokenBy !== undefined) {
    return serveWoken(context, request, context.wokenBy) ?? new Waiting(keys, 0);
  }
  const sources: Source[] = [];
  for (const [at, key] of keys.entries()) {
    const id = sourceId(context, request, key, request.ids[at]);
    if (id instanceof ErrorReply) return id;
    sources.push({ key, id });
  }
  const found: [Bytes, Reply][] = [];
  for (const { key, id } of sources) {
    const entries = readSource(context, request, key, id, request.count);
    if (entries !== undefined) found.push([key, entries]);
  }
  if (found.length > 0) return new KeyedReply(found);
  return blockMs === undefined ? NIL_ARRAY : new Waiting(keys, blockMs);
}

/** The reply to one that has waited; undefined when there is still nothing for it. */
function serveWoken(context: DataContext, request: ReadRequest, key: Bytes): Reply | undefined {
  const stream = context.read(key, "stream");
  if (stream === undefined || stream instanceof ErrorReply) return KEY_GONE;
  if (stream.group(request.group) === undefined) return GROUP_GONE;
  const entries = readSource(context, request, key, ID_MAX, request.count || WAITING_COUNT);
  return entries && new KeyedReply([[key, entries]]);
}

/** Checks a stream and its group; the id to read from. */
function sourceId(
  context: DataContext,
  { group }: ReadRequest,
  key: Bytes,
  text: Bytes,
): StreamId | ErrorReply {
  const stream = context.read(key, "stream");
  if (stream instanceof ErrorReply) return stream;
  if (stream?.group(group) === undefined) {
    return noGroup(
      `No such key '${quoted(key)}' or consumer group '${quoted(group)}' in XREADGROUP with ` +
        "GROUP option",
    );
  }
  if (text === "$") return DOLLAR_ID;
  return text === ">" ? ID_MAX : parseId(text);
}

/** What a consumer gets of one stream; undefined: nothing new, and nothing is changed. */
function readSource(
  context: DataContext,
  { group: groupName, consumer, noAck }: ReadRequest,
  key: Bytes,
  id: StreamId,
  count: number,
): Reply[] | undefined {
  const isNew = compareIds(id, ID_MAX) === 0;
  const read = context.read(key, "stream");
  const position = read instanceof ErrorReply ? undefined : read?.group(groupName)?.lastId;
  if (position === undefined || read === undefined || read instanceof ErrorReply) return undefined;
  if (isNew && (read.last === undefined || compareIds(read.last, position) <= 0)) return undefined;
  const stream = context.edit(key, "stream");
  const group = stream instanceof ErrorReply ? undefined : stream.group(groupName);
  if (stream instanceof ErrorReply || group === undefined) return undefined;
  seeConsumer(context, key, group, consumer, isNew);
  if (!isNew) return readHistory(context, stream, group, consumer, following(id), count);
  const entries = takeNew(stream, group, count);
  if (!noAck) {
    for (const entry of entries) {
      const delivery = { consumer, deliveredAtMs: context.nowMs, deliveries: 1 };
      group.setPending({ ...idOf(entry), ...delivery });
    }
  }
  return entries.map(entryReply);
}

/** Dates a consumer's use, which gives it an entry or not, and makes it when it is new. */
export function seeConsumer(
  context: DataContext,
  key: Bytes,
  group: StreamGroup,
  consumer: Bytes,
  isActive: boolean,
): void {
  const isNew = group.see(consumer, context.nowMs, isActive ? context.nowMs : undefined);
  if (isNew) context.notify("stream", "xgroup-createconsumer", key);
}

/** The entries that the group was not given yet, up to `count` (0: all); now it was. */
function takeNew(stream: StreamOperations, group: StreamGroup, count: number): StreamEntry[] {
  const entries: StreamEntry[] = [];
  let { entriesRead } = group;
  for (const entry of stream.range(following(group.lastId), ID_MAX)) {
    entriesRead = countRead(stream, entry, entriesRead);
    entries.push(entry);
    if (entries.length === count) break;
  }
  const last = entries[entries.length - 1];
  if (last !== undefined) group.setPosition(idOf(last), entriesRead);
  return entries;
}

function countRead(stream: StreamOperations, id: StreamId, before: Int64): Int64 {
  if (before !== READ_UNKNOWN && !hasDeletedAfter(stream, id)) {
    return addInt64(before, 1) ?? READ_UNKNOWN;
  }
  return stream.entriesAdded === 0 ? before : readCountAt(stream, id);
}

/** What a consumer was given from an id on and has not acknowledged. */
function readHistory(
  context: DataContext,
  stream: StreamOperations,
  group: StreamGroup,
  consumer: Bytes,
  from: StreamId,
  count: number,
): Reply[] {
  const pending = [];
  for (const entry of group.pendingFrom(from, consumer)) {
    pending.push(entry);
    if (pending.length === count) break;
  }
  return pending.map((delivery) => {
    const [entry] = stream.range(delivery, delivery);
    if (entry === undefined) return [idText(delivery), NIL_ARRAY];
    const deliveries = addUint64(delivery.deliveries, 1);
    group.setPending({ ...delivery, deliveredAtMs: context.nowMs, deliveries });
    return entryReply(entry);
  });
}

/** The command that reads for a consumer of a group. */
export const streamReadGroupCommands: readonly Command[] = [
  blockingCommand("xreadgroup", -7, xreadgroup, {
    type: "stream",
    nil: NIL_ARRAY,
    mayWait: (argv) => readMayWait(argv, true),
    timeoutMs: (argv) => blockMsOf(argv, true) ?? 0,
  }),
];
