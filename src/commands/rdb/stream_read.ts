import type { Bytes } from "../../base/bytes.ts";
import { parseInt64 } from "../../base/int64.ts";
import { addUint64, toUint64, type Uint64 } from "../../base/uint64.ts";
import { LISTPACK_EMPTY_BYTES, listpackIntegerBytes } from "../../storage/listpack_size.ts";
import { compareIds, ID_ZERO, idOf, type StreamId } from "../../storage/stream_id.ts";
import type { StreamNode } from "../../storage/stream_nodes.ts";
import type {
  PendingEntry,
  StreamConsumer,
  StreamContents,
  StreamCounters,
  StreamEntry,
} from "../../storage/streams.ts";
import { readCountAt, signedOf } from "../stream_counters.ts";
import { readListpack } from "./packed.ts";
import { BadDump, Reader } from "./reader.ts";
import { SAME_FIELDS } from "./stream_write.ts";
import { RDB_TYPE } from "./value.ts";

type DumpedGroup = StreamContents["groups"][number];

const DELETED = 1;
const RAW_ID_BYTES = 16;

/** A stream of one of its three types. */
export function readStream(reader: Reader, type: number): StreamContents {
  const nodes: StreamNode[] = [];
  const entries: StreamEntry[] = [];
  for (let left = reader.length(); left > 0; left--) {
    const key = reader.string();
    if (key.length !== RAW_ID_BYTES) throw new BadDump();
    nodes.push(readNode(rawId(new Reader(key)), reader.string(), entries));
  }
  checkOrder(nodes);
  if (reader.length() !== entries.length) throw new BadDump();
  const counters = readCounters(reader, type, entries.length);
  const last = entries.at(-1);
  if (last !== undefined && compareIds(last, counters.lastId) > 0) throw new BadDump();
  const counted = { ...counters, first: entries[0], length: entries.length };
  const groups: DumpedGroup[] = [];
  for (let left = reader.length(); left > 0; left--) {
    const name = reader.string();
    const lastId = readId(reader);
    const entriesRead = type === RDB_TYPE.streamListpacks
      ? readCountAt(counted, lastId)
      : signedOf(reader.wideLength());
    groups.push({ name, lastId, entriesRead, ...readMembers(reader, type) });
  }
  if (new Set(groups.map(({ name }) => name)).size < groups.length) throw new BadDump();
  return { ...counters, entries, nodes, groups };
}

function readCounters(reader: Reader, type: number, length: number): StreamCounters {
  const lastId = readId(reader);
  if (type === RDB_TYPE.streamListpacks) {
    return { lastId, maxDeletedId: ID_ZERO, entriesAdded: length };
  }
  // The first entry's id is known from the entries.
  readId(reader);
  return { lastId, maxDeletedId: readId(reader), entriesAdded: reader.wideLength() };
}

/** A node; its entries that are not deleted go to `entries`. */
function readNode(id: StreamId, listpack: Bytes, entries: StreamEntry[]): StreamNode {
  const items = readListpack(listpack);
  let at = 0;
  const next = () => {
    if (at >= items.length) throw new BadDump();
    return items[at++];
  };
  const [live, deleted] = [count(next()), count(next())];
  const fields: Bytes[] = [];
  for (let left = count(next()); left > 0; left--) fields.push(next());
  if (next() !== "0") throw new BadDump();
  const before = entries.length;
  let lastId = id;
  for (let left = live + deleted; left > 0; left--) {
    const start = at;
    const flags = count(next());
    lastId = { ms: sum(id.ms, next()), seq: sum(id.seq, next()) };
    const isSame = (flags & SAME_FIELDS) !== 0;
    const size = isSame ? fields.length : count(next());
    const words: Bytes[] = [];
    for (let i = 0; i < size; i++) words.push(isSame ? fields[i] : next(), next());
    if (count(next()) !== at - start - 1) throw new BadDump();
    if ((flags & DELETED) === 0) entries.push({ ...lastId, words });
  }
  if (at !== items.length || entries.length - before !== live) throw new BadDump();
  const counts = listpackIntegerBytes(live) + listpackIntegerBytes(deleted);
  const bytes = listpack.length - LISTPACK_EMPTY_BYTES - counts;
  for (const { words } of entries.slice(before)) if (words.length === 0) throw new BadDump();
  checkOrder(entries.slice(before));
  return { ...idOf(id), fields, live, deleted, bytes, lastId };
}

/** Each id is greater than that before it. */
function checkOrder(ids: readonly (StreamId & { readonly lastId?: StreamId })[]): void {
  for (let i = 1; i < ids.length; i++) {
    const before = ids[i - 1];
    if (compareIds(before.lastId ?? before, ids[i]) >= 0) throw new BadDump();
  }
}

function readMembers(reader: Reader, type: number): Pick<DumpedGroup, "consumers" | "pending"> {
  const unowned = new Map<Bytes, Omit<PendingEntry, "consumer">>();
  for (let left = reader.length(); left > 0; left--) {
    const raw = reader.take(RAW_ID_BYTES);
    const id = rawId(new Reader(raw));
    if (unowned.has(raw)) throw new BadDump();
    unowned.set(raw, { ...id, deliveredAtMs: time(reader), deliveries: reader.wideLength() });
  }
  const consumers: Omit<StreamConsumer, "pendingCount">[] = [];
  const pending: PendingEntry[] = [];
  for (let left = reader.length(); left > 0; left--) {
    const name = reader.string();
    const seenAtMs = time(reader);
    const activeAtMs = type === RDB_TYPE.streamListpacks3 ? time(reader) : seenAtMs;
    consumers.push({ name, seenAtMs, activeAtMs });
    for (let own = reader.length(); own > 0; own--) {
      const raw = reader.take(RAW_ID_BYTES);
      const entry = unowned.get(raw);
      if (entry === undefined) throw new BadDump();
      unowned.delete(raw);
      pending.push({ ...entry, consumer: name });
    }
  }
  const names = new Set(consumers.map(({ name }) => name));
  if (unowned.size > 0 || names.size < consumers.length) throw new BadDump();
  return { consumers, pending };
}

function readId(reader: Reader): StreamId {
  return { ms: reader.wideLength(), seq: reader.wideLength() };
}

function rawId(reader: Reader): StreamId {
  return { ms: reader.wide(), seq: reader.wide() };
}

function time(reader: Reader): number {
  return Number(reader.signed(8));
}

/** A count in a listpack. */
function count(item: Bytes): number {
  const value = parseInt64(item);
  if (typeof value !== "number" || value < 0) throw new BadDump();
  return value;
}

/** A part of an id, which a listpack has as its distance from that of the node. */
function sum(part: Uint64, item: Bytes): Uint64 {
  const value = parseInt64(item);
  if (value === undefined) throw new BadDump();
  return addUint64(part, value < 0 ? toUint64(BigInt(value)) : value);
}
