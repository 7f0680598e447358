import type { NodeId, PersistToken } from "./types.ts";

interface Pending {
  readonly term: number;
  readonly sequence: number;
  readonly votedFor: NodeId;
  /** Of what was handed out up to then, the part that is still in the log. */
  lastIndex: number;
}

/**
 * The writes under way, in order. A later truncation lowers what earlier writes are credited
 * for, so that an entry which was overwritten and came back (the ABA race of asynchronous
 * storage) counts only when its own second write completes.
 */
export class PersistQueue {
  readonly #pending: Pending[] = [];
  #sequence = 0;
  /** Term and vote that are durable. */
  term: number;
  votedFor: NodeId;

  constructor(term: number, votedFor: NodeId) {
    this.term = term;
    this.votedFor = votedFor;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  begin(term: number, votedFor: NodeId, lastIndex: number): PersistToken {
    const sequence = ++this.#sequence;
    this.#pending.push({ term, sequence, votedFor, lastIndex });
    return { term, sequence };
  }

  /** All from `index` on left the log. */
  truncated(index: number): void {
    for (const pending of this.#pending) {
      if (pending.lastIndex >= index) pending.lastIndex = index - 1;
    }
  }

  /**
   * A write completed, and so did all before it. Returns the last index it made durable, or -1
   * for a token that is not under way (a duplicate).
   */
  complete(token: PersistToken): number {
    const pending = this.#pending;
    let at = 0;
    while (at < pending.length && pending[at].sequence !== token.sequence) at++;
    if (at === pending.length || pending[at].term !== token.term) return -1;
    const { term, votedFor, lastIndex } = pending[at];
    if (at === 0) pending.shift();
    else pending.splice(0, at + 1);
    this.term = term;
    this.votedFor = votedFor;
    return lastIndex;
  }
}
