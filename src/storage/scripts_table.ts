import type { Bytes } from "../base/bytes.ts";
import { RowsTable } from "./rows_table.ts";

/** What a row is reckoned to take beside its text. */
const ROW_BYTES = 200;

/**
 * The scripts that are known by their SHA-1: a part of the state, so that EVALSHA works on every
 * node, and after a restart. `bytesMax` bounds them: for new ones the oldest are forgotten, in the
 * order in which they came, which is the same on every node.
 */
export class ScriptsTable extends RowsTable {
  readonly #bytesMax: number;
  /** Oldest first. */
  #scripts = new Map<Bytes, { readonly position: number; readonly text: Bytes }>();
  #bytes = 0;
  #last = 0;

  constructor(bytesMax: number) {
    super("script");
    this.#bytesMax = bytesMax;
    this.loaded = () => this.#take();
  }

  get size(): number {
    return this.#scripts.size;
  }

  /** Memory they take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The text of the script with this lower-case SHA-1. */
  find(sha1: Bytes): Bytes | undefined {
    return this.#scripts.get(sha1)?.text;
  }

  /** Adds one that is not there yet. */
  add(sha1: Bytes, text: Bytes): void {
    this.#hold(sha1, ++this.#last, text);
    this.set(this.#last, sha1 + text);
    for (const [oldest, { position, text }] of this.#scripts) {
      if (this.#bytes <= this.#bytesMax || oldest === sha1) break;
      this.#scripts.delete(oldest);
      this.#bytes -= ROW_BYTES + text.length;
      this.delete(position);
    }
  }

  /** Forgets all. */
  clear(): void {
    for (const { position } of this.#scripts.values()) this.delete(position);
    this.#scripts.clear();
    this.#bytes = 0;
  }

  #hold(sha1: Bytes, position: number, text: Bytes): void {
    this.#scripts.set(sha1, { position, text });
    this.#bytes += ROW_BYTES + text.length;
  }

  #take(): void {
    this.#scripts = new Map();
    this.#bytes = this.#last = 0;
    for (const [position, data] of this.rows) {
      this.#hold(data.slice(0, SHA1_LENGTH), position, data.slice(SHA1_LENGTH));
      this.#last = position;
    }
  }
}

const SHA1_LENGTH = 40;
