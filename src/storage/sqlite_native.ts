import { resolve } from "node:path";
import { toSqliteError } from "./sqlite_errors.ts";
import { configure } from "./sqlite_open.ts";
import type {
  SqlDatabase,
  SqliteOpenOptions,
  SqlRow,
  SqlStatement,
  SqlValue,
} from "./sqlite_types.ts";

/** What better-sqlite3 and node:sqlite have in common, as far as it is used here. */
export interface NativeDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): NativeStatement;
  close(): void;
}

export interface NativeStatement {
  run(...params: SqlValue[]): { readonly changes: number | bigint };
  get(...params: SqlValue[]): unknown;
  all(...params: SqlValue[]): unknown;
}

/** Opens a database with better-sqlite3 or node:sqlite; `create` makes the driver's own object. */
export function openNative(
  create: (absolutePath: string) => NativeDatabase,
  path: string,
  options: SqliteOpenOptions,
): SqlDatabase {
  let raw: NativeDatabase;
  try {
    raw = create(options.memory ? ":memory:" : resolve(path));
  } catch (error) {
    throw toSqliteError(error, path);
  }
  const database = new Database(raw, path);
  try {
    configure(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

class Database implements SqlDatabase {
  readonly path: string;
  readonly #raw: NativeDatabase;

  constructor(raw: NativeDatabase, path: string) {
    this.#raw = raw;
    this.path = path;
  }

  exec(sql: string): void {
    try {
      this.#raw.exec(sql);
    } catch (error) {
      throw toSqliteError(error, this.path);
    }
  }

  prepare(sql: string): SqlStatement {
    try {
      return new Statement(this.#raw.prepare(sql), this.path);
    } catch (error) {
      throw toSqliteError(error, this.path);
    }
  }

  close(): void {
    try {
      this.#raw.close();
    } catch (error) {
      throw toSqliteError(error, this.path);
    }
  }
}

class Statement implements SqlStatement {
  readonly #raw: NativeStatement;
  readonly #path: string;

  constructor(raw: NativeStatement, path: string) {
    this.#raw = raw;
    this.#path = path;
  }

  run(...params: SqlValue[]): number {
    try {
      return this.#raw.run(...params).changes as number;
    } catch (error) {
      throw toSqliteError(error, this.#path);
    }
  }

  get(...params: SqlValue[]): SqlRow | undefined {
    try {
      return this.#raw.get(...params) as SqlRow | undefined;
    } catch (error) {
      throw toSqliteError(error, this.#path);
    }
  }

  all(...params: SqlValue[]): SqlRow[] {
    try {
      return this.#raw.all(...params) as SqlRow[];
    } catch (error) {
      throw toSqliteError(error, this.#path);
    }
  }
}
