import { Buffer } from "node:buffer";
import { type Bytes, sliceBytes } from "../base/bytes.ts";
import { COMMAND_BYTES_MAX } from "../constants.ts";
import { bytesFor } from "./recorded_database.ts";
import type { SideTable } from "./side_table.ts";
import { bytesFromSql } from "./sql_bytes.ts";
import type { SqlDatabase, SqlStatement } from "./sqlite_types.ts";

const TABLE = `CREATE TABLE IF NOT EXISTS piece(
  node INTEGER NOT NULL,
  start INTEGER NOT NULL,
  total INTEGER NOT NULL,
  data NOT NULL,
  PRIMARY KEY (node, start)
)`;

interface Piece {
  readonly start: number;
  readonly end: number;
  /** A flush has written it, or is about to. */
  isFrozen: boolean;
}

/** A command of which some pieces have come. */
interface Unfinished {
  /** As long as the command; the system gives memory for what is written to it. */
  readonly buffer: Buffer;
  readonly pieces: Piece[];
  bytes: number;
}

/** A row to write, or without a buffer to delete. */
interface Change {
  readonly node: number;
  readonly start: number;
  readonly end: number;
  readonly buffer: Buffer | undefined;
}

/**
 * The pieces of large commands that have come so far, one command of a node at a time: a part of
 * the state, since the entries that brought them may be gone from the log when the last one comes.
 */
export class PiecesTable implements SideTable {
  #unfinished = new Map<number, Unfinished>();
  /** Rows that a flush has written, or is about to, and that are to go. */
  #deleted: Change[] = [];
  #frozen: Change[] = [];
  #written = 0;
  #frozenBytes = 0;
  #sql: SqlDatabase | undefined;
  #insert: SqlStatement | undefined;
  #delete: SqlStatement | undefined;

  get frozenBytes(): number {
    return this.#frozenBytes;
  }

  /** The nodes of which something is held. */
  get nodes(): readonly number[] {
    return [...this.#unfinished.keys()];
  }

  /**
   * Takes the bytes of a node's command from `start` on, of `total`; returns the command, which is
   * held no more, when it is complete. What does not follow the piece before is not taken, and what
   * came before it is dropped.
   */
  add(node: number, start: number, total: number, data: Bytes): Buffer | undefined {
    if (start === 0 && total <= COMMAND_BYTES_MAX) {
      this.drop(node);
      this.#begin(node, total);
    }
    const unfinished = this.#unfinished.get(node);
    if (unfinished === undefined) return undefined;
    const { buffer, pieces, bytes } = unfinished;
    const end = start + data.length;
    if (start !== bytes || total !== buffer.length || end > total) {
      this.drop(node);
      return undefined;
    }
    buffer.write(data, start, "latin1");
    pieces.push({ start, end, isFrozen: false });
    unfinished.bytes = end;
    if (end < total) return undefined;
    this.drop(node);
    return buffer;
  }

  /** Drops what came of a node's command. */
  drop(node: number): void {
    const unfinished = this.#unfinished.get(node);
    if (unfinished === undefined) return;
    this.#unfinished.delete(node);
    for (const { start, end, isFrozen } of unfinished.pieces) {
      if (isFrozen) this.#deleted.push({ node, start, end, buffer: undefined });
    }
  }

  load(sql: SqlDatabase): void {
    sql.exec(TABLE);
    this.#sql = sql;
    this.#insert = sql.prepare("INSERT OR REPLACE INTO piece VALUES (?, ?, ?, ?)");
    this.#delete = sql.prepare("DELETE FROM piece WHERE node = ? AND start = ?");
    this.#unfinished = new Map();
    this.#deleted = [];
    this.committed();
    for (const row of sql.prepare("SELECT * FROM piece ORDER BY node, start").all()) {
      const node = Number(row.node);
      const start = Number(row.start);
      const data = bytesFromSql(row.data);
      const unfinished = this.#unfinished.get(node) ?? this.#begin(node, Number(row.total));
      unfinished.buffer.write(data, start, "latin1");
      unfinished.bytes = start + data.length;
      unfinished.pieces.push({ start, end: unfinished.bytes, isFrozen: true });
    }
  }

  freeze(): void {
    // Deletions first: a new command of the node may have taken the same places.
    this.#frozen = this.#deleted;
    this.#deleted = [];
    this.#written = 0;
    this.#frozenBytes = 0;
    for (const [node, { buffer, pieces }] of this.#unfinished) {
      for (const piece of pieces) {
        if (piece.isFrozen) continue;
        piece.isFrozen = true;
        this.#frozen.push({ node, start: piece.start, end: piece.end, buffer });
        this.#frozenBytes += piece.end - piece.start;
      }
    }
  }

  writeSome(): boolean {
    if (this.#written === this.#frozen.length) return true;
    const { node, start, end, buffer } = this.#frozen[this.#written++];
    if (buffer === undefined) this.#delete!.run(node, start);
    else {
      const data = bytesFor(this.#sql!, sliceBytes(buffer, start, end));
      this.#insert!.run(node, start, buffer.length, data);
    }
    return this.#written === this.#frozen.length;
  }

  rewind(): void {
    this.#written = 0;
  }

  committed(): void {
    this.#frozen = [];
    this.#written = 0;
    this.#frozenBytes = 0;
  }

  #begin(node: number, total: number): Unfinished {
    const unfinished = { buffer: Buffer.allocUnsafeSlow(total), pieces: [], bytes: 0 };
    this.#unfinished.set(node, unfinished);
    return unfinished;
  }
}
