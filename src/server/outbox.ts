import { assert } from "../base/assert.ts";
import { BATCH_BYTES_MAX } from "../constants.ts";
import { commandBytes } from "./batch.ts";
import { PIECE_NAME } from "./pieces.ts";
import type { Pending } from "./session.ts";

/** Commands for one segment, with their numbers. */
export interface OutboxBatch {
  readonly firstSequence: number;
  readonly commands: readonly Pending[];
}

/**
 * The commands of this node's clients that go through the log, from their arrival until this node
 * has applied them. Numbered without a gap; the numbers go on for the life of the process.
 *
 * Whatever was not yet applied can be sent again (`resend`), to another leader: the state machine
 * applies each number once. So a reply always comes from this node's own first application.
 */
export class Outbox {
  /** Numbers start at 1: #items[i] has the number #headSequence + i - #head. */
  #items: (Pending | undefined)[] = [];
  #head = 0;
  #headSequence = 1;
  /** Index of the first that was not sent to the present leader. */
  #unsent = 0;
  /** Encoded size of all that is held. */
  bytes = 0;
  /** Pieces of large commands among it. */
  pieces = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get unsentLength(): number {
    return this.#items.length - this.#unsent;
  }

  get hasUnsent(): boolean {
    return this.#unsent < this.#items.length;
  }

  push(pending: Pending): void {
    const bytes = commandBytes(pending.argv);
    this.#items.push(pending);
    this.bytes += bytes;
    if (pending.piece !== undefined) this.pieces++;
  }

  /** The next unsent commands: as many as BATCH_BYTES_MAX takes, at least one; marks them sent. */
  takeUnsent(): OutboxBatch {
    const start = this.#unsent;
    let bytes = 0;
    let end = start;
    for (; end < this.#items.length; end++) {
      const size = commandBytes(this.#at(end).argv);
      if (end > start && bytes + size > BATCH_BYTES_MAX) break;
      bytes += size;
    }
    assert(end > start, "there is something unsent");
    this.#unsent = end;
    const firstSequence = this.#headSequence + start - this.#head;
    return { firstSequence, commands: this.#items.slice(start, end) as Pending[] };
  }

  /** Takes back the last `takeUnsent`: it was refused. */
  untake(batch: OutboxBatch): void {
    this.#unsent -= batch.commands.length;
  }

  /** All that is held counts as unsent again: the leader changed. */
  resend(): void {
    for (let i = this.#head; i < this.#unsent; i++) this.#at(i).wasSent = true;
    this.#unsent = this.#head;
  }

  /**
   * Makes a held command do nothing where it is sent from now on; its number stays taken. What was
   * sent already, an entry of this leader's among it, keeps the command as it was.
   */
  blank(at: number): void {
    const pending = this.#at(at);
    const argv = pending.piece === undefined ? [] : [PIECE_NAME];
    this.bytes += commandBytes(argv) - commandBytes(pending.argv);
    this.#items[at] = { ...pending, argv };
  }

  /**
   * Takes out the command of this number, which was applied, and any before it, which never will
   * be; undefined when it is not held any more.
   */
  settle(sequence: number): Pending | undefined {
    if (sequence < this.#headSequence) return undefined;
    assert(sequence - this.#headSequence < this.length, "only what was sent is applied");
    let pending: Pending | undefined;
    while (this.#headSequence <= sequence) {
      pending = this.#at(this.#head);
      const bytes = commandBytes(pending.argv);
      this.bytes -= bytes;
      if (pending.piece !== undefined) this.pieces--;
      this.#items[this.#head++] = undefined;
      this.#headSequence++;
    }
    this.#unsent = Math.max(this.#unsent, this.#head);
    this.#shrink();
    return pending;
  }

  /** Takes out all up to this number: what became of them here will not be seen. */
  takeUpTo(sequence: number): (readonly [sequence: number, pending: Pending])[] {
    const taken: (readonly [number, Pending])[] = [];
    while (this.length > 0 && this.#headSequence <= sequence) {
      const at = this.#headSequence;
      const pending = this.settle(at);
      if (pending !== undefined) taken.push([at, pending]);
    }
    return taken;
  }

  /** Those held, oldest first, with whether they were sent, and `at` for `blank`. */
  *held(): Iterable<{ readonly pending: Pending; readonly sent: boolean; readonly at: number }> {
    for (let i = this.#head; i < this.#items.length; i++) {
      yield { pending: this.#at(i), sent: i < this.#unsent, at: i };
    }
  }

  #at(index: number): Pending {
    const pending = this.#items[index];
    assert(pending !== undefined, "held commands are there");
    return pending;
  }

  #shrink(): void {
    if (this.#head < 1024 || this.#head * 2 < this.#items.length) {
      if (this.#head < this.#items.length) return;
    }
    this.#items = this.#items.slice(this.#head);
    this.#unsent -= this.#head;
    this.#head = 0;
  }
}
