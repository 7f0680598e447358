import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import type { Int64 } from "../base/int64.ts";
import type { ElementRow } from "./element_tables.ts";
import { IdMap } from "./id_map.ts";
import { ID_ZERO, idText, type StreamId } from "./stream_id.ts";
import { consumerRow, groupRow, pendingKey, pendingRow } from "./stream_rows.ts";
import {
  NEVER_ACTIVE,
  type PendingEntry,
  type StreamConsumer,
  type StreamGroup,
} from "./streams.ts";

/** Bytes in memory, about, beside names. */
export const GROUP_OVERHEAD_BYTES = 400;
const CONSUMER_OVERHEAD_BYTES = 300;
const PENDING_OVERHEAD_BYTES = 150;

/** Tables that a group has rows in. */
export type GroupTable = "stream_group" | "stream_consumer" | "stream_pending";

/** Is told of each row of a group that has changed, and when it is done with them. */
export interface GroupHost {
  noteGroup(table: GroupTable, id: string, row: ElementRow, heldBytes: number): void;
  tellGroup(): void;
}

class Consumer implements StreamConsumer {
  readonly name: Bytes;
  seenAtMs: number;
  activeAtMs: number;
  readonly pending = new IdMap<PendingEntry>();

  constructor(name: Bytes, seenAtMs: number, activeAtMs: number) {
    this.name = name;
    this.seenAtMs = seenAtMs;
    this.activeAtMs = activeAtMs;
  }

  get pendingCount(): number {
    return this.pending.size;
  }
}

/** A consumer group in memory. */
export class CachedGroup implements StreamGroup {
  readonly name: Bytes;
  lastId: StreamId;
  entriesRead: Int64;
  readonly #host: GroupHost;
  readonly #pending = new IdMap<PendingEntry>();
  readonly #consumers = new Map<Bytes, Consumer>();

  constructor(host: GroupHost, name: Bytes, lastId: StreamId, entriesRead: Int64) {
    this.#host = host;
    this.name = name;
    this.lastId = lastId;
    this.entriesRead = entriesRead;
  }

  setPosition(lastId: StreamId, entriesRead: Int64): void {
    this.lastId = lastId;
    this.entriesRead = entriesRead;
    this.noteAll(0);
    this.#host.tellGroup();
  }

  /** Notes the group's own row. */
  noteAll(heldBytes: number): void {
    const row = groupRow(this.name, this.lastId, this.entriesRead);
    this.#host.noteGroup("stream_group", this.name, row, heldBytes);
  }

  consumers(): readonly StreamConsumer[] {
    return [...this.#consumers.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  consumer(name: Bytes): StreamConsumer | undefined {
    return this.#consumers.get(name);
  }

  see(name: Bytes, seenAtMs: number, activeAtMs?: number): boolean {
    let consumer = this.#consumers.get(name);
    const isNew = consumer === undefined;
    const activeMs = activeAtMs ?? consumer?.activeAtMs ?? NEVER_ACTIVE;
    if (consumer === undefined) consumer = this.fillConsumer(name, seenAtMs, activeMs);
    else if (consumer.seenAtMs === seenAtMs && consumer.activeAtMs === activeMs) return false;
    consumer.seenAtMs = seenAtMs;
    consumer.activeAtMs = activeMs;
    const row = consumerRow(this.name, consumer);
    this.#noteConsumer(name, row, isNew ? consumerBytes(name) : 0);
    this.#host.tellGroup();
    return isNew;
  }

  removeConsumer(name: Bytes): number {
    const consumer = this.#consumers.get(name);
    if (consumer === undefined) return 0;
    for (const entry of consumer.pending.values()) {
      this.#pending.remove(entry);
      this.#notePending(entry, pendingKey(this.name, entry), -PENDING_OVERHEAD_BYTES);
    }
    this.#consumers.delete(name);
    this.#noteConsumer(name, [this.name, name], -consumerBytes(name));
    this.#host.tellGroup();
    return consumer.pending.size;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  get firstPending(): StreamId | undefined {
    return this.#pending.first;
  }

  get lastPending(): StreamId | undefined {
    return this.#pending.last;
  }

  pending(id: StreamId): PendingEntry | undefined {
    return this.#pending.get(id);
  }

  pendingFrom(id: StreamId, consumer?: Bytes): Iterable<PendingEntry> {
    if (consumer === undefined) return this.#pending.from(id);
    return this.#consumers.get(consumer)?.pending.from(id) ?? [];
  }

  setPending(entry: PendingEntry): void {
    const isNew = this.fillPending(entry);
    const heldBytes = isNew ? PENDING_OVERHEAD_BYTES : 0;
    this.#notePending(entry, pendingRow(this.name, entry), heldBytes);
    this.#host.tellGroup();
  }

  acknowledge(id: StreamId): boolean {
    const entry = this.#pending.remove(id);
    if (entry === undefined) return false;
    this.#consumers.get(entry.consumer)?.pending.remove(id);
    this.#notePending(entry, pendingKey(this.name, entry), -PENDING_OVERHEAD_BYTES);
    this.#host.tellGroup();
    return true;
  }

  /** Notes that all rows but the group's own are gone. */
  noteRemoval(): void {
    for (const name of this.#consumers.keys()) {
      this.#noteConsumer(name, [this.name, name], -consumerBytes(name));
    }
    for (const entry of this.#pending.values()) {
      this.#notePending(entry, pendingKey(this.name, entry), -PENDING_OVERHEAD_BYTES);
    }
  }

  /** Makes a consumer without telling of it. */
  fillConsumer(name: Bytes, seenAtMs: number, activeAtMs: number): Consumer {
    const consumer = new Consumer(name, seenAtMs, activeAtMs);
    this.#consumers.set(name, consumer);
    return consumer;
  }

  /** `setPending` without telling of it; true when the entry is new. */
  fillPending(entry: PendingEntry): boolean {
    const before = this.#pending.get(entry);
    if (before !== undefined && before.consumer !== entry.consumer) {
      this.#consumers.get(before.consumer)?.pending.remove(entry);
    }
    const consumer = this.#consumers.get(entry.consumer);
    assert(consumer !== undefined, "an entry is pending for a consumer that is there");
    consumer.pending.set(entry);
    this.#pending.set(entry);
    return before === undefined;
  }

  /** Bytes in memory, about. */
  get heldBytes(): number {
    let bytes = GROUP_OVERHEAD_BYTES + this.name.length;
    for (const name of this.#consumers.keys()) bytes += consumerBytes(name);
    return bytes + this.#pending.size * PENDING_OVERHEAD_BYTES;
  }

  /** All that is pending, ascending. */
  allPending(): Iterable<PendingEntry> {
    return this.#pending.from(ID_ZERO);
  }

  #noteConsumer(name: Bytes, row: ElementRow, heldBytes: number): void {
    this.#host.noteGroup("stream_consumer", `${this.#prefix}${name}`, row, heldBytes);
  }

  #notePending(id: StreamId, row: ElementRow, heldBytes: number): void {
    this.#host.noteGroup("stream_pending", `${this.#prefix}${idText(id)}`, row, heldBytes);
  }

  get #prefix(): string {
    return `${this.name.length}:${this.name}`;
  }
}

function consumerBytes(name: Bytes): number {
  return CONSUMER_OVERHEAD_BYTES + name.length;
}
