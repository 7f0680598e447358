import type { Bytes } from "../base/bytes.ts";
import type { Uint64 } from "../base/uint64.ts";
import { bytesOf, type ElementRow } from "./element_tables.ts";
import type { SqlRow, SqlValue } from "./sqlite_types.ts";
import type { StreamId } from "./stream_id.ts";
import type { StreamNode } from "./stream_nodes.ts";
import type { PendingEntry, StreamConsumer, StreamCounters, StreamEntry } from "./streams.ts";

/*
 * Rows of the tables of streams. Numbers beyond 2^53 are text, which SQLite sorts behind all
 * integers, with a letter before the digits lest it makes integers of them.
 */

const WIDE_DIGITS = 20;

function wide(value: Uint64): number | string {
  return typeof value === "number" ? value : "u" + String(value).padStart(WIDE_DIGITS, "0");
}

export function wideOf(value: SqlValue): Uint64 {
  return typeof value === "string" ? BigInt(value.slice(1)) : Number(value);
}

export function countersRow({ lastId, maxDeletedId, entriesAdded }: StreamCounters): ElementRow {
  return [...idRow(lastId), ...idRow(maxDeletedId), wide(entriesAdded)];
}

export function countersOf(row: SqlRow): StreamCounters {
  return {
    lastId: idOf(row.last_ms, row.last_seq),
    maxDeletedId: idOf(row.deleted_ms, row.deleted_seq),
    entriesAdded: wideOf(row.added),
  };
}

/** The key of an entry or a node. */
export function idRow({ ms, seq }: StreamId): ElementRow {
  return [wide(ms), wide(seq)];
}

export function idOf(ms: SqlValue, seq: SqlValue): StreamId {
  return { ms: wideOf(ms), seq: wideOf(seq) };
}

export function entryRow(entry: StreamEntry): ElementRow {
  return [...idRow(entry), wordsToSql(entry.words)];
}

export function entryOf(row: SqlRow): StreamEntry {
  return { ms: wideOf(row.ms), seq: wideOf(row.seq), words: wordsOf(row.fields) };
}

export function nodeRow(node: StreamNode): ElementRow {
  const { live, deleted, bytes, lastId, fields } = node;
  return [...idRow(node), live, deleted, bytes, ...idRow(lastId), wordsToSql(fields)];
}

export function nodeOf(row: SqlRow): StreamNode {
  return {
    ms: wideOf(row.ms),
    seq: wideOf(row.seq),
    live: Number(row.live),
    deleted: Number(row.deleted),
    bytes: Number(row.bytes),
    lastId: idOf(row.last_ms, row.last_seq),
    fields: wordsOf(row.fields),
  };
}

export function groupRow(name: Bytes, lastId: StreamId, entriesRead: Uint64): ElementRow {
  return [name, ...idRow(lastId), wide(entriesRead)];
}

export function consumerRow(
  group: Bytes,
  { name, seenAtMs, activeAtMs }: Omit<StreamConsumer, "pendingCount">,
): ElementRow {
  return [group, name, seenAtMs, activeAtMs];
}

export function consumerOf(row: SqlRow): Omit<StreamConsumer, "pendingCount"> {
  return {
    name: bytesOf(row.name),
    seenAtMs: Number(row.seen_at_ms),
    // As Redis has it for values of before 7.2.
    activeAtMs: Number(row.active_at_ms ?? row.seen_at_ms),
  };
}

export function pendingKey(group: Bytes, id: StreamId): ElementRow {
  return [group, ...idRow(id)];
}

export function pendingRow(group: Bytes, entry: PendingEntry): ElementRow {
  const { consumer, deliveredAtMs, deliveries } = entry;
  return [...pendingKey(group, entry), consumer, deliveredAtMs, wide(deliveries)];
}

export function pendingOf(row: SqlRow): PendingEntry {
  return {
    ms: wideOf(row.ms),
    seq: wideOf(row.seq),
    consumer: bytesOf(row.consumer),
    deliveredAtMs: Number(row.delivered_at_ms),
    deliveries: wideOf(row.deliveries),
  };
}

/** Words as JSON, so that a person can read those that are text. */
function wordsToSql(words: readonly Bytes[]): Bytes {
  return JSON.stringify(words);
}

function wordsOf(value: SqlValue): readonly Bytes[] {
  return JSON.parse(bytesOf(value)) as Bytes[];
}
