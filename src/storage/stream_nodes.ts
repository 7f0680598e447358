import type { Bytes } from "../base/bytes.ts";
import { toInt64 } from "../base/int64.ts";
import type { Uint64 } from "../base/uint64.ts";
import { IdMap } from "./id_map.ts";
import { LISTPACK_EMPTY_BYTES, listpackBytes, listpackIntegerBytes } from "./listpack_size.ts";
import { idOf, type StreamId } from "./stream_id.ts";

/** When Redis begins another node: at so many entries or bytes; 0: never for that. */
export interface NodeLimits {
  readonly entries: number;
  readonly bytes: number;
}

/** Redis keeps less in one node whatever it is told. */
const NODE_BYTES_MAX = 1 << 30;

/**
 * A node as Redis has it: entries that follow each other, those that were deleted since included.
 * Its id is that of its first entry.
 */
export interface StreamNode extends StreamId {
  /** The names of that entry's fields, which entries with the same ones share. */
  readonly fields: readonly Bytes[];
  readonly live: number;
  readonly deleted: number;
  /** Of its listpack, without the counts of entries. */
  readonly bytes: number;
  /** Of its last entry, be it deleted. */
  readonly lastId: StreamId;
}

/**
 * The nodes that Redis would keep a stream in. What trimming with `~` removes is whole nodes, so
 * they are a part of the state.
 */
export class StreamNodes {
  readonly #nodes = new IdMap<StreamNode>();
  /** Of the radix tree, until nodes come or go. */
  #radixNodes: number | undefined;

  get size(): number {
    return this.#nodes.size;
  }

  get first(): StreamNode | undefined {
    return this.#nodes.first;
  }

  get last(): StreamNode | undefined {
    return this.#nodes.last;
  }

  values(): Iterable<StreamNode> {
    return this.#nodes.values();
  }

  /** The node that holds an entry, or would. */
  of(id: StreamId): StreamNode | undefined {
    return this.#nodes.floor(id);
  }

  set(node: StreamNode): void {
    const before = this.#nodes.size;
    this.#nodes.set(node);
    if (this.#nodes.size !== before) this.#radixNodes = undefined;
  }

  remove(node: StreamNode): void {
    this.#nodes.remove(node);
    this.#radixNodes = undefined;
  }

  /** Counts a new last entry, whose fields and values alternate; returns its node as it is now. */
  append(id: StreamId, words: readonly Bytes[], limits: NodeLimits): StreamNode {
    const last = this.#nodes.last;
    const isFull = last === undefined || isNodeFull(last, words, limits);
    const node = isFull ? emptyNode(id, words) : last;
    const bytes = node.bytes + entryBytes(node, id, words);
    const { ms, seq, fields, live, deleted } = node;
    const grown = { ms, seq, fields, live: live + 1, deleted, bytes, lastId: idOf(id) };
    this.set(grown);
    return grown;
  }

  /** How many nodes the radix tree of Redis has: it joins what does not branch. */
  get radixNodes(): number {
    this.#radixNodes ??= countRadixNodes(Array.from(this.#nodes.values(), radixKey));
    return this.#radixNodes;
  }
}

/** Bytes of a node's listpack. */
export function nodeBytes({ live, deleted, bytes }: StreamNode): number {
  const counts = listpackIntegerBytes(live) + listpackIntegerBytes(deleted);
  return LISTPACK_EMPTY_BYTES + counts + bytes;
}

function isNodeFull(node: StreamNode, words: readonly Bytes[], limits: NodeLimits): boolean {
  let added = 0;
  for (const word of words) added += word.length;
  const bytesMax = limits.bytes === 0 ? NODE_BYTES_MAX : Math.min(limits.bytes, NODE_BYTES_MAX);
  if (nodeBytes(node) + added >= bytesMax) return true;
  return limits.entries !== 0 && node.live + node.deleted >= limits.entries;
}

function emptyNode(id: StreamId, words: readonly Bytes[]): StreamNode {
  const fields = words.filter((_, at) => at % 2 === 0);
  // Of the count of fields, the fields, and the zero that ends them.
  let bytes = listpackIntegerBytes(fields.length) + listpackIntegerBytes(0);
  for (const field of fields) bytes += listpackBytes(field);
  const { ms, seq } = id;
  return { ms, seq, fields, live: 0, deleted: 0, bytes, lastId: idOf(id) };
}

/** Whether an entry has the fields that its node begins with. */
export function hasNodeFields(node: StreamNode, words: readonly Bytes[]): boolean {
  const { fields } = node;
  return words.length === fields.length * 2 && fields.every((field, i) => words[i * 2] === field);
}

/** Bytes of an entry within the listpack of a node. */
function entryBytes(node: StreamNode, id: StreamId, words: readonly Bytes[]): number {
  const isSame = hasNodeFields(node, words);
  const count = words.length / 2;
  // Flags, both parts of the id and, at its end, the number of elements.
  let bytes = listpackIntegerBytes(0) + differenceBytes(id.ms, node.ms) +
    differenceBytes(id.seq, node.seq) +
    listpackIntegerBytes(isSame ? count + 3 : count * 2 + 4);
  if (!isSame) bytes += listpackIntegerBytes(count);
  for (let i = isSame ? 1 : 0; i < words.length; i += isSame ? 2 : 1) {
    bytes += listpackBytes(words[i]);
  }
  return bytes;
}

function differenceBytes(a: Uint64, b: Uint64): number {
  if (typeof a === "number" && typeof b === "number") return listpackIntegerBytes(a - b);
  const difference = BigInt.asIntN(64, BigInt(a) - BigInt(b));
  return listpackIntegerBytes(toInt64(difference) ?? 0);
}

/** The 16 bytes that Redis has in place of an id, as hexadecimal digits. */
function radixKey({ ms, seq }: StreamId): string {
  return hexOf(ms) + hexOf(seq);
}

function hexOf(value: Uint64): string {
  return value.toString(16).padStart(16, "0");
}

/** Nodes of a radix tree of these keys, ascending, all of one length: two digits are a byte. */
function countRadixNodes(keys: readonly string[]): number {
  if (keys.length === 0) return 1;
  return countBranch(keys, 0, keys.length, 0);
}

/** Those for keys [from, to), which agree in their first `depth` bytes. */
function countBranch(
  keys: readonly string[],
  from: number,
  to: number,
  depth: number,
): number {
  const bytes = keys[from].length / 2;
  if (to - from === 1) return depth === bytes ? 1 : 2;
  const [first, last] = [keys[from], keys[to - 1]];
  let same = depth;
  while (first.slice(same * 2, same * 2 + 2) === last.slice(same * 2, same * 2 + 2)) same++;
  let count = same > depth ? 2 : 1;
  for (let start = from; start < to;) {
    const digits = keys[start].slice(same * 2, same * 2 + 2);
    let end = start + 1;
    while (end < to && keys[end].slice(same * 2, same * 2 + 2) === digits) end++;
    count += countBranch(keys, start, end, same + 1);
    start = end;
  }
  return count;
}
