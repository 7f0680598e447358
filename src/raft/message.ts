import { decodeConfiguration, encodeConfiguration } from "./membership.ts";
import type { AppendRequest, Entry, EntryKind, Message, SnapshotMeta } from "./types.ts";
import { ByteReader, ByteWriter, DecodeError } from "./wire.ts";

/** The place in the list is the byte on the wire: add at the end only. */
const MESSAGE_TYPES = [
  "append",
  "append_response",
  "vote",
  "vote_response",
  "heartbeat",
  "heartbeat_response",
  "install_snapshot",
  "install_snapshot_response",
  "timeout_now",
] as const;

const ENTRY_KINDS: readonly EntryKind[] = ["normal", "noop", "configuration"];

/** What one entry takes at least: kind, term and length. */
const ENTRY_BYTES_MIN = 3;
/** Enough for all but an entry's data. */
const HEADER_BYTES = 96;
const ENTRY_HEADER_BYTES = 16;

interface Header {
  readonly from: number;
  readonly to: number;
  readonly term: number;
}

/** The bytes of a message for the peer transport; `local` of entries stays here. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter(expectedBytes(message));
  writer.byte(MESSAGE_TYPES.indexOf(message.type));
  writer.uint(message.from);
  writer.uint(message.to);
  writer.uint(message.term);
  encodeBody(writer, message);
  return writer.finish();
}

function expectedBytes(message: Message): number {
  if (message.type !== "append") return HEADER_BYTES;
  let bytes = HEADER_BYTES;
  for (const entry of message.entries) bytes += ENTRY_HEADER_BYTES + entry.data.length;
  return bytes;
}

function encodeBody(writer: ByteWriter, message: Message): void {
  switch (message.type) {
    case "append":
      encodeAppend(writer, message);
      return;
    case "append_response":
      writer.byte(message.success ? 1 : 0);
      writer.uint(message.index);
      writer.uint(message.hintIndex);
      writer.uint(message.hintTerm);
      writer.uint(message.round);
      return;
    case "vote":
      writer.byte(message.preVote ? 1 : 0);
      writer.uint(message.lastIndex);
      writer.uint(message.lastTerm);
      writer.byte(message.transfer ? 1 : 0);
      return;
    case "vote_response":
      writer.byte(message.preVote ? 1 : 0);
      writer.byte(message.granted ? 1 : 0);
      return;
    case "heartbeat":
      writer.uint(message.commit);
      writer.uint(message.round);
      return;
    case "heartbeat_response":
      writer.uint(message.round);
      return;
    case "install_snapshot":
      writer.uint(message.snapshot.index);
      writer.uint(message.snapshot.term);
      writer.bytes(encodeConfiguration(message.snapshot.configuration));
      return;
    case "install_snapshot_response":
      writer.uint(message.index);
      return;
    case "timeout_now":
  }
}

/** Entries follow prevIndex without a gap, so their indexes are not sent. */
function encodeAppend(writer: ByteWriter, message: AppendRequest): void {
  writer.uint(message.prevIndex);
  writer.uint(message.prevTerm);
  writer.uint(message.commit);
  writer.uint(message.round);
  writer.uint(message.entries.length);
  for (const entry of message.entries) {
    writer.byte(ENTRY_KINDS.indexOf(entry.kind));
    writer.uint(entry.term);
    writer.bytes(entry.data);
  }
}

/**
 * The message in `bytes`, which may be used again afterwards. Throws DecodeError when they are no
 * message, or not exactly one; allocates no more than a small multiple of their length.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ByteReader(bytes);
  const type = MESSAGE_TYPES[reader.byte()];
  if (type === undefined) throw new DecodeError("Cannot decode a message: unknown type");
  const header: Header = { from: reader.uint(), to: reader.uint(), term: reader.uint() };
  const message = decodeBody(reader, type, header);
  reader.finish();
  return message;
}

function decodeBody(reader: ByteReader, type: Message["type"], header: Header): Message {
  const { from, to, term } = header;
  switch (type) {
    case "append":
      return decodeAppend(reader, header);
    case "append_response":
      return {
        type,
        from,
        to,
        term,
        success: reader.boolean(),
        index: reader.uint(),
        hintIndex: reader.uint(),
        hintTerm: reader.uint(),
        round: reader.uint(),
      };
    case "vote":
      return {
        type,
        from,
        to,
        term,
        preVote: reader.boolean(),
        lastIndex: reader.uint(),
        lastTerm: reader.uint(),
        transfer: reader.boolean(),
      };
    case "vote_response":
      return { type, from, to, term, preVote: reader.boolean(), granted: reader.boolean() };
    case "heartbeat":
      return { type, from, to, term, commit: reader.uint(), round: reader.uint() };
    case "heartbeat_response":
      return { type, from, to, term, round: reader.uint() };
    case "install_snapshot":
      return { type, from, to, term, snapshot: decodeSnapshotMeta(reader) };
    case "install_snapshot_response":
      return { type, from, to, term, index: reader.uint() };
    case "timeout_now":
      return { type, from, to, term };
  }
}

function decodeSnapshotMeta(reader: ByteReader): SnapshotMeta {
  const index = reader.uint();
  const term = reader.uint();
  return { index, term, configuration: decodeConfiguration(reader.bytes()) };
}

function decodeAppend(reader: ByteReader, header: Header): AppendRequest {
  const prevIndex = reader.uint();
  const prevTerm = reader.uint();
  const commit = reader.uint();
  const round = reader.uint();
  const count = reader.count(ENTRY_BYTES_MIN);
  if (!Number.isSafeInteger(prevIndex + count)) {
    throw new DecodeError("Cannot decode an append: index above 2^53-1");
  }
  const entries: Entry[] = [];
  for (let at = 1; at <= count; at++) {
    const kind = ENTRY_KINDS[reader.byte()];
    if (kind === undefined) throw new DecodeError("Cannot decode an entry: unknown kind");
    entries.push({ index: prevIndex + at, term: reader.uint(), kind, data: reader.bytes() });
  }
  const { from, to, term } = header;
  return { type: "append", from, to, term, prevIndex, prevTerm, entries, commit, round };
}
