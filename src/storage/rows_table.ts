import { type Bytes, fromUint8Array, toBuffer } from "../base/bytes.ts";
import type { SideTable } from "./side_table.ts";
import type { SqlDatabase, SqlStatement } from "./sqlite_types.ts";

const ROWS_PER_WRITE = 64;

/** Numbered rows of bytes, all of them in memory too: the ground of the smaller side tables. */
export class RowsTable implements SideTable {
  /** Called when another state.db was taken up. */
  loaded: () => void = () => {};
  readonly #name: string;
  #rows = new Map<number, Bytes>();
  /** Changed since the last freeze. */
  #changed = new Set<number>();
  #frozen: (readonly [position: number, data: Bytes | undefined])[] = [];
  #written = 0;
  #insert: SqlStatement | undefined;
  #delete: SqlStatement | undefined;

  /** `name`: of the table in state.db. */
  constructor(name: string) {
    this.#name = name;
  }

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
    const name = this.#name;
    sql.exec(
      `CREATE TABLE IF NOT EXISTS ${name}(position INTEGER PRIMARY KEY, data BLOB NOT NULL)`,
    );
    this.#insert = sql.prepare(`INSERT OR REPLACE INTO ${name} VALUES (?, ?)`);
    this.#delete = sql.prepare(`DELETE FROM ${name} WHERE position = ?`);
    this.#changed = new Set();
    this.#frozen = [];
    this.#written = 0;
    this.#rows = new Map(
      sql.prepare(`SELECT position, data FROM ${name}`).all().map((row) =>
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
