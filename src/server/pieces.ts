import type { Bytes } from "../base/bytes.ts";
import type { PiecesTable } from "../storage/pieces_table.ts";
import {
  argumentsBytes,
  type BatchCommand,
  BatchFormatError,
  decodeArguments,
  encodeInParts,
} from "./batch.ts";
import type { Pending } from "./session.ts";

/**
 * `PIECE_NAME, start, total, bytes`: a part of a command that is too large for one entry; the name
 * alone: what came of it is given up. No client can send a command of this name.
 */
export const PIECE_NAME = "\0piece";

/** What an item of the outbox is a piece of. */
export interface PieceOf {
  readonly whole: Pending;
  /** With it the command is complete, and carried out. */
  readonly isLast: boolean;
  /** How long the command may wait for the next piece to be applied. */
  readonly timeoutMs: number;
}

/** A command on its way into the log in pieces. */
export class LargeCommand {
  readonly pending: Pending;
  readonly bytes: number;
  readonly #pieceBytes: number;
  readonly #timeoutMs: number;
  /** Its argument list as `encodeArguments` writes it, in parts: no copy of the whole is made. */
  readonly #parts: Iterator<Bytes>;
  #part: Bytes;
  readonly #total: number;
  #sent = 0;

  constructor(pending: Pending, bytes: number, pieceBytes: number) {
    this.pending = pending;
    this.bytes = bytes;
    this.#pieceBytes = pieceBytes;
    this.#timeoutMs = pending.deadlineMs - pending.startMs;
    this.#parts = encodeInParts(pending.argv);
    this.#part = this.#parts.next().value;
    this.#total = argumentsBytes(pending.argv);
  }

  get hasBegun(): boolean {
    return this.#sent > 0;
  }

  /** The next piece, as an item of the outbox. */
  next(): Pending {
    let bytes = "";
    while (bytes.length < this.#pieceBytes) {
      const taken = this.#part.slice(0, this.#pieceBytes - bytes.length);
      bytes += taken;
      this.#part = this.#part.slice(taken.length);
      if (this.#part !== "") continue;
      const next = this.#parts.next();
      if (next.done) break;
      this.#part = next.value;
    }
    const argv = [PIECE_NAME, String(this.#sent), String(this.#total), bytes];
    this.#sent += bytes.length;
    return this.#item(argv, this.#sent === this.#total);
  }

  /** An item that has what was sent of it dropped. */
  giveUp(): Pending {
    return this.#item([PIECE_NAME], false);
  }

  #item(argv: readonly Bytes[], isLast: boolean): Pending {
    const { pending: whole } = this;
    const piece = { whole, isLast, timeoutMs: this.#timeoutMs };
    return { ...whole, argv, piece, isAbandoned: !isLast };
  }
}

/** Puts pieces together again, the same on every node. */
export class Pieces {
  readonly #table: PiecesTable;

  constructor(table: PiecesTable) {
    this.#table = table;
  }

  /**
   * The command that this one of the log completes: mostly itself; undefined: none. `known`: its
   * arguments, where it is one of this node's clients who wait.
   */
  complete(
    node: number,
    applied: BatchCommand,
    known?: readonly Bytes[],
  ): BatchCommand | undefined {
    const { db, argv } = applied;
    if (argv[0] !== PIECE_NAME) return applied;
    if (argv.length !== 4) {
      this.#table.drop(node);
      return undefined;
    }
    const whole = this.#table.add(node, Number(argv[1]), Number(argv[2]), argv[3]);
    if (whole === undefined) return undefined;
    try {
      return { db, argv: known ?? decodeArguments(whole) };
    } catch (error) {
      if (error instanceof BatchFormatError) return undefined;
      throw error;
    }
  }

  /** A node has started anew: the rest of what it sent before will not come. */
  startedAnew(node: number): void {
    this.#table.drop(node);
  }

  /** Only these nodes are members from now on. */
  keep(members: ReadonlySet<number>): void {
    for (const node of this.#table.nodes) if (!members.has(node)) this.#table.drop(node);
  }
}
