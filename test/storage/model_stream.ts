import type { Bytes } from "../../src/base/bytes.ts";
import type { Int64 } from "../../src/base/int64.ts";
import { addUint64, type Uint64 } from "../../src/base/uint64.ts";
import { listpackBytes, listpackIntegerBytes } from "../../src/storage/listpack_size.ts";
import { compareIds, ID_ZERO, idOf, type StreamId } from "../../src/storage/stream_id.ts";
import type { NodeLimits, StreamNode } from "../../src/storage/stream_nodes.ts";
import type {
  PendingEntry,
  StreamConsumer,
  StreamContents,
  StreamCounters,
  StreamEntry,
  StreamGroup,
  StreamOperations,
  TrimRequest,
} from "../../src/storage/streams.ts";
import { ModelCollection } from "./model_collection.ts";

/** A node that keeps what was deleted, as Redis does. */
interface ModelNode {
  readonly id: StreamId;
  readonly fields: readonly Bytes[];
  readonly items: { readonly entry: StreamEntry; isDeleted: boolean }[];
  /** Deleted entries that a dump told of, without what was in them. */
  readonly unknown: Pick<StreamNode, "deleted" | "bytes" | "lastId">;
}

/** A stream as Redis's nodes, walked from the start for each question. */
export class ModelStream extends ModelCollection implements StreamOperations {
  readonly type = "stream";
  lastId: StreamId = ID_ZERO;
  maxDeletedId: StreamId = ID_ZERO;
  entriesAdded: Uint64 = 0;
  #nodes: ModelNode[] = [];
  #groups: ModelGroup[] = [];
  #isMade = false;

  get count(): number {
    return this.length;
  }

  override get isGone(): boolean {
    return false;
  }

  get #entries(): StreamEntry[] {
    return this.#nodes.flatMap(({ items }) =>
      items.filter(({ isDeleted }) => !isDeleted).map(({ entry }) => entry)
    );
  }

  get length(): number {
    return this.#entries.length;
  }

  get first(): StreamEntry | undefined {
    return this.#entries[0];
  }

  get last(): StreamEntry | undefined {
    return this.#entries.at(-1);
  }

  has(id: StreamId): boolean {
    return this.#entries.some((entry) => compareIds(entry, id) === 0);
  }

  range(from: StreamId, to: StreamId, reverse = false): Iterable<StreamEntry> {
    const found = this.#entries.filter((entry) =>
      compareIds(entry, from) >= 0 && compareIds(entry, to) <= 0
    );
    return reverse ? found.reverse() : found;
  }

  append(entry: StreamEntry, limits: NodeLimits): void {
    const last = this.#nodes.at(-1);
    const added = entry.words.reduce((sum, { length }) => sum + length, 0);
    const isFull = last === undefined || bytesOf(last) + added >= limits.bytes ||
      last.items.length + last.unknown.deleted >= limits.entries;
    if (isFull) {
      const fields = entry.words.filter((_, at) => at % 2 === 0);
      const unknown = { deleted: 0, bytes: 0, lastId: ID_ZERO };
      this.#nodes.push({ id: idOf(entry), fields, items: [], unknown });
    }
    this.#nodes.at(-1)?.items.push({ entry, isDeleted: false });
    this.lastId = idOf(entry);
    this.entriesAdded = addUint64(this.entriesAdded, 1);
    this.#isMade = true;
    this.changed();
  }

  remove(id: StreamId): boolean {
    for (const [at, { items }] of this.#nodes.entries()) {
      const found = items.find(({ entry, isDeleted }) => !isDeleted && compareIds(entry, id) === 0);
      if (found === undefined) continue;
      found.isDeleted = true;
      if (items.every(({ isDeleted }) => isDeleted)) this.#nodes.splice(at, 1);
      if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = idOf(id);
      this.changed();
      return true;
    }
    return false;
  }

  trim(request: TrimRequest): number {
    const isShort = () => "lengthMax" in request && this.length <= request.lengthMax;
    let count = 0;
    while (this.#nodes.length > 0 && !isShort()) {
      const [node] = this.#nodes;
      const { items } = node;
      const live = items.filter(({ isDeleted }) => !isDeleted);
      if (request.limit > 0 && count + live.length > request.limit) break;
      const isOld = (id: StreamId) => "minId" in request && compareIds(id, request.minId) < 0;
      const isWhole = "lengthMax" in request
        ? this.length - live.length >= request.lengthMax
        : isOld(nodeOf(node).lastId);
      if (isWhole) {
        this.#nodes.shift();
        count += live.length;
        continue;
      }
      if (request.isApproximate) break;
      for (const item of live) {
        if ("lengthMax" in request ? isShort() : !isOld(item.entry)) break;
        item.isDeleted = true;
        count += 1;
      }
      break;
    }
    if (count > 0) this.changed();
    return count;
  }

  setCounters(counters: Partial<StreamCounters>): void {
    this.lastId = counters.lastId ?? this.lastId;
    this.maxDeletedId = counters.maxDeletedId ?? this.maxDeletedId;
    this.entriesAdded = counters.entriesAdded ?? this.entriesAdded;
    this.#isMade = true;
    this.changed();
  }

  get nodeCount(): number {
    return this.#nodes.length;
  }

  get radixNodeCount(): number {
    const hex = (part: Uint64) => part.toString(16).padStart(16, "0");
    const keys = this.#nodes.map(({ id: { ms, seq } }) => (hex(ms) + hex(seq)).match(/../g) ?? []);
    return keys.length === 0 ? 1 : radixNodes(keys);
  }

  groups(): readonly StreamGroup[] {
    return this.#groups.sort((a, b) => a.name < b.name ? -1 : 1);
  }

  group(name: Bytes): StreamGroup | undefined {
    return this.#groups.find((group) => group.name === name);
  }

  addGroup(name: Bytes, lastId: StreamId, entriesRead: Int64): void {
    this.#groups.push(new ModelGroup(name, lastId, entriesRead));
  }

  removeGroup(name: Bytes): boolean {
    const at = this.#groups.findIndex((group) => group.name === name);
    if (at >= 0) this.#groups.splice(at, 1);
    return at >= 0;
  }

  contents(): StreamContents {
    const { lastId, maxDeletedId, entriesAdded } = this;
    return {
      lastId,
      maxDeletedId,
      entriesAdded,
      entries: this.#entries,
      nodes: this.#nodes.map(nodeOf),
      groups: this.groups().map((group) => ({
        name: group.name,
        lastId: group.lastId,
        entriesRead: group.entriesRead,
        consumers: group.consumers().map(({ pendingCount: _, ...consumer }) => consumer),
        pending: [...group.pendingFrom(ID_ZERO)],
      })),
    };
  }

  assign(contents: StreamContents): void {
    this.setCounters(contents);
    const entries = [...contents.entries];
    this.#nodes = contents.nodes.map(({ ms, seq, fields, live, deleted, bytes, lastId }) => {
      const items = entries.splice(0, live).map((entry) => ({ entry, isDeleted: false }));
      const node = { id: { ms, seq }, fields, items };
      const known = nodeOf({ ...node, unknown: { deleted: 0, bytes: 0, lastId } }).bytes;
      return { ...node, unknown: { deleted, bytes: bytes - known, lastId } };
    });
    this.changed();
    for (const { name, lastId, entriesRead, consumers, pending } of contents.groups) {
      this.addGroup(name, lastId, entriesRead);
      const group = this.group(name);
      for (const { name, seenAtMs, activeAtMs } of consumers) {
        group?.see(name, seenAtMs, activeAtMs);
      }
      for (const entry of pending) group?.setPending(entry);
    }
  }

  clone(): ModelStream {
    const clone = new ModelStream();
    if (!this.#isMade) return clone;
    clone.lastId = this.lastId;
    clone.maxDeletedId = this.maxDeletedId;
    clone.entriesAdded = this.entriesAdded;
    clone.#isMade = true;
    clone.#nodes = this.#nodes.map((node) => ({
      ...node,
      items: node.items.map((item) => ({ ...item })),
    }));
    clone.#groups = this.#groups.map((group) => group.clone());
    return clone;
  }
}

function bytesOf(node: ModelNode): number {
  const { live, deleted, bytes } = nodeOf(node);
  return 7 + listpackIntegerBytes(live) + listpackIntegerBytes(deleted) + bytes;
}

/** Counts the listpack of a node as a whole. */
function nodeOf({ id: { ms, seq }, fields, items, unknown }: ModelNode): StreamNode {
  const live = items.filter(({ isDeleted }) => !isDeleted).length;
  let bytes = unknown.bytes + listpackIntegerBytes(fields.length) + 2;
  for (const field of fields) bytes += listpackBytes(field);
  for (const { entry: { words, ...id } } of items) {
    const isSame = words.length === fields.length * 2 &&
      fields.every((field, i) => field === words[i * 2]);
    const elements = isSame ? words.filter((_, at) => at % 2 === 1) : [...words];
    const differences = [BigInt(id.ms) - BigInt(ms), BigInt(id.seq) - BigInt(seq)];
    for (const difference of differences) elements.push(String(BigInt.asIntN(64, difference)));
    if (!isSame) elements.push(String(words.length / 2));
    elements.push("0");
    elements.push(String(elements.length));
    for (const element of elements) bytes += listpackBytes(element);
  }
  const last = items.at(-1)?.entry ?? ID_ZERO;
  const lastId = idOf(compareIds(last, unknown.lastId) > 0 ? last : unknown.lastId);
  const deleted = unknown.deleted + items.length - live;
  return { ms, seq, fields, live, deleted, bytes, lastId };
}

/** Nodes of a radix tree of keys, all of one length: a chain of bytes is one. */
function radixNodes(keys: readonly (readonly string[])[]): number {
  let rest = keys;
  let isChain = false;
  while (rest[0].length > 0 && rest.every(([first]) => first === rest[0][0])) {
    rest = rest.map((key) => key.slice(1));
    isChain = true;
  }
  const chain = isChain ? 1 : 0;
  if (rest[0].length === 0) return chain + 1;
  const firsts = [...new Set(rest.map(([first]) => first))];
  const below = firsts.map((first) =>
    radixNodes(rest.filter((key) => key[0] === first).map((key) => key.slice(1)))
  );
  return chain + 1 + below.reduce((sum, count) => sum + count, 0);
}

/** A group as arrays. It tells nobody of changes: they are none of the key's record. */
class ModelGroup implements StreamGroup {
  readonly name: Bytes;
  lastId: StreamId;
  entriesRead: Int64;
  #seen = new Map<Bytes, { readonly seenAtMs: number; readonly activeAtMs: number }>();
  #pending: PendingEntry[] = [];

  constructor(name: Bytes, lastId: StreamId, entriesRead: Int64) {
    this.name = name;
    this.lastId = lastId;
    this.entriesRead = entriesRead;
  }

  setPosition(lastId: StreamId, entriesRead: Int64): void {
    this.lastId = lastId;
    this.entriesRead = entriesRead;
  }

  consumers(): readonly StreamConsumer[] {
    return [...this.#seen.keys()].sort().map((name) => this.consumer(name) as StreamConsumer);
  }

  consumer(name: Bytes): StreamConsumer | undefined {
    const times = this.#seen.get(name);
    if (times === undefined) return undefined;
    return { name, ...times, pendingCount: [...this.pendingFrom(ID_ZERO, name)].length };
  }

  see(
    consumer: Bytes,
    seenAtMs: number,
    activeAtMs = this.#seen.get(consumer)?.activeAtMs ?? -1,
  ): boolean {
    const isNew = !this.#seen.has(consumer);
    this.#seen.set(consumer, { seenAtMs, activeAtMs });
    return isNew;
  }

  removeConsumer(name: Bytes): number {
    const before = this.#pending.length;
    this.#seen.delete(name);
    this.#pending = this.#pending.filter(({ consumer }) => consumer !== name);
    return before - this.#pending.length;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  get firstPending(): StreamId | undefined {
    return this.#pending[0];
  }

  get lastPending(): StreamId | undefined {
    return this.#pending.at(-1);
  }

  pending(id: StreamId): PendingEntry | undefined {
    return this.#pending.find((entry) => compareIds(entry, id) === 0);
  }

  pendingFrom(id: StreamId, consumer?: Bytes): Iterable<PendingEntry> {
    return this.#pending.filter((entry) =>
      compareIds(entry, id) >= 0 && (consumer === undefined || entry.consumer === consumer)
    );
  }

  setPending(entry: PendingEntry): void {
    this.acknowledge(entry);
    this.#pending = [...this.#pending, entry].sort(compareIds);
  }

  acknowledge(id: StreamId): boolean {
    const before = this.#pending.length;
    this.#pending = this.#pending.filter((entry) => compareIds(entry, id) !== 0);
    return this.#pending.length < before;
  }

  clone(): ModelGroup {
    const clone = new ModelGroup(this.name, this.lastId, this.entriesRead);
    clone.#seen = new Map(this.#seen);
    clone.#pending = [...this.#pending];
    return clone;
  }
}
