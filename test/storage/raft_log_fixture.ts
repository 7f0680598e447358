import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromUint8Array } from "../../src/base/bytes.ts";
import type { Configuration, Entry, EntryKind, SnapshotMeta } from "../../src/raft/types.ts";

export const CONFIGURATION: Configuration = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [4],
  learnersNext: [],
  addresses: { 1: "a:1", 2: "b:2" },
};

/** A directory that is removed by `remove`. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "balsa-log-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** An entry whose data say its index and term, `size` bytes long. */
export function entry(index: number, term = 1, size = 20, kind: EntryKind = "normal"): Entry {
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) data[i] = (index * 31 + term * 7 + i) & 255;
  return { index, term, kind, data };
}

/** Entries [first, last]. */
export function entriesOf(first: number, last: number, term = 1, size = 20): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => entry(first + i, term, size));
}

export function snapshotAt(index: number, term: number): SnapshotMeta {
  return { index, term, configuration: CONFIGURATION };
}

/** An entry as a plain value that two of can be compared. */
export function plain(e: Entry): unknown {
  return [e.index, e.term, e.kind, fromUint8Array(e.data)];
}

/** Changes one byte of a file where it stands. */
export function flipByte(path: string, at: number): void {
  const fd = openSync(path, "r+");
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] ^= 0x55;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}
