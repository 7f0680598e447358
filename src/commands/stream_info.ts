import type { Bytes } from "../base/bytes.ts";
import { ErrorReply, MapReply, NO_SUCH_KEY, NOT_INTEGER, type Reply } from "../resp/reply.ts";
import { ID_MAX, ID_ZERO, idText } from "../storage/stream_id.ts";
import {
  NEVER_ACTIVE,
  type PendingEntry,
  READ_UNKNOWN,
  type StreamConsumer,
  type StreamGroup,
  type StreamOperations,
} from "../storage/streams.ts";
import type { Command, ContainerCommand, DataCommand, LocalCommand } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { readCommand, SUBCOMMAND_KEY } from "./define.ts";
import { localCommand } from "./define_local.ts";
import { helpReply, unknownSubcommandOrArity } from "./help.ts";
import { optionName, parseOffset } from "./parse.ts";
import { lagOf, signedOf } from "./stream_counters.ts";
import { noGroupOf } from "./stream_group.ts";
import { entryReply } from "./stream_id.ts";

const HELP_LINES = [
  "CONSUMERS <key> <groupname>",
  "    Show consumers of <groupname>.",
  "GROUPS <key>",
  "    Show the stream consumer groups.",
  "STREAM <key> [FULL [COUNT <count>]",
  "    Show information about the stream.",
];
const FULL_COUNT_DEFAULT = 10;

/** XINFO STREAM key [FULL [COUNT count]] */
function streamInfo(context: DataContext, argv: readonly Bytes[]): Reply {
  const stream = context.read(argv[2], "stream");
  if (stream === undefined) return NO_SUCH_KEY;
  if (stream instanceof ErrorReply) return stream;
  const count = parseFull(argv);
  if (count instanceof ErrorReply) return count;
  const { first, last } = stream;
  const head: (readonly [Reply, Reply])[] = [
    ["length", stream.length],
    ["radix-tree-keys", stream.nodeCount],
    ["radix-tree-nodes", stream.radixNodeCount],
    ["last-generated-id", idText(stream.lastId)],
    ["max-deleted-entry-id", idText(stream.maxDeletedId)],
    ["entries-added", signedOf(stream.entriesAdded)],
    ["recorded-first-entry-id", idText(first ?? ID_ZERO)],
  ];
  if (count !== undefined) return new MapReply([...head, ...fullInfo(stream, count)]);
  return new MapReply([
    ...head,
    ["groups", stream.groups().length],
    ["first-entry", first === undefined ? null : entryReply(first)],
    ["last-entry", last === undefined ? null : entryReply(last)],
  ]);
}

/** How many of each to show, 0 for all; undefined: not in full. */
function parseFull(argv: readonly Bytes[]): number | undefined | ErrorReply {
  if (argv.length === 3) return undefined;
  const isFull = optionName(argv[3]) === "full";
  const hasCount = argv.length === 6 && optionName(argv[4]) === "count";
  if (!isFull || (argv.length !== 4 && !hasCount)) {
    return unknownSubcommandOrArity("xinfo", argv[1]);
  }
  if (!hasCount) return FULL_COUNT_DEFAULT;
  const count = parseOffset(argv[5]);
  if (count === undefined) return NOT_INTEGER;
  return count < 0 ? FULL_COUNT_DEFAULT : count;
}

function fullInfo(stream: StreamOperations, count: number): readonly (readonly [Reply, Reply])[] {
  const entries = firstOf(stream.range(ID_ZERO, ID_MAX), count).map(entryReply);
  const groups = stream.groups().map((group) => fullGroup(stream, group, count));
  return [["entries", entries], ["groups", groups]];
}

function fullGroup(stream: StreamOperations, group: StreamGroup, count: number): Reply {
  const pending = firstOf(group.pendingFrom(ID_ZERO), count);
  return new MapReply([
    ["name", group.name],
    ...positionOf(stream, group),
    ["pel-count", group.pendingCount],
    ["pending", pending.map((each) => [idText(each), each.consumer, ...deliveryOf(each)])],
    ["consumers", group.consumers().map((consumer) => fullConsumer(group, consumer, count))],
  ]);
}

function fullConsumer(group: StreamGroup, consumer: StreamConsumer, count: number): Reply {
  const pending = firstOf(group.pendingFrom(ID_ZERO, consumer.name), count);
  return new MapReply([
    ["name", consumer.name],
    ["seen-time", consumer.seenAtMs],
    ["active-time", consumer.activeAtMs],
    ["pel-count", consumer.pendingCount],
    ["pending", pending.map((each) => [idText(each), ...deliveryOf(each)])],
  ]);
}

function deliveryOf({ deliveredAtMs, deliveries }: PendingEntry): Reply[] {
  return [deliveredAtMs, signedOf(deliveries)];
}

function positionOf(
  stream: StreamOperations,
  group: StreamGroup,
): readonly (readonly [Reply, Reply])[] {
  const { lastId, entriesRead } = group;
  return [
    ["last-delivered-id", idText(lastId)],
    ["entries-read", entriesRead === READ_UNKNOWN ? null : entriesRead],
    ["lag", lagOf(stream, group) ?? null],
  ];
}

/** XINFO GROUPS key */
function groupsInfo(context: DataContext, argv: readonly Bytes[]): Reply {
  const stream = context.read(argv[2], "stream");
  if (stream === undefined) return NO_SUCH_KEY;
  if (stream instanceof ErrorReply) return stream;
  return stream.groups().map((group) =>
    new MapReply([
      ["name", group.name],
      ["consumers", group.consumers().length],
      ["pending", group.pendingCount],
      ...positionOf(stream, group),
    ])
  );
}

/** XINFO CONSUMERS key group */
function consumersInfo(context: DataContext, argv: readonly Bytes[]): Reply {
  const stream = context.read(argv[2], "stream");
  if (stream === undefined) return NO_SUCH_KEY;
  if (stream instanceof ErrorReply) return stream;
  const group = stream.group(argv[3]);
  if (group === undefined) return noGroupOf(argv[2], argv[3]);
  const sinceMs = (atMs: number) => Math.max(0, context.nowMs - atMs);
  return group.consumers().map(({ name, pendingCount, seenAtMs, activeAtMs }) =>
    new MapReply([
      ["name", name],
      ["pending", pendingCount],
      ["idle", sinceMs(seenAtMs)],
      ["inactive", activeAtMs === NEVER_ACTIVE ? NEVER_ACTIVE : sinceMs(activeAtMs)],
    ])
  );
}

/** Up to `count` items, or all of them for 0. */
function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of items) {
    first.push(item);
    if (first.length === count) break;
  }
  return first;
}

const xinfo: ContainerCommand = {
  name: "xinfo",
  arity: -2,
  path: "container",
  subcommands: new Map<string, DataCommand | LocalCommand>([
    ["stream", readCommand("xinfo|stream", -3, streamInfo, SUBCOMMAND_KEY)],
    ["groups", readCommand("xinfo|groups", 3, groupsInfo, SUBCOMMAND_KEY)],
    ["consumers", readCommand("xinfo|consumers", 4, consumersInfo, SUBCOMMAND_KEY)],
    ["help", localCommand("xinfo|help", 2, () => helpReply("XINFO", HELP_LINES))],
  ]),
};

/** The command that looks into streams. */
export const streamInfoCommands: readonly Command[] = [xinfo];
