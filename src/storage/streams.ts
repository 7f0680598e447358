import type { Bytes } from "../base/bytes.ts";
import type { Int64 } from "../base/int64.ts";
import type { Uint64 } from "../base/uint64.ts";
import type { StreamId } from "./stream_id.ts";
import type { NodeLimits, StreamNode } from "./stream_nodes.ts";

/** An entry: fields and values alternate. */
export interface StreamEntry extends StreamId {
  readonly words: readonly Bytes[];
}

/** What a stream knows beside its entries. */
export interface StreamCounters {
  /** The greatest id that an entry has had, or XSETID has set. */
  readonly lastId: StreamId;
  /** The greatest one that XDEL has deleted. */
  readonly maxDeletedId: StreamId;
  /** Entries that were ever added. */
  readonly entriesAdded: Uint64;
}

/** How a group's `entriesRead` says that nobody knows. */
export const READ_UNKNOWN = -1;

/** An entry that was delivered to a consumer and not acknowledged. */
export interface PendingEntry extends StreamId {
  readonly consumer: Bytes;
  /** Unix time in milliseconds of the last delivery, and how many there were. */
  readonly deliveredAtMs: number;
  readonly deliveries: Uint64;
}

/** A consumer was never given an entry. */
export const NEVER_ACTIVE = -1;

export interface StreamConsumer {
  readonly name: Bytes;
  /** Unix time in milliseconds of its last use, and of the last that gave it an entry. */
  readonly seenAtMs: number;
  readonly activeAtMs: number | typeof NEVER_ACTIVE;
  readonly pendingCount: number;
}

/** A consumer group. Pending entries may be ones that are deleted from the stream. */
export interface StreamGroup {
  readonly name: Bytes;
  /** What was delivered last. */
  readonly lastId: StreamId;
  /** How many entries were read up to there, or READ_UNKNOWN. */
  readonly entriesRead: Int64;
  setPosition(lastId: StreamId, entriesRead: Int64): void;

  /** All, by name. */
  consumers(): readonly StreamConsumer[];
  consumer(name: Bytes): StreamConsumer | undefined;
  /**
   * Dates the consumer's last use, and (`activeAtMs`) the last that gave it an entry; makes it when
   * it is new, and then is true.
   */
  see(consumer: Bytes, seenAtMs: number, activeAtMs?: number): boolean;
  /** Removes a consumer with what is pending for it: the number of those entries. */
  removeConsumer(name: Bytes): number;

  readonly pendingCount: number;
  readonly firstPending: StreamId | undefined;
  readonly lastPending: StreamId | undefined;
  pending(id: StreamId): PendingEntry | undefined;
  /** From `id` on, ascending; of one consumer, if it is given. Nothing may be changed meanwhile. */
  pendingFrom(id: StreamId, consumer?: Bytes): Iterable<PendingEntry>;
  /** Makes an entry pending, or changes how it is. The consumer is there. */
  setPending(entry: PendingEntry): void;
  /** Takes an entry out of what is pending; false when it was not. */
  acknowledge(id: StreamId): boolean;
}

/** What a trim leaves: at most so many entries, or those from an id on. */
export type TrimRequest =
  & { readonly isApproximate: boolean; readonly limit: number }
  & ({ readonly lengthMax: number } | { readonly minId: StreamId });

/** All that a stream is, apart from its key. */
export interface StreamContents extends StreamCounters {
  /** Ascending. */
  readonly entries: readonly StreamEntry[];
  readonly nodes: readonly StreamNode[];
  readonly groups: readonly {
    readonly name: Bytes;
    readonly lastId: StreamId;
    readonly entriesRead: Int64;
    readonly consumers: readonly Omit<StreamConsumer, "pendingCount">[];
    readonly pending: readonly PendingEntry[];
  }[];
}

/**
 * A stream: entries by id. Its key comes into being with the first change, and stays when no entry
 * is left.
 */
export interface StreamOperations extends StreamCounters {
  readonly length: number;
  readonly first: StreamEntry | undefined;
  readonly last: StreamEntry | undefined;
  has(id: StreamId): boolean;
  /** Entries from the first id up to the second, or (`reverse`) back from that. */
  range(from: StreamId, to: StreamId, reverse?: boolean): Iterable<StreamEntry>;
  /** Adds an entry behind all others: its id is greater than `lastId`. */
  append(entry: StreamEntry, limits: NodeLimits): void;
  /** Deletes an entry; false when it is absent. */
  remove(id: StreamId): boolean;
  /**
   * Deletes the oldest entries, in Redis's way: approximately means whole nodes, and no more
   * entries than `limit` (0: any number). Returns how many.
   */
  trim(request: TrimRequest): number;
  /** Sets counters; of a stream that is not there it makes an empty one. */
  setCounters(counters: Partial<StreamCounters>): void;

  /** How many nodes, and how many of their radix tree, Redis keeps it in. */
  readonly nodeCount: number;
  readonly radixNodeCount: number;

  /** All, by name. */
  groups(): readonly StreamGroup[];
  group(name: Bytes): StreamGroup | undefined;
  /** Makes a group that is not there. */
  addGroup(name: Bytes, lastId: StreamId, entriesRead: Int64): void;
  /** False when it is absent. */
  removeGroup(name: Bytes): boolean;

  /** All of it. */
  contents(): StreamContents;
  /** Fills an empty one. */
  assign(contents: StreamContents): void;
}
