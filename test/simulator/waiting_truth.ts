import { type Bytes, toBuffer } from "../../src/base/bytes.ts";
import { decodeArguments } from "../../src/server/batch.ts";
import type { NodeStorage } from "../../src/server/node_storage.ts";
import type { Change } from "../../src/storage/changes_table.ts";
import { compareIds } from "../../src/storage/stream_id.ts";
import type { OpenSession } from "./world.ts";

/** By its name, the type of what a command waits for. */
const TYPES: Readonly<Record<string, string>> = {
  BLPOP: "list",
  BRPOP: "list",
  BLMPOP: "list",
  BLMOVE: "list",
  BRPOPLPUSH: "list",
  BZPOPMIN: "zset",
  BZPOPMAX: "zset",
  BZMPOP: "zset",
};
/** What wakes those of a group; XGROUP SETID, which has it read again what it was given, does not. */
const WAKING: ReadonlySet<string> = new Set(["xadd", "copy", "rename", "move", "xgroup|destroy"]);

interface Waiting {
  readonly db: number;
  readonly keys: readonly Bytes[];
  readonly argv: readonly Bytes[];
}

/** Who waits behind an entry though there is what it waits for; undefined: nobody. */
export function unserved({ ops, beside }: NodeStorage): string | undefined {
  const { rows } = beside.waiters;
  if (rows.length === 0) return undefined;
  const { index, logTimeMs } = ops.applied;
  const [entry] = beside.changes.read(index - 1);
  const changes = entry?.index === index ? entry.changes : [];
  for (const [position, data] of rows) {
    if (position === 0) continue;
    const { db, keys, argv } = waitingOf(data);
    const type = TYPES[argv[0].toUpperCase()];
    for (const key of keys) {
      const record = ops.peek(db, key);
      // One whose time has come is not there, though it has not been deleted yet.
      const isThere = record !== undefined && record.expireAtMs > logTimeMs;
      const isServed = type === undefined
        ? isWoken(changes, db, key) && hasNews(ops, db, key, argv, isThere)
        : isThere && record.type === type;
      if (isServed) return `${argv.join(" ")} in ${db} waits for ${key}, which is there`;
    }
  }
  return undefined;
}

function waitingOf(data: Bytes): Waiting {
  const words = decodeArguments(toBuffer(data));
  const [db, count] = words.slice(3, 5).map(Number);
  return { db, keys: words.slice(5, 5 + count), argv: words.slice(5 + count) };
}

/** Whether those that wait for a stream look at it behind what was done to it last. */
function isWoken(changes: readonly Change[], db: number, key: Bytes): boolean {
  const last = changes.findLast((each) =>
    each.kind === "swap"
      ? each.db === db || Number(each.key) === db
      : each.db === db && (each.kind === "flush" || each.key === key)
  );
  return last !== undefined && (last.kind !== "set" || WAKING.has(last.command));
}

/** For an XREADGROUP: entries that its group was not given, or that it cannot be any more. */
function hasNews(
  ops: NodeStorage["ops"],
  db: number,
  key: Bytes,
  argv: readonly Bytes[],
  isThere: boolean,
): boolean {
  const stream = isThere ? ops.collection(db, key, "stream") : undefined;
  const group = stream?.group(argv[2]);
  if (stream === undefined || group === undefined) return true;
  return stream.last !== undefined && compareIds(stream.last, group.lastId) > 0;
}

/** By the waits of reads, the log time of the first entry behind which a node was seen to have it. */
const since = new WeakMap<object, number>();

/** An XREAD that waits on this node though an entry has come since; undefined: none does. */
export function unread(
  { ops }: NodeStorage,
  sessions: Iterable<OpenSession>,
): string | undefined {
  const { logTimeMs } = ops.applied;
  for (const { isLive, blocked, oldest, db } of sessions) {
    if (!isLive || blocked === undefined) continue;
    const words = oldest?.text.split(" ") ?? [];
    if (words[0] !== "XREAD") continue;
    const key = words[words.length - 2] as Bytes;
    const sinceMs = since.get(blocked);
    if (sinceMs === undefined) since.set(blocked, logTimeMs);
    const record = sinceMs === undefined ? undefined : ops.peek(db, key);
    if (sinceMs === undefined || record === undefined || record.expireAtMs <= logTimeMs) continue;
    const last = ops.collection(db, key, "stream")?.last;
    if (last !== undefined && last.ms > sinceMs) {
      return `${oldest?.text} in ${db}, since ${sinceMs}`;
    }
  }
  return undefined;
}
