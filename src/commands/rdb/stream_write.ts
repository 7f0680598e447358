import type { Bytes } from "../../base/bytes.ts";
import type { Uint64 } from "../../base/uint64.ts";
import { ID_ZERO, type StreamId } from "../../storage/stream_id.ts";
import { hasNodeFields, type StreamNode } from "../../storage/stream_nodes.ts";
import type { StreamContents, StreamEntry } from "../../storage/streams.ts";
import { signed, writeListpack } from "./packed.ts";
import { bigEndian, writeLength, writeString } from "./writer.ts";

type DumpedGroup = StreamContents["groups"][number];

/** Of an entry: its fields are those that the node begins with. */
export const SAME_FIELDS = 2;

/** A stream as Redis 7.0 writes it, without what was deleted from its nodes. */
export function writeStream(contents: StreamContents): Bytes {
  const { entries, lastId, maxDeletedId, entriesAdded, groups } = contents;
  const nodes = contents.nodes.filter(({ live }) => live > 0);
  let parts = writeLength(nodes.length);
  let at = 0;
  for (const node of nodes) {
    parts += writeString(rawId(node));
    parts += writeString(writeNode(node, entries.slice(at, at + node.live)));
    at += node.live;
  }
  parts += writeLength(entries.length);
  for (const id of [lastId, entries[0] ?? ID_ZERO, maxDeletedId]) parts += writeId(id);
  parts += writeLength(entriesAdded) + writeLength(groups.length);
  for (const group of groups) parts += writeGroup(group);
  return parts;
}

function writeNode(node: StreamNode, entries: readonly StreamEntry[]): Bytes {
  const { fields } = node;
  const items: Bytes[] = [String(entries.length), "0", String(fields.length), ...fields, "0"];
  for (const entry of entries) {
    const { words } = entry;
    const isSame = hasNodeFields(node, words);
    const start = items.length;
    items.push(isSame ? String(SAME_FIELDS) : "0");
    items.push(difference(entry.ms, node.ms), difference(entry.seq, node.seq));
    if (!isSame) items.push(String(words.length / 2));
    for (const [i, word] of words.entries()) if (!isSame || i % 2 === 1) items.push(word);
    items.push(String(items.length - start));
  }
  return writeListpack(items);
}

function difference(a: Uint64, b: Uint64): Bytes {
  return String(BigInt.asIntN(64, BigInt(a) - BigInt(b)));
}

function writeGroup({ name, lastId, entriesRead, consumers, pending }: DumpedGroup): Bytes {
  const read = BigInt.asUintN(64, BigInt(entriesRead));
  let parts = writeString(name) + writeId(lastId) + writeLength(read);
  parts += writeLength(pending.length);
  for (const entry of pending) {
    parts += rawId(entry) + writeTime(entry.deliveredAtMs) + writeLength(entry.deliveries);
  }
  parts += writeLength(consumers.length);
  for (const consumer of consumers) {
    const own = pending.filter((entry) => entry.consumer === consumer.name);
    parts += writeString(consumer.name) + writeTime(consumer.seenAtMs) + writeLength(own.length);
    for (const entry of own) parts += rawId(entry);
  }
  return parts;
}

function writeId({ ms, seq }: StreamId): Bytes {
  return writeLength(ms) + writeLength(seq);
}

function rawId({ ms, seq }: StreamId): Bytes {
  return bigEndian(ms, 8) + bigEndian(seq, 8);
}

function writeTime(timeMs: number): Bytes {
  return signed(BigInt(timeMs), 8);
}
