import type { Bytes } from "../base/bytes.ts";
import { ErrorReply, NIL_ARRAY, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import { compareIds, idText, type StreamId } from "../storage/stream_id.ts";
import type { StreamGroup } from "../storage/streams.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { noGroup, quoted } from "./help.ts";
import { optionName, parseOffset } from "./parse.ts";
import { signedOf } from "./stream_counters.ts";
import { parseIds, parseRangeEnd, parseRangeStart } from "./stream_id.ts";

/** Redis's error of a command that takes a key and a group. */
export function noKeyOrGroup(key: Bytes, group: Bytes): ErrorReply {
  return noGroup(`No such key '${quoted(key)}' or consumer group '${quoted(group)}'`);
}

/** XACK key group id [id ...] */
function xack(context: DataContext, argv: readonly Bytes[]): Reply {
  const [, key, name] = argv;
  if (context.find(key) === undefined) return 0;
  const stream = context.edit(key, "stream");
  if (stream instanceof ErrorReply) return stream;
  const group = stream.group(name);
  if (group === undefined) return 0;
  const ids = parseIds(argv, 3);
  if (ids instanceof ErrorReply) return ids;
  let count = 0;
  for (const id of ids) if (group.acknowledge(id)) count++;
  return count;
}

/** What XPENDING lists. */
interface PendingRange {
  readonly idleMs: number;
  readonly start: StreamId;
  readonly end: StreamId;
  readonly count: number;
  readonly consumer: Bytes | undefined;
}

/** XPENDING key group [[IDLE min-idle-time] start end count [consumer]] */
function xpending(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length !== 3 && (argv.length < 6 || argv.length > 9)) return SYNTAX_ERROR;
  const range = argv.length === 3 ? undefined : parsePendingRange(argv);
  if (range instanceof ErrorReply) return range;
  const stream = context.read(argv[1], "stream");
  if (stream instanceof ErrorReply) return stream;
  const group = stream?.group(argv[2]);
  if (group === undefined) return noKeyOrGroup(argv[1], argv[2]);
  return range === undefined ? summary(group) : listPending(context, group, range);
}

function parsePendingRange(argv: readonly Bytes[]): PendingRange | ErrorReply {
  let at = 3;
  let idleMs: number | undefined = 0;
  if (optionName(argv[3]) === "idle") {
    idleMs = parseOffset(argv[4]);
    if (idleMs === undefined) return NOT_INTEGER;
    if (argv.length < 8) return SYNTAX_ERROR;
    at = 5;
  }
  const count = parseOffset(argv[at + 2]);
  if (count === undefined) return NOT_INTEGER;
  const start = parseRangeStart(argv[at]);
  if (start instanceof ErrorReply) return start;
  const end = parseRangeEnd(argv[at + 1]);
  if (end instanceof ErrorReply) return end;
  return { idleMs, start, end, count, consumer: argv.at(at + 3) };
}

/** How many are pending, the first and the last of them, and how many each consumer has. */
function summary(group: StreamGroup): Reply {
  const { firstPending, lastPending } = group;
  if (firstPending === undefined || lastPending === undefined) return [0, null, null, NIL_ARRAY];
  const consumers = group.consumers()
    .filter(({ pendingCount }) => pendingCount > 0)
    .map(({ name, pendingCount }) => [name, String(pendingCount)]);
  return [group.pendingCount, idText(firstPending), idText(lastPending), consumers];
}

function listPending({ nowMs }: DataContext, group: StreamGroup, range: PendingRange): Reply {
  const { idleMs, start, end, count, consumer } = range;
  const found: Reply[] = [];
  if (consumer !== undefined && group.consumer(consumer) === undefined) return found;
  if (count <= 0) return found;
  for (const entry of group.pendingFrom(start, consumer)) {
    if (compareIds(entry, end) > 0) break;
    const elapsedMs = nowMs - entry.deliveredAtMs;
    if (idleMs !== 0 && elapsedMs < idleMs) continue;
    const deliveries = signedOf(entry.deliveries);
    found.push([idText(entry), entry.consumer, Math.max(0, elapsedMs), deliveries]);
    if (found.length === count) break;
  }
  return found;
}

/** The commands on what is delivered and not acknowledged. */
export const streamPendingCommands: readonly Command[] = [
  writeCommand("xack", -4, xack, FIRST_KEY),
  readCommand("xpending", -3, xpending, FIRST_KEY),
];
