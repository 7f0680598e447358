import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Entry, EntryKind } from "../raft/types.ts";

/** What a row of the log says about itself, beside its data. */
export interface RowHeader {
  readonly first: number;
  readonly last: number;
  readonly firstTerm: number;
  readonly lastTerm: number;
  /** The commit index known when the row was written: a hint. */
  readonly commit: number;
  /** Bytes of data of all rows since the log began, this one included. */
  readonly endBytes: number;
}

const CODEC_VERSION = 1;
const KINDS: readonly EntryKind[] = ["normal", "noop", "configuration"];
const KIND_CODES: Readonly<Record<EntryKind, number>> = { normal: 0, noop: 1, configuration: 2 };

/**
 * Entries [from, to) of a batch as one row's data: a version byte, then for each entry its kind,
 * its term less the one before, its length (both LEB128) and its bytes as they are.
 */
export function encodeEntries(entries: readonly Entry[], from: number, to: number): Uint8Array {
  // Memory of its own, which can be handed to another thread.
  const row: Uint8Array = Buffer.allocUnsafeSlow(encodedBytes(entries, from, to));
  row[0] = CODEC_VERSION;
  let at = 1;
  let term = entries[from].term;
  for (let i = from; i < to; i++) {
    const entry = entries[i];
    row[at++] = KIND_CODES[entry.kind];
    at = putVarint(row, at, entry.term - term);
    at = putVarint(row, at, entry.data.length);
    row.set(entry.data, at);
    at += entry.data.length;
    term = entry.term;
  }
  return row;
}

/**
 * The entries of a row; their data are views of `row`. Throws RangeError when the bytes are not
 * exactly the entries that the header announces.
 */
export function decodeEntries(row: Uint8Array, header: RowHeader): Entry[] {
  if (row[0] !== CODEC_VERSION) throw new RangeError(`unknown row version ${row[0]}`);
  const reader = new Reader(row, 1);
  const entries: Entry[] = [];
  let term = header.firstTerm;
  for (let index = header.first; index <= header.last; index++) {
    const kind = KINDS[reader.byte()];
    if (kind === undefined) throw new RangeError(`entry ${index} is of an unknown kind`);
    term += reader.varint();
    entries.push({ index, term, kind, data: reader.bytes(reader.varint()) });
  }
  if (!reader.atEnd || term !== header.lastTerm) throw new RangeError("row and header disagree");
  return entries;
}

const position = new DataView(new ArrayBuffer(6 * 8));
const positionBytes = new Uint8Array(position.buffer);

/**
 * CRC-32 of a row: its position as well as its data, so that a row in the wrong place does not
 * match. `salt` is the log's own, so that a row of another log does not either.
 */
export function rowChecksum(salt: number, header: RowHeader, data: Uint8Array): number {
  position.setFloat64(0, header.first);
  position.setFloat64(8, header.last);
  position.setFloat64(16, header.firstTerm);
  position.setFloat64(24, header.lastTerm);
  position.setFloat64(32, header.commit);
  position.setFloat64(40, header.endBytes);
  return crc32(data, crc32(positionBytes, salt));
}

/** CRC-32 of a key of the meta table and its value. */
export function metaChecksum(salt: number, key: string, value: string): number {
  return crc32(`${key}\0${value}`, salt);
}

function encodedBytes(entries: readonly Entry[], from: number, to: number): number {
  let bytes = 1;
  let term = entries[from].term;
  for (let i = from; i < to; i++) {
    const { data, term: own } = entries[i];
    bytes += 1 + varintBytes(own - term) + varintBytes(data.length) + data.length;
    term = own;
  }
  return bytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  while (value >= 128) {
    value = Math.floor(value / 128);
    bytes++;
  }
  return bytes;
}

function putVarint(row: Uint8Array, at: number, value: number): number {
  while (value >= 128) {
    row[at++] = (value % 128) + 128;
    value = Math.floor(value / 128);
  }
  row[at++] = value;
  return at;
}

class Reader {
  readonly #row: Uint8Array;
  #at: number;

  constructor(row: Uint8Array, at: number) {
    this.#row = row;
    this.#at = at;
  }

  get atEnd(): boolean {
    return this.#at === this.#row.length;
  }

  byte(): number {
    if (this.#at >= this.#row.length) throw new RangeError("row ends early");
    return this.#row[this.#at++];
  }

  varint(): number {
    let value = 0;
    for (let unit = 1; unit <= 2 ** 49; unit *= 128) {
      const byte = this.byte();
      value += (byte % 128) * unit;
      if (byte < 128) return value;
    }
    throw new RangeError("number too long");
  }

  bytes(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#row.length) throw new RangeError("row ends early");
    const view = this.#row.subarray(this.#at, end);
    this.#at = end;
    return view;
  }
}
