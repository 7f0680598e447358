import type { NodeId, RaftCore, Ready } from "../../src/raft/types.ts";

/** What the claims on what counts as durable are judged by. */
export interface DurableClaimsOptions {
  readonly id: NodeId;
  readonly raft: RaftCore;
  /** Of an entry on this node's disk. */
  readonly termAt: (index: number) => number | undefined;
  readonly violate: (invariant: string, detail: string) => void;
}

/**
 * An entry counts as durable as its own write ends, and not as that of another one ends which had
 * its place before: a truncation takes back what writes under way are credited for.
 */
export class DurableClaims {
  readonly #options: DurableClaimsOptions;
  /** Of entries handed out to be written, as the log has them now. */
  readonly #terms = new Map<number, number>();
  #lastIndex = 0;

  /** Has itself told what comes out of the core. */
  constructor(options: DurableClaimsOptions) {
    this.#options = options;
    const { raft } = options;
    const ready = raft.ready.bind(raft);
    raft.ready = () => {
      const made = ready();
      if (made !== undefined) this.#take(made);
      this.#judge();
      return made;
    };
  }

  #take({ entries, installSnapshot }: Ready): void {
    if (installSnapshot !== undefined) this.#terms.clear();
    for (const { index, term } of entries) {
      for (; this.#lastIndex > index; this.#lastIndex--) this.#terms.delete(this.#lastIndex);
      this.#terms.set(index, term);
      this.#lastIndex = index;
    }
  }

  #judge(): void {
    const { id, raft, termAt, violate } = this.#options;
    const { persistedIndex } = raft.status();
    const term = this.#terms.get(persistedIndex);
    const written = termAt(persistedIndex);
    if (term === undefined || term === written) return;
    const what = `node ${id} counts ${persistedIndex} of ${term}, on its disk is one of ${written}`;
    violate("what counts as durable is on the disk", what);
  }
}
