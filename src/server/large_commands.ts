import { PIECES_UNDER_WAY_MAX } from "../constants.ts";
import { NOT_DONE } from "./errors.ts";
import type { ErrorReply } from "../resp/reply.ts";
import type { Outbox } from "./outbox.ts";
import { LargeCommand } from "./pieces.ts";
import type { Pending, Session } from "./session.ts";

/**
 * The large commands of this node's clients that are not all in its outbox yet, in the order in
 * which they came. Few pieces are in the outbox at a time, so small commands go on beside them.
 */
export class LargeCommands {
  /** Encoded size of those that wait. */
  bytes = 0;
  #waiting: LargeCommand[] = [];
  readonly #outbox: Outbox;
  readonly #pieceBytes: number;

  constructor(outbox: Outbox, pieceBytes: number) {
    this.#outbox = outbox;
    this.#pieceBytes = pieceBytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whether a command of so many bytes is one. */
  isLarge(bytes: number): boolean {
    return bytes > 2 * this.#pieceBytes;
  }

  push(pending: Pending, bytes: number): void {
    this.#waiting.push(new LargeCommand(pending, bytes, this.#pieceBytes));
    this.bytes += bytes;
  }

  /** Puts the next pieces into the outbox. */
  feed(): void {
    while (this.#waiting.length > 0 && this.#outbox.pieces < PIECES_UNDER_WAY_MAX) {
      const piece = this.#waiting[0].next();
      this.#outbox.push(piece);
      if (piece.piece!.isLast) this.bytes -= this.#waiting.shift()!.bytes;
    }
  }

  /**
   * Answers those whose time is up: without their last piece they are not carried out. `waiting`:
   * sessions with something before them that has time left.
   */
  abandonOverdue(
    nowMs: number,
    waiting: Set<Session>,
    giveUp: (pending: Pending, reply: ErrorReply) => void,
  ): void {
    this.#waiting = this.#waiting.filter((large) => {
      const { pending, bytes } = large;
      if (pending.deadlineMs > nowMs) waiting.add(pending.session);
      if (waiting.has(pending.session)) return true;
      this.bytes -= bytes;
      if (large.hasBegun) this.#outbox.push(large.giveUp());
      giveUp(pending, NOT_DONE);
      pending.isAbandoned = true;
      return false;
    });
  }
}
