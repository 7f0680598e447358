import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import type { SideTable } from "./side_table.ts";
import type { SqlDatabase, SqlStatement } from "./sqlite_types.ts";

const TABLE = `CREATE TABLE IF NOT EXISTS waiter(
  position INTEGER PRIMARY KEY,
  data BLOB NOT NULL
)`;
const ROWS_PER_WRITE = 64;

/**
 * The commands that wait for data, by their place in the log: a part of the state, so that a node
 * that begins with a snapshot, or with a log whose older part is gone, knows whom to serve.
 */
export class WaitersTable implements SideTable {
  /** Called when another state.db was taken up. */
  loaded: () => void = () => {};
  #rows = new Map<number, Bytes>();
  /** Changed since the last freeze. */
  #changed = new Set<number>();
  #frozen: (readonly [position: number, data: Bytes | undefined])[] = [];
  #written = 0;
  #insert: SqlStatement | undefined;
  #delete: SqlStatement | undefined;

  /** All rows, in the order of their positions. */
  get rows(): readonly (readonly [position: number, data: Bytes])[] {
    return [...this.#rows].sort(([a], [b]) => a - b);
  }

  set(position: number, data: Bytes): void {
    this.#rows.set(position, data);
    this.#changed.add(position);
  }

  delete(position: number): void {
    this.#rows.delete(position);
    this.#changed.add(position);
  }

  load(sql: SqlDatabase): void {
    sql.exec(TABLE);
    this.#insert = sql.prepare("INSERT OR REPLACE INTO waiter VALUES (?, ?)");
    this.#delete = sql.prepare("DELETE FROM waiter WHERE position = ?");
    this.#changed = new Set();
    this.#frozen = [];
    this.#written = 0;
    this.#rows = new Map(
      sql.prepare("SELECT position, data FROM waiter").all().map((row) =>
        [Number(row.position), fromUint8Array(row.data as Uint8Array)] as const
      ),
    );
    this.loaded();
  }

  freeze(): void {
    this.#frozen = [...this.#changed].map((position) => [position, this.#rows.get(position)]);
    this.#changed = new Set();
    this.#written = 0;
  }

  writeSome(): boolean {
    const stop = Math.min(this.#frozen.length, this.#written + ROWS_PER_WRITE);
    for (; this.#written < stop; this.#written++) {
      const [position, data] = this.#frozen[this.#written];
      if (data === undefined) this.#delete!.run(position);
      else this.#insert!.run(position, toBuffer(data));
    }
    return this.#written === this.#frozen.length;
  }

  rewind(): void {
    this.#written = 0;
  }

  committed(): void {
    this.#frozen = [];
    this.#written = 0;
  }
}
