import { Buffer } from "node:buffer";
import { sliceBytes } from "../base/bytes.ts";
import type { CachedKey } from "./cached_key.ts";
import { LONG_BYTES_MIN } from "./sql_bytes.ts";
import type { StateTables } from "./state_tables.ts";

/**
 * What becomes of rows of keys, in memory that another thread can take over. (Not as arrays: Deno
 * looks at each element of one that arrives in a message.)
 */
export interface PackedRows {
  /** FIELDS numbers a row, 64-bit floats. */
  readonly numbers: ArrayBuffer;
  /** Names and values, one after the other. */
  readonly text: ArrayBuffer;
}

/** Kind, slot, id, version, expiry, bytes of the name, bytes of the value. */
const FIELDS = 7;
const UPDATE = 0;
const INSERT = 1;
const DELETE = 2;
const ROWS_FIRST = 1024;

/**
 * Notes what becomes of the rows of strings, for the thread that writes them: cheaper than the
 * statements and their parameters, which would be cloned one by one.
 */
export class RowPacker {
  #numbers = new Float64Array(ROWS_FIRST * FIELDS);
  #at = 0;
  #text = "";

  /** Notes what the record's row is to be; false when it is not that of a string, or a long one. */
  add(slot: number, record: CachedKey): boolean {
    const { id, rowId } = record;
    if (id !== 0 && (record.type !== "string" || record.details !== undefined)) return false;
    if (record.key.length + record.value.length >= LONG_BYTES_MIN) return false;
    if (rowId !== 0 && rowId !== id) this.#row(DELETE, slot, rowId, 0, 0, "", "");
    if (id === 0) return true;
    const { version, expireAtMs, value } = record;
    if (id === rowId) this.#row(UPDATE, slot, id, version, expireAtMs, "", value);
    else this.#row(INSERT, slot, id, version, expireAtMs, record.key, value);
    return true;
  }

  /** What was noted since the last call. */
  take(): PackedRows {
    const numbers = this.#numbers.slice(0, this.#at);
    // Memory of its own: a shared one could not be handed over.
    const text = Buffer.allocUnsafeSlow(this.#text.length);
    text.write(this.#text, "latin1");
    this.#at = 0;
    this.#text = "";
    return { numbers: numbers.buffer, text: text.buffer as ArrayBuffer };
  }

  #row(
    kind: number,
    slot: number,
    id: number,
    version: number,
    expireAtMs: number,
    key: string,
    value: string,
  ): void {
    if (this.#at + FIELDS > this.#numbers.length) this.#grow();
    const numbers = this.#numbers;
    let at = this.#at;
    numbers[at++] = kind;
    numbers[at++] = slot;
    numbers[at++] = id;
    numbers[at++] = version;
    numbers[at++] = expireAtMs;
    numbers[at++] = key.length;
    numbers[at++] = value.length;
    this.#at = at;
    this.#text += key + value;
  }

  #grow(): void {
    const grown = new Float64Array(this.#numbers.length * 2);
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}

/** Does to the rows what was noted. */
export function writePacked(tables: StateTables, packed: PackedRows): void {
  const numbers = new Float64Array(packed.numbers);
  const bytes = Buffer.from(packed.text);
  let start = 0;
  const next = (length: number): string => sliceBytes(bytes, start, start += length);
  for (let at = 0; at < numbers.length; at += FIELDS) {
    const kind = numbers[at];
    const slot = numbers[at + 1];
    const id = numbers[at + 2];
    if (kind === DELETE) {
      tables.delete(slot, id);
      continue;
    }
    const version = numbers[at + 3];
    const expireAtMs = numbers[at + 4];
    const key = next(numbers[at + 5]);
    const value = next(numbers[at + 6]);
    const row = {
      id,
      key,
      type: "string",
      version,
      expireAtMs,
      value,
      details: undefined,
    } as const;
    if (kind === UPDATE) tables.update(slot, row);
    else tables.insert(slot, row);
  }
}
