import { bytesFor } from "./recorded_database.ts";
import type { Bytes } from "../base/bytes.ts";
import { createScoreIndex, ScoreRows } from "./score_rows.ts";
import { bytesFromSql, bytesToSql } from "./sql_bytes.ts";
import type { SqlDatabase, SqlRow, SqlValue } from "./sqlite_types.ts";

/** A table of elements; each row belongs to the collection that `owner` names. */
interface ElementTable {
  /** Columns that, behind the owner, name an element. */
  readonly key: readonly string[];
  /** The others, as they are declared. */
  readonly columns: readonly string[];
}

/** The tables of elements, by name. Strings in them are byte strings (sql_bytes.ts). */
export const ELEMENT_TABLES = {
  hash: { key: ["field"], columns: ["n INTEGER NOT NULL", "value", "expire_at_ms INTEGER"] },
  set: { key: ["member"], columns: ["n INTEGER NOT NULL"] },
  list: { key: ["position INTEGER"], columns: ["value"] },
  zset: { key: ["member"], columns: ["n INTEGER NOT NULL", "score"] },
  stream: {
    key: [],
    columns: [
      "last_ms INTEGER",
      "last_seq INTEGER",
      "deleted_ms INTEGER",
      "deleted_seq INTEGER",
      "added INTEGER",
    ],
  },
  stream_entry: { key: ["ms INTEGER", "seq INTEGER"], columns: ["fields"] },
  stream_node: {
    key: ["ms INTEGER", "seq INTEGER"],
    columns: [
      "live INTEGER",
      "deleted INTEGER",
      "bytes INTEGER",
      "last_ms INTEGER",
      "last_seq INTEGER",
      "fields",
    ],
  },
  stream_group: {
    key: ["name"],
    columns: ["last_ms INTEGER", "last_seq INTEGER", "read INTEGER"],
  },
  stream_consumer: {
    key: ["group_name", "name"],
    columns: ["seen_at_ms INTEGER", "active_at_ms INTEGER"],
  },
  stream_pending: {
    key: ["group_name", "ms INTEGER", "seq INTEGER"],
    columns: ["consumer", "delivered_at_ms INTEGER", "deliveries INTEGER"],
  },
} as const satisfies Record<string, ElementTable>;

export type ElementTableName = keyof typeof ELEMENT_TABLES;

/** Tables whose elements have a place `n`, by which there is an index. */
const PLACED_TABLES = ["hash", "set", "zset"] as const;
export type PlacedTableName = typeof PLACED_TABLES[number];

/** Tables whose keys have an order of their own, and no byte strings. */
type OrderedTableName = "list" | "stream_entry";

/** The columns of an element behind the owner, key first; only the key: it is to be deleted. */
export type ElementRow = readonly SqlValue[];

/** The statements that make the indexes by place and by score, where they are not there. */
export function createElementIndexes(): string {
  return PLACED_TABLES.map((name) =>
    `CREATE INDEX IF NOT EXISTS "${name}_by_place" ON "${name}"(owner, n);\n`
  ).join("") + createScoreIndex();
}

/** The statements that make the tables, where they are not there. */
export function createElementTables(): string {
  return Object.entries<ElementTable>(ELEMENT_TABLES).map(([name, { key, columns }]) => {
    const declared = ["owner INTEGER NOT NULL", ...key, ...columns].join(", ");
    const primary = ["owner", ...namesOf(key)].join(", ");
    return `CREATE TABLE IF NOT EXISTS "${name}"(${declared}, PRIMARY KEY (${primary})) ` +
      "WITHOUT ROWID;\n";
  }).join("");
}

interface Statements {
  readonly keyLength: number;
  readonly put: ReturnType<SqlDatabase["prepare"]>;
  readonly remove: ReturnType<SqlDatabase["prepare"]>;
  readonly read: ReturnType<SqlDatabase["prepare"]>;
  readonly purge: ReturnType<SqlDatabase["prepare"]>;
  readonly trim: ReturnType<SqlDatabase["prepare"]>;
}

type PlacedStatements = Readonly<
  Record<"one" | "page" | "lastPage" | "count", ReturnType<SqlDatabase["prepare"]>>
>;

type OrderedStatements = Readonly<Record<"up" | "down", ReturnType<SqlDatabase["prepare"]>>>;

/** Which of the elements that a range of keys has. */
export interface RowSlice {
  readonly skip: number;
  readonly limit: number;
  readonly reverse?: boolean;
}

/** The statements on the tables of elements. Opens no transaction. */
export class ElementTables {
  readonly #statements = new Map<ElementTableName, Statements>();
  readonly #placedStatements = new Map<PlacedTableName, PlacedStatements>();
  readonly #orderedStatements = new Map<OrderedTableName, OrderedStatements>();
  #scores: ScoreRows | undefined;
  readonly #sql: SqlDatabase;

  /** The tables must be there. */
  constructor(sql: SqlDatabase) {
    this.#sql = sql;
  }

  /** The members of sorted sets by score. */
  get scores(): ScoreRows {
    return this.#scores ??= new ScoreRows(this.#sql);
  }

  /** Writes or deletes one element. */
  write(table: ElementTableName, owner: number, row: ElementRow): void {
    const { keyLength, put, remove } = this.#of(table);
    const params: SqlValue[] = [owner];
    for (const value of row) params.push(this.#param(value));
    if (row.length === keyLength) remove.run(...params);
    else put.run(...params);
  }

  /** All elements of a collection, in the order of the key; read columns with `bytesOf` and so on. */
  read(table: ElementTableName, owner: number): SqlRow[] {
    return this.#of(table).read.all(owner);
  }

  /** The same as rows with byte strings and numbers. */
  rows(table: ElementTableName, owner: number): ElementRow[] {
    return this.read(table, owner).map(rowOf);
  }

  /** The element of this name. */
  one(table: PlacedTableName, owner: number, name: Bytes): ElementRow | undefined {
    const row = this.#placed(table).one.get(owner, bytesToSql(name));
    return row === undefined ? undefined : rowOf(row);
  }

  /** Up to `limit` elements with a place behind `after`, by place. */
  page(table: PlacedTableName, owner: number, after: number, limit: number): ElementRow[] {
    return this.#placed(table).page.all(owner, after, limit).map(rowOf);
  }

  /** Up to `limit` elements with a place before `before`, the last first. */
  lastPage(table: PlacedTableName, owner: number, before: number, limit: number): ElementRow[] {
    const bound = Math.min(before, Number.MAX_SAFE_INTEGER);
    return this.#placed(table).lastPage.all(owner, bound, limit).map(rowOf);
  }

  /** How many elements have their place in each block of 2^bits places from `first` on. */
  countPlaces(
    table: PlacedTableName,
    owner: number,
    first: number,
    bits: number,
  ): { block: number; count: number }[] {
    const rows = this.#placed(table).count.all(first, 2 ** bits, owner);
    return rows.map(({ block, count }) => ({ block: Number(block), count: Number(count) }));
  }

  /**
   * Up to `limit` elements whose keys are between two, inclusive, behind the first (`reverse`:
   * before the last) `skip` of them; columns as of `read`.
   */
  slice(
    table: OrderedTableName,
    owner: number,
    from: ElementRow,
    to: ElementRow,
    { skip, limit, reverse = false }: RowSlice,
  ): SqlRow[] {
    const { up, down } = this.#ordered(table);
    return (reverse ? down : up).all(owner, ...from, ...to, limit, skip);
  }

  /** Deletes the first elements of a collection, up to `limit` and to the one of this key. */
  trim(table: ElementTableName, owner: number, upTo: ElementRow, limit: number): void {
    const key = upTo.map((value) => this.#param(value));
    this.#of(table).trim.run(owner, owner, ...key, limit);
  }

  /** Deletes up to `limit` elements of a collection; true when none is left. */
  purge(table: ElementTableName, owner: number, limit: number): boolean {
    return this.#of(table).purge.run(owner, owner, limit) < limit;
  }

  #param(value: SqlValue): SqlValue {
    return typeof value === "string" ? bytesFor(this.#sql, value) : value;
  }

  #placed(table: PlacedTableName): PlacedStatements {
    const known = this.#placedStatements.get(table);
    if (known !== undefined) return known;
    const { key, columns }: ElementTable = ELEMENT_TABLES[table];
    const select = `SELECT ${[...namesOf(key), ...namesOf(columns)].join(", ")} FROM "${table}" ` +
      "WHERE owner = ? AND ";
    const made = {
      one: this.#sql.prepare(`${select} ${key[0]} = ?`),
      page: this.#sql.prepare(`${select} n > ? ORDER BY n LIMIT ?`),
      lastPage: this.#sql.prepare(`${select} n < ? ORDER BY n DESC LIMIT ?`),
      count: this.#sql.prepare(
        "SELECT (n - CAST(? AS INTEGER)) / CAST(? AS INTEGER) AS block, COUNT(*) AS count " +
          `FROM "${table}" INDEXED BY "${table}_by_place" WHERE owner = ? GROUP BY block`,
      ),
    };
    this.#placedStatements.set(table, made);
    return made;
  }

  #ordered(table: OrderedTableName): OrderedStatements {
    const known = this.#orderedStatements.get(table);
    if (known !== undefined) return known;
    const { key, columns }: ElementTable = ELEMENT_TABLES[table];
    const names = namesOf(key);
    const select = `SELECT ${[...names, ...namesOf(columns)].join(", ")} FROM "${table}" ` +
      `WHERE owner = ? AND ${isFrom(names)} AND ${isUpTo(names)} ORDER BY `;
    const made = {
      up: this.#sql.prepare(`${select} ${names.join(", ")} LIMIT ? OFFSET ?`),
      down: this.#sql.prepare(`${select} ${names.join(" DESC, ")} DESC LIMIT ? OFFSET ?`),
    };
    this.#orderedStatements.set(table, made);
    return made;
  }

  #of(table: ElementTableName): Statements {
    const known = this.#statements.get(table);
    if (known !== undefined) return known;
    const { key, columns }: ElementTable = ELEMENT_TABLES[table];
    const names = ["owner", ...namesOf(key)];
    const all = [...names, ...namesOf(columns)];
    const where = names.map((name) => `${name} = ?`).join(" AND ");
    const list = names.join(", ");
    const remove = `DELETE FROM "${table}" WHERE owner = ? AND (${list}) IN`;
    const made = {
      keyLength: key.length,
      put: this.#sql.prepare(
        `INSERT OR REPLACE INTO "${table}" VALUES (${all.map(() => "?").join(", ")})`,
      ),
      remove: this.#sql.prepare(`DELETE FROM "${table}" WHERE ${where}`),
      read: this.#sql.prepare(`SELECT ${all.slice(1).join(", ")} FROM "${table}" WHERE owner = ?`),
      purge: this.#sql.prepare(
        `${remove} (SELECT ${list} FROM "${table}" WHERE owner = ? LIMIT ?)`,
      ),
      trim: this.#sql.prepare(
        `${remove} (SELECT ${list} FROM "${table}" WHERE owner = ? AND ` +
          `${isUpTo(namesOf(key))} ORDER BY ${list} LIMIT ?)`,
      ),
    };
    this.#statements.set(table, made);
    return made;
  }
}

/** A column that holds a byte string. */
export function bytesOf(value: SqlValue): string {
  return bytesFromSql(value);
}

/** A row as it is written: byte strings as such, in the order of the columns. */
function rowOf(row: SqlRow): ElementRow {
  const values: SqlValue[] = [];
  for (const name in row) {
    const value = row[name];
    if (value instanceof Uint8Array) values.push(bytesFromSql(value));
    else values.push(typeof value === "bigint" ? Number(value) : value);
  }
  return values;
}

/** Whether a row stands at the one of a key or behind it. */
function isFrom(names: readonly string[]): string {
  return `(${names.join(", ")}) >= (${names.map(() => "?").join(", ")})`;
}

/** Whether a row stands up to the one of a key. */
function isUpTo(names: readonly string[]): string {
  if (names.length === 0) return "TRUE";
  return `(${names.join(", ")}) <= (${names.map(() => "?").join(", ")})`;
}

/** The names of declared columns. */
function namesOf(columns: readonly string[]): string[] {
  return columns.map((column) => column.split(" ")[0]);
}
