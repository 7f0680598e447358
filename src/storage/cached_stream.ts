import type { Bytes } from "../base/bytes.ts";
import type { Int64 } from "../base/int64.ts";
import { addUint64, type Uint64 } from "../base/uint64.ts";
import {
  CachedGroup,
  GROUP_OVERHEAD_BYTES,
  type GroupHost,
  type GroupTable,
} from "./cached_group.ts";
import { Collection, type CollectionChanges, type CollectionHost } from "./collection.ts";
import { TABLES_OF } from "./collections.ts";
import { bytesOf, type ElementRow, type ElementTables, type RowSlice } from "./element_tables.ts";
import { heldBytes, StreamEntries } from "./stream_entries.ts";
import { compareIds, ID_MAX, ID_ZERO, idOf, idText, lesser, type StreamId } from "./stream_id.ts";
import { type NodeLimits, type StreamNode, StreamNodes } from "./stream_nodes.ts";
import * as rows from "./stream_rows.ts";
import { trimStream } from "./stream_trim.ts";
import type {
  StreamContents,
  StreamCounters,
  StreamEntry,
  StreamGroup,
  StreamOperations,
  TrimRequest,
} from "./streams.ts";

/** Entries that are left to SQL at a time. */
const SHED_ENTRIES = 16_384;
/** One that was left to SQL as far as it went is, again, when it has grown by so much. */
const SHED_BYTES_MIN = 256 * 1024;

const [COUNTERS, ENTRIES, NODES] = ["stream", "stream_entry", "stream_node"].map(tableAt);

/** A stream in memory. Entries of a large one that SQL has stay there; all else is read. */
export class CachedStream extends Collection implements StreamOperations, GroupHost {
  readonly type = "stream";
  lastId: StreamId = ID_ZERO;
  maxDeletedId: StreamId = ID_ZERO;
  entriesAdded: Uint64 = 0;
  readonly #entries = new StreamEntries({
    read: (from, to, slice) => this.#read(from, to, slice),
    changes: () => this.overlays(ENTRIES),
  });
  readonly #nodes = new StreamNodes();
  readonly #groups = new Map<Bytes, CachedGroup>();
  /** Entries up to here are in SQL, and will be when the running flush commits. */
  #settledTo: StreamId = ID_ZERO;
  #frozenTo: StreamId = ID_ZERO;
  /** Memory from which on `shed` looks whether there is something to leave to SQL. */
  #shedAbove = 0;

  constructor(host: CollectionHost) {
    super(host, "stream");
  }

  get length(): number {
    return this.#entries.size;
  }

  protected get loadedSize(): number {
    return this.#entries.size;
  }

  /** Only a command that deletes keys deletes a stream. */
  override get isGone(): boolean {
    return false;
  }

  get first(): StreamEntry | undefined {
    return this.#entries.first;
  }

  get last(): StreamEntry | undefined {
    return this.#entries.last;
  }

  has(id: StreamId): boolean {
    return this.#entries.get(id) !== undefined;
  }

  range(from: StreamId, to: StreamId, reverse = false): Iterable<StreamEntry> {
    return this.#entries.range(from, to, reverse);
  }

  append(entry: StreamEntry, limits: NodeLimits): void {
    this.#entries.set(entry);
    this.lastId = idOf(entry);
    this.entriesAdded = addUint64(this.entriesAdded, 1);
    this.#noteEntry(entry, rows.entryRow(entry), heldBytes(entry));
    this.#noteNode(this.#nodes.append(entry, entry.words, limits));
    this.#noteCounters();
    this.tell();
  }

  remove(id: StreamId): boolean {
    const node = this.#nodes.of(id);
    const held = this.#entries.remove(id);
    if (held === undefined || node === undefined) return false;
    this.#noteEntry(id, rows.idRow(id), -held);
    this.#setNode({ ...node, live: node.live - 1, deleted: node.deleted + 1 }, node.live === 1);
    if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = idOf(id);
    this.#noteCounters();
    this.tell();
    return true;
  }

  trim(request: TrimRequest): number {
    let isChanged = false;
    const changed = (node: StreamNode, isGone: boolean) => {
      this.#setNode(node, isGone);
      isChanged = true;
    };
    const { count, upTo, heldBytes } = trimStream(request, this.#entries, this.#nodes, changed);
    // Whatever is added later has a greater id, or `#lower` is called before.
    if (upTo !== undefined) this.noteTrimmed(ENTRIES, rows.idRow(upTo), count, -heldBytes);
    // A node may go that has deleted entries only.
    if (isChanged) this.tell(count === 0 ? "aside" : "set");
    return count;
  }

  setCounters(counters: Partial<StreamCounters>): void {
    const isNew = this.owner === 0;
    if (compareIds(counters.lastId ?? ID_MAX, this.lastId) < 0) this.#lower(counters.lastId!);
    this.lastId = counters.lastId ?? this.lastId;
    this.maxDeletedId = counters.maxDeletedId ?? this.maxDeletedId;
    this.entriesAdded = counters.entriesAdded ?? this.entriesAdded;
    this.#noteCounters();
    this.tell(isNew ? "set" : "aside");
  }

  /** Entries to come may have ids that were passed before. */
  #lower(lastId: StreamId): void {
    if (this.length === 0) this.noteCleared(ENTRIES, rows.idRow(ID_MAX));
    this.#entries.lower(lastId);
    this.#settledTo = lesser(this.#settledTo, lastId);
    this.#frozenTo = lesser(this.#frozenTo, lastId);
    const node = this.#nodes.last;
    // Its last entries were deleted.
    if (node !== undefined && compareIds(lastId, node.lastId) < 0) {
      this.#setNode({ ...node, lastId: idOf(lastId) }, false);
    }
  }

  get nodeCount(): number {
    return this.#nodes.size;
  }

  get radixNodeCount(): number {
    return this.#nodes.radixNodes;
  }

  groups(): readonly StreamGroup[] {
    return this.#groupsByName();
  }

  #groupsByName(): readonly CachedGroup[] {
    return [...this.#groups.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  group(name: Bytes): StreamGroup | undefined {
    return this.#groups.get(name);
  }

  addGroup(name: Bytes, lastId: StreamId, entriesRead: Int64): void {
    const group = new CachedGroup(this, name, lastId, entriesRead);
    this.#groups.set(name, group);
    group.noteAll(GROUP_OVERHEAD_BYTES + name.length);
    this.tellGroup();
  }

  removeGroup(name: Bytes): boolean {
    const group = this.#groups.get(name);
    if (group === undefined) return false;
    this.#groups.delete(name);
    group.noteRemoval();
    this.noteGroup("stream_group", name, [name], -GROUP_OVERHEAD_BYTES - name.length);
    this.tell("wake");
    return true;
  }

  noteGroup(table: GroupTable, id: string, row: ElementRow, held: number): void {
    this.note(tableAt(table), id, row, held);
  }

  tellGroup(): void {
    this.tell("aside");
  }

  contents(): StreamContents {
    const { lastId, maxDeletedId, entriesAdded } = this;
    return {
      lastId,
      maxDeletedId,
      entriesAdded,
      entries: [...this.#entries.range(ID_ZERO, ID_MAX)],
      nodes: [...this.#nodes.values()],
      groups: this.#groupsByName().map((group) => ({
        name: group.name,
        lastId: group.lastId,
        entriesRead: group.entriesRead,
        consumers: group.consumers().map(({ name, seenAtMs, activeAtMs }) => {
          return { name, seenAtMs, activeAtMs };
        }),
        pending: [...group.allPending()],
      })),
    };
  }

  assign(contents: StreamContents): void {
    this.setCounters(contents);
    for (const entry of contents.entries) {
      this.#entries.set(entry);
      this.#noteEntry(entry, rows.entryRow(entry), heldBytes(entry));
    }
    for (const node of contents.nodes) this.#setNode(node, false);
    this.tell();
    for (const { name, lastId, entriesRead, consumers, pending } of contents.groups) {
      this.addGroup(name, lastId, entriesRead);
      const group = this.#groups.get(name) as CachedGroup;
      for (const { name, seenAtMs, activeAtMs } of consumers) {
        group.see(name, seenAtMs, activeAtMs);
      }
      for (const entry of pending) group.setPending(entry);
    }
  }

  copyTo(other: this): void {
    other.assign(this.contents());
  }

  override prepare(elementsMax: number): void {
    if (this.isLoaded || this.elementCount <= elementsMax) return super.prepare(elementsMax);
    const count = this.elementCount;
    const before = this.bytes;
    this.isLoaded = true;
    this.#fillRest(this.host.elements);
    this.#entries.stand(count, this.lastId);
    this.keyspace?.hold(this.bytes - before);
  }

  override shed(elementsMax: number): boolean {
    if (!this.isLoaded || !this.hasRows || this.length <= elementsMax) return false;
    if (this.bytes < this.#shedAbove) return false;
    const held = this.#entries.shed(this.#settledTo, SHED_ENTRIES);
    this.bytes -= held;
    this.keyspace?.hold(-held);
    if (held === 0) this.#shedAbove = this.bytes + SHED_BYTES_MIN;
    return held > 0;
  }

  override get isSparse(): boolean {
    return this.#entries.isPartial;
  }

  override takeChanges(): CollectionChanges {
    this.#frozenTo = this.lastId;
    return super.takeChanges();
  }

  override settled(): void {
    super.settled();
    this.#settledTo = this.#frozenTo;
    this.#shedAbove = 0;
  }

  #read(from: StreamId, to: StreamId, slice: RowSlice): StreamEntry[] {
    const [first, last] = [rows.idRow(from), rows.idRow(to)];
    return this.host.elements.slice("stream_entry", this.owner, first, last, slice)
      .map(rows.entryOf);
  }

  protected fill(elements: ElementTables): void {
    this.#fillRest(elements);
    for (const row of elements.read("stream_entry", this.owner)) {
      const entry = rows.entryOf(row);
      this.#entries.set(entry);
      this.bytes += heldBytes(entry);
    }
  }

  /** Reads all but the entries. */
  #fillRest(elements: ElementTables): void {
    const { owner } = this;
    for (const row of elements.read("stream", owner)) {
      const { lastId, maxDeletedId, entriesAdded } = rows.countersOf(row);
      this.lastId = lastId;
      this.maxDeletedId = maxDeletedId;
      this.entriesAdded = entriesAdded;
    }
    this.#settledTo = this.#frozenTo = this.lastId;
    for (const row of elements.read("stream_node", owner)) this.#nodes.set(rows.nodeOf(row));
    for (const row of elements.read("stream_group", owner)) {
      const name = bytesOf(row.name);
      const lastId = rows.idOf(row.last_ms, row.last_seq);
      this.#groups.set(name, new CachedGroup(this, name, lastId, rows.wideOf(row.read)));
    }
    for (const row of elements.read("stream_consumer", owner)) {
      const { name, seenAtMs, activeAtMs } = rows.consumerOf(row);
      this.#groups.get(bytesOf(row.group_name))?.fillConsumer(name, seenAtMs, activeAtMs);
    }
    for (const row of elements.read("stream_pending", owner)) {
      this.#groups.get(bytesOf(row.group_name))?.fillPending(rows.pendingOf(row));
    }
    for (const group of this.#groups.values()) this.bytes += group.heldBytes;
  }

  #noteEntry(id: StreamId, row: ElementRow, held: number): void {
    this.note(ENTRIES, idText(id), row, held);
  }

  #noteNode(node: StreamNode, isGone = false): void {
    this.note(NODES, idText(node), isGone ? rows.idRow(node) : rows.nodeRow(node), 0);
  }

  #noteCounters(): void {
    this.note(COUNTERS, 0, rows.countersRow(this), 0);
  }

  #setNode(node: StreamNode, isGone: boolean): void {
    if (isGone) this.#nodes.remove(node);
    else this.#nodes.set(node);
    this.#noteNode(node, isGone);
  }
}

/** Where a table stands among those of a stream. */
function tableAt(name: string): number {
  return TABLES_OF.stream.findIndex((table) => table === name);
}
