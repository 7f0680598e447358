import type { Bytes } from "../base/bytes.ts";
import { type Int64, parseInt64 } from "../base/int64.ts";
import { addUint64 } from "../base/uint64.ts";
import { err, ErrorReply, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import { compareIds, ID_ZERO, idAfter, idOf, idText, type StreamId } from "../storage/stream_id.ts";
import type { PendingEntry, StreamGroup, StreamOperations } from "../storage/streams.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, writeCommand } from "./define.ts";
import { errQuoting, quoted } from "./help.ts";
import { optionName, parseAtLeast, parseOffset } from "./parse.ts";
import { entryReply, parseId, parseRangeStart } from "./stream_id.ts";
import { noKeyOrGroup } from "./stream_pending.ts";
import { seeConsumer } from "./stream_read_group.ts";

const COUNT_NOT_POSITIVE = err("COUNT must be > 0");
const CLAIM_COUNT_DEFAULT = 100;
/** Redis's bound: as many ids as memory could hold. */
const CLAIM_COUNT_MAX = 2n ** 63n / 16n - 1n;
/** Pending entries that XAUTOCLAIM looks at for each one asked for. */
const ATTEMPTS_PER_ENTRY = 10;

/** What a claim is made for, and how. */
interface Claim {
  readonly context: DataContext;
  readonly key: Bytes;
  readonly stream: StreamOperations;
  readonly group: StreamGroup;
  readonly consumer: Bytes;
  readonly minIdleMs: number;
  readonly deliveredAtMs: number;
  readonly justId: boolean;
  /** Undefined: one more, but with `justId`. */
  readonly deliveries: Int64 | undefined;
  /** The consumer was dated, or made, for this claim. */
  isSeen: boolean;
}

/** The stream and the group that a claim names. */
function editGroup(
  context: DataContext,
  [, key, name]: readonly Bytes[],
): Pick<Claim, "stream" | "group"> | ErrorReply {
  const isThere = context.find(key) !== undefined;
  const stream = isThere ? context.edit(key, "stream") : undefined;
  if (stream instanceof ErrorReply) return stream;
  const group = stream?.group(name);
  return stream === undefined || group === undefined ? noKeyOrGroup(key, name) : { stream, group };
}

/**
 * XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds]
 * [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]
 */
function xclaim(context: DataContext, argv: readonly Bytes[]): Reply {
  const found = editGroup(context, argv);
  if (found instanceof ErrorReply) return found;
  const minIdleMs = parseMinIdle(argv[4], "XCLAIM");
  if (minIdleMs instanceof ErrorReply) return minIdleMs;
  const ids: StreamId[] = [];
  for (let i = 5; i < argv.length; i++) {
    const id = parseId(argv[i]);
    if (id instanceof ErrorReply) break;
    ids.push(id);
  }
  const options = parseClaimOptions(argv, 5 + ids.length, context.nowMs);
  if (options instanceof ErrorReply) return options;
  const { stream, group } = found;
  if (compareIds(options.lastId, group.lastId) > 0) {
    group.setPosition(options.lastId, group.entriesRead);
  }
  const [, key, , consumer] = argv;
  const claim = { context, key, ...found, consumer, minIdleMs, ...options, isSeen: false };
  const claimed: Reply[] = [];
  for (const id of ids) {
    const pending = group.pending(id);
    if (!stream.has(id)) {
      if (pending !== undefined) group.acknowledge(id);
      continue;
    }
    if (pending === undefined && !options.force) continue;
    const reply = take(claim, id, pending);
    if (reply !== undefined) claimed.push(reply);
  }
  return claimed;
}

interface ClaimOptions extends Pick<Claim, "deliveredAtMs" | "justId" | "deliveries"> {
  readonly force: boolean;
  readonly lastId: StreamId;
}

function parseClaimOptions(
  argv: readonly Bytes[],
  start: number,
  nowMs: number,
): ClaimOptions | ErrorReply {
  let [force, justId] = [false, false];
  let deliveredAtMs = -1;
  let deliveries: Int64 | undefined;
  let lastId: StreamId | ErrorReply = ID_ZERO;
  for (let i = start; i < argv.length; i++) {
    const name = optionName(argv[i]);
    const hasMore = i + 1 < argv.length;
    if (name === "force") force = true;
    else if (name === "justid") justId = true;
    else if ((name === "idle" || name === "time") && hasMore) {
      const timeMs = parseOffset(argv[++i]);
      if (timeMs === undefined) return invalidOption(name);
      deliveredAtMs = name === "idle" ? nowMs - timeMs : timeMs;
    } else if (name === "retrycount" && hasMore) {
      const count = parseInt64(argv[++i]);
      if (count === undefined) return invalidOption(name);
      deliveries = count < 0 ? undefined : count;
    } else if (name === "lastid" && hasMore) {
      lastId = parseId(argv[++i]);
      if (lastId instanceof ErrorReply) return lastId;
    } else return errQuoting(`Unrecognized XCLAIM option '${quoted(argv[i])}'`);
  }
  if (deliveredAtMs < 0 || deliveredAtMs > nowMs) deliveredAtMs = nowMs;
  return { force, justId, deliveredAtMs, deliveries, lastId };
}

function invalidOption(name: string): ErrorReply {
  return err(`Invalid ${name.toUpperCase()} option argument for XCLAIM`);
}

function parseMinIdle(text: Bytes, command: string): number | ErrorReply {
  const minIdleMs = parseOffset(text);
  if (minIdleMs === undefined) return err(`Invalid min-idle-time argument for ${command}`);
  return Math.max(0, minIdleMs);
}

/** Gives an entry that is there to the claim's consumer; undefined when it is not idle for long. */
function take(
  claim: Claim,
  id: StreamId,
  pending: PendingEntry | undefined,
): Reply | undefined {
  const { context, key, stream, group, consumer, deliveredAtMs, justId } = claim;
  const isIdle = pending === undefined || claim.minIdleMs === 0 ||
    context.nowMs - pending.deliveredAtMs >= claim.minIdleMs;
  if (!isIdle) return undefined;
  if (!claim.isSeen) seeConsumer(context, key, group, consumer, true);
  claim.isSeen = true;
  const before = pending?.deliveries ?? 1;
  const deliveries = claim.deliveries ?? (justId ? before : addUint64(before, 1));
  group.setPending({ ...idOf(id), consumer, deliveredAtMs, deliveries });
  if (justId) return idText(id);
  const [entry] = stream.range(id, id);
  return entryReply(entry);
}

/** XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID] */
function xautoclaim(context: DataContext, argv: readonly Bytes[]): Reply {
  const minIdleMs = parseMinIdle(argv[4], "XAUTOCLAIM");
  if (minIdleMs instanceof ErrorReply) return minIdleMs;
  const start = parseRangeStart(argv[5]);
  if (start instanceof ErrorReply) return start;
  let count: number | ErrorReply = CLAIM_COUNT_DEFAULT;
  let justId = false;
  for (let i = 6; i < argv.length; i++) {
    const name = optionName(argv[i]);
    if (name === "justid") justId = true;
    else if (name === "count" && i + 1 < argv.length) {
      count = parseClaimCount(argv[++i]);
      if (count instanceof ErrorReply) return count;
    } else return SYNTAX_ERROR;
  }
  const found = editGroup(context, argv);
  if (found instanceof ErrorReply) return found;
  const { stream, group } = found;
  const [, key, , consumer] = argv;
  const claim = { context, key, ...found, consumer, minIdleMs, justId, isSeen: false };
  const how = { ...claim, deliveredAtMs: context.nowMs, deliveries: undefined };
  const claimed: Reply[] = [];
  const deleted: Reply[] = [];
  let attempts = count * ATTEMPTS_PER_ENTRY;
  let next = nextPending(group, start);
  for (; next !== undefined && attempts > 0 && count > 0; attempts--) {
    const after = idAfter(next);
    if (stream.has(next)) {
      const reply = take(how, next, next);
      if (reply !== undefined) claimed.push(reply);
      if (reply !== undefined) count--;
    } else {
      group.acknowledge(next);
      deleted.push(idText(next));
      count--;
    }
    next = after && nextPending(group, after);
  }
  return [idText(next ?? ID_ZERO), claimed, deleted];
}

function parseClaimCount(text: Bytes): number | ErrorReply {
  const count = parseInt64(text);
  if (count !== undefined && count > CLAIM_COUNT_MAX) return COUNT_NOT_POSITIVE;
  return parseAtLeast(1, text, COUNT_NOT_POSITIVE);
}

function nextPending(group: StreamGroup, from: StreamId): PendingEntry | undefined {
  const [next] = group.pendingFrom(from);
  return next;
}

/** The commands that give what is pending to another consumer. */
export const streamClaimCommands: readonly Command[] = [
  writeCommand("xclaim", -6, xclaim, FIRST_KEY),
  writeCommand("xautoclaim", -6, xautoclaim, FIRST_KEY),
];
