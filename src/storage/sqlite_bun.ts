import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
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

type Row = Statement<SqlRow, SQLQueryBindings[]>;

/** Opens a database with `bun:sqlite`, whose class is handed in. */
export function openBun(
  Class: typeof Database,
  path: string,
  options: SqliteOpenOptions,
): SqlDatabase {
  const flags = options.readOnly ? { readonly: true } : { readwrite: true, create: true };
  let raw: Database;
  try {
    raw = new Class(options.memory ? ":memory:" : resolve(path), flags);
  } catch (error) {
    throw toSqliteError(error, path);
  }
  const database = new BunDatabase(raw, path);
  try {
    configure(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

class BunDatabase implements SqlDatabase {
  readonly path: string;
  readonly #raw: Database;
  /** Finalized at close: a statement left open keeps the file and its locks open. */
  readonly #statements: Row[] = [];

  constructor(raw: Database, path: string) {
    this.#raw = raw;
    this.path = path;
  }

  exec(sql: string): void {
    try {
      this.#raw.run(sql);
    } catch (error) {
      throw toSqliteError(error, this.path);
    }
  }

  prepare(sql: string): SqlStatement {
    try {
      const raw: Row = this.#raw.prepare(sql);
      this.#statements.push(raw);
      return new BunStatement(raw, this.path);
    } catch (error) {
      throw toSqliteError(error, this.path);
    }
  }

  close(): void {
    try {
      for (const statement of this.#statements.splice(0)) statement.finalize();
      this.#raw.close(true);
    } catch (error) {
      throw toSqliteError(error, this.path);
    }
  }
}

class BunStatement implements SqlStatement {
  readonly #raw: Row;
  readonly #path: string;

  constructor(raw: Row, path: string) {
    this.#raw = raw;
    this.#path = path;
  }

  run(...params: SqlValue[]): number {
    try {
      return this.#raw.run(...params as SQLQueryBindings[]).changes;
    } catch (error) {
      throw toSqliteError(error, this.#path);
    }
  }

  get(...params: SqlValue[]): SqlRow | undefined {
    try {
      return this.#raw.get(...params as SQLQueryBindings[]) ?? undefined;
    } catch (error) {
      throw toSqliteError(error, this.#path);
    }
  }

  all(...params: SqlValue[]): SqlRow[] {
    try {
      return this.#raw.all(...params as SQLQueryBindings[]);
    } catch (error) {
      throw toSqliteError(error, this.#path);
    }
  }
}
