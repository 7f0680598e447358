import { assert } from "../../src/base/assert.ts";
import { EMPTY_CONFIGURATION } from "../../src/raft/membership.ts";
import type { Entry, HardState, LogReader, SnapshotMeta } from "../../src/raft/types.ts";

/** A durable log in memory: what a crash leaves behind. */
export class MemoryLog implements LogReader {
  snapshot: SnapshotMeta = { index: 0, term: 0, configuration: EMPTY_CONFIGURATION };
  hardState: HardState = { term: 0, votedFor: 0, commit: 0 };
  entriesStored: Entry[] = [];

  get firstIndex(): number {
    return this.snapshot.index + 1;
  }

  get lastIndex(): number {
    return this.snapshot.index + this.entriesStored.length;
  }

  term(index: number): number | undefined {
    if (index === this.snapshot.index) return this.snapshot.term;
    return this.entriesStored[index - this.firstIndex]?.term;
  }

  entries(from: number, to: number, bytesMax: number): readonly Entry[] | undefined {
    if (from < this.firstIndex) return undefined;
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < to && index <= this.lastIndex; index++) {
      const entry = this.entriesStored[index - this.firstIndex];
      bytes += entry.data.length;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  append(entries: readonly Entry[], hardState: HardState | undefined): void {
    if (hardState !== undefined) this.hardState = hardState;
    if (entries.length === 0) return;
    const first = entries[0].index;
    assert(first >= this.firstIndex && first <= this.lastIndex + 1, `a gap before ${first}`);
    this.entriesStored.length = first - this.firstIndex;
    for (const { index, term, kind, data } of entries) {
      this.entriesStored.push({ index, term, kind, data });
    }
  }

  compact(meta: SnapshotMeta): void {
    assert(meta.index <= this.lastIndex, "compacts what is stored");
    this.entriesStored.splice(0, meta.index - this.snapshot.index);
    this.snapshot = meta;
  }

  reset(meta: SnapshotMeta): void {
    this.entriesStored = [];
    this.snapshot = meta;
  }
}
