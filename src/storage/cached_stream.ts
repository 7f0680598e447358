import type { Bytes } from "../base/bytes.ts";
import type { Int64 } from "../base/int64.ts";
import { addUint64, type Uint64 } from "../base/uint64.ts";
import {
  CachedGroup,
  GROUP_OVERHEAD_BYTES,
  type GroupHost,
  type GroupTable,
} from "./cached_group.ts";
import { Collection, type CollectionHost } from "./collection.ts";
import { TABLES_OF } from "./collections.ts";
import { bytesOf, type ElementRow, type ElementTables } from "./element_tables.ts";
import { IdMap } from "./id_map.ts";
import { compareIds, ID_ZERO, idOf, idText, type StreamId } from "./stream_id.ts";
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

/** Bytes an entry takes in memory beside its words, and each of those beside its own. */
const ENTRY_OVERHEAD_BYTES = 280;
const WORD_OVERHEAD_BYTES = 40;

const [COUNTERS, ENTRIES, NODES] = ["stream", "stream_entry", "stream_node"].map(tableAt);

/** A stream in memory. */
export class CachedStream extends Collection implements StreamOperations, GroupHost {
  readonly type = "stream";
  lastId: StreamId = ID_ZERO;
  maxDeletedId: StreamId = ID_ZERO;
  entriesAdded: Uint64 = 0;
  readonly #entries = new IdMap<StreamEntry>();
  readonly #nodes = new StreamNodes();
  readonly #groups = new Map<Bytes, CachedGroup>();

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

  *range(from: StreamId, to: StreamId, reverse = false): Iterable<StreamEntry> {
    const entries = reverse ? this.#entries.downFrom(to) : this.#entries.from(from);
    for (const entry of entries) {
      if (reverse ? compareIds(entry, from) < 0 : compareIds(entry, to) > 0) return;
      yield entry;
    }
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
    const entry = this.#entries.remove(id);
    if (entry === undefined || node === undefined) return false;
    this.#noteEntry(entry, rows.idRow(entry), -heldBytes(entry));
    this.#setNode({ ...node, live: node.live - 1, deleted: node.deleted + 1 }, node.live === 1);
    if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = idOf(id);
    this.#noteCounters();
    this.tell();
    return true;
  }

  trim(request: TrimRequest): number {
    let isChanged = false;
    const removed = trimStream(request, this.#entries, this.#nodes, (node, isGone) => {
      this.#setNode(node, isGone);
      isChanged = true;
    });
    const last = removed.at(-1);
    if (last !== undefined) {
      const held = removed.reduce((sum, entry) => sum + heldBytes(entry), 0);
      // Whatever is added later has a greater id.
      this.noteTrimmed(ENTRIES, rows.idRow(last), removed.length, -held);
    }
    // A node may go that has deleted entries only.
    if (isChanged) this.tell(removed.length === 0 ? "aside" : "set");
    return removed.length;
  }

  setCounters(counters: Partial<StreamCounters>): void {
    const isNew = this.owner === 0;
    this.lastId = counters.lastId ?? this.lastId;
    this.maxDeletedId = counters.maxDeletedId ?? this.maxDeletedId;
    this.entriesAdded = counters.entriesAdded ?? this.entriesAdded;
    this.#noteCounters();
    this.tell(isNew ? "set" : "aside");
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
      entries: [...this.#entries.values()],
      nodes: [...this.#nodes.values()],
      groups: this.#groupsByName().map((group) => ({
        name: group.name,
        lastId: group.lastId,
        entriesRead: group.entriesRead,
        consumers: group.consumers().map(({ name, seenAtMs }) => ({ name, seenAtMs })),
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
      for (const consumer of consumers) group.see(consumer.name, consumer.seenAtMs);
      for (const entry of pending) group.setPending(entry);
    }
  }

  copyTo(other: this): void {
    other.assign(this.contents());
  }

  protected fill(elements: ElementTables): void {
    const { owner } = this;
    for (const row of elements.read("stream", owner)) {
      const { lastId, maxDeletedId, entriesAdded } = rows.countersOf(row);
      this.lastId = lastId;
      this.maxDeletedId = maxDeletedId;
      this.entriesAdded = entriesAdded;
    }
    for (const row of elements.read("stream_entry", owner)) {
      const entry = rows.entryOf(row);
      this.#entries.set(entry);
      this.bytes += heldBytes(entry);
    }
    for (const row of elements.read("stream_node", owner)) this.#nodes.set(rows.nodeOf(row));
    for (const row of elements.read("stream_group", owner)) {
      const name = bytesOf(row.name);
      const lastId = rows.idOf(row.last_ms, row.last_seq);
      this.#groups.set(name, new CachedGroup(this, name, lastId, rows.wideOf(row.read)));
    }
    for (const row of elements.read("stream_consumer", owner)) {
      const { name, seenAtMs } = rows.consumerOf(row);
      this.#groups.get(bytesOf(row.group_name))?.fillConsumer(name, seenAtMs);
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

/** Bytes that an entry takes in memory, about. */
function heldBytes({ words }: StreamEntry): number {
  let bytes = ENTRY_OVERHEAD_BYTES + words.length * WORD_OVERHEAD_BYTES;
  for (const word of words) bytes += word.length;
  return bytes;
}
