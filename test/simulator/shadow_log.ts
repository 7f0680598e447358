import { crc32 } from "node:zlib";
import type { Entry, HardState, SnapshotMeta } from "../../src/raft/types.ts";
import { configurationText } from "./claims.ts";

/** What a node's disk must hold, by what its log store has confirmed. */
export class ShadowLog {
  snapshotIndex = 0;
  snapshotTerm = 0;
  term = 0;
  votedFor = 0;
  /** Of entries snapshotIndex + 1 on. */
  #terms: number[] = [];
  #sums: number[] = [];
  /** Members as of an index, encoded, the latest last. */
  #configurations: { readonly index: number; readonly text: string }[] = [];

  get lastIndex(): number {
    return this.snapshotIndex + this.#terms.length;
  }

  /** The term of an entry, of the snapshot's position too. */
  termAt(index: number): number | undefined {
    if (index === this.snapshotIndex) return this.snapshotTerm;
    return this.#terms[index - this.snapshotIndex - 1];
  }

  sumAt(index: number): number | undefined {
    return this.#sums[index - this.snapshotIndex - 1];
  }

  /** The latest members in the log, encoded; undefined when they are not known. */
  get configuration(): string | undefined {
    return this.#configurations[this.#configurations.length - 1]?.text;
  }

  append(entries: readonly Entry[], hardState: HardState | undefined): void {
    if (hardState !== undefined) this.#setHardState(hardState);
    if (entries.length === 0) return;
    const keep = entries[0].index - this.snapshotIndex - 1;
    this.#terms.length = keep;
    this.#sums.length = keep;
    const first = entries[0].index;
    while (this.lastChange >= first) this.#configurations.pop();
    for (const entry of entries) {
      this.#terms.push(entry.term);
      this.#sums.push(sumOf(entry));
      if (entry.kind !== "configuration") continue;
      const text = String.fromCharCode(...entry.data);
      this.#configurations.push({ index: entry.index, text });
    }
  }

  compact(meta: SnapshotMeta): void {
    if (meta.index <= this.snapshotIndex) return;
    this.#terms = this.#terms.slice(meta.index - this.snapshotIndex);
    this.#sums = this.#sums.slice(meta.index - this.snapshotIndex);
    this.snapshotIndex = meta.index;
    this.snapshotTerm = meta.term;
  }

  reset(meta: SnapshotMeta): void {
    this.#terms = [];
    this.#sums = [];
    this.snapshotIndex = meta.index;
    this.snapshotTerm = meta.term;
    const text = configurationText(meta.configuration);
    this.#configurations = [{ index: meta.index, text }];
    if (meta.term > this.term) this.#setHardState({ term: meta.term, votedFor: 0 });
  }

  copy(): ShadowLog {
    const other = new ShadowLog();
    Object.assign(other, {
      snapshotIndex: this.snapshotIndex,
      snapshotTerm: this.snapshotTerm,
      term: this.term,
      votedFor: this.votedFor,
    });
    other.#terms = this.#terms.slice();
    other.#sums = this.#sums.slice();
    other.#configurations = this.#configurations.slice();
    return other;
  }

  /** Takes over what members another log begins with, where this one does not know. */
  learnMembers(other: ShadowLog): void {
    if (this.#configurations.length === 0) this.#configurations = other.#configurations.slice();
  }

  /** Where they are; -1 when they are not known. */
  get lastChange(): number {
    return this.#configurations[this.#configurations.length - 1]?.index ?? -1;
  }

  /** A word for where it stands. */
  toString(): string {
    const { snapshotIndex, lastIndex, term, votedFor } = this;
    return `(${snapshotIndex}, ${lastIndex}] term ${term} vote ${votedFor}`;
  }

  #setHardState({ term, votedFor }: Pick<HardState, "term" | "votedFor">): void {
    this.term = term;
    this.votedFor = votedFor;
  }
}

export function sumOf(entry: Entry): number {
  return crc32(entry.data, entry.kind.length);
}
