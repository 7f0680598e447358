import type { Change, ChangesTable, EntryChanges } from "../storage/changes_table.ts";

export type { Change, EntryChanges };

/** How long changes gather before the readers are told: many entries cost them one wake-up. */
const GATHER_MS = 5;

/** The changes that this node has applied, and word of new ones to any number of readers. */
export class ChangeFeed {
  readonly #changes: ChangesTable;
  readonly #readers = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(changes: ChangesTable) {
    this.#changes = changes;
    changes.onEntry = () => {
      if (this.#readers.size > 0) this.#timer ??= setTimeout(() => this.#wake(), GATHER_MS);
    };
  }

  /** Changes of entries up to this one are gone. */
  get trimmedIndex(): number {
    return this.#changes.trimmedIndex;
  }

  /** The changes of the next entries behind an index, oldest first; none when there are no more. */
  read(after: number): readonly EntryChanges[] {
    return this.#changes.read(after);
  }

  /** Has `wake` called whenever there is more to read, until the returned function is called. */
  follow(wake: () => void): () => void {
    this.#readers.add(wake);
    return () => this.#readers.delete(wake);
  }

  #wake(): void {
    this.#timer = undefined;
    for (const wake of [...this.#readers]) wake();
  }
}
