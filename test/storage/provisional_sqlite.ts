import { Database } from "bun:sqlite";
import type { SqlDatabase, SqlRow, SqlValue } from "../../src/storage/sqlite_types.ts";

/** A bun:sqlite connection; stands in until the driver shim is there. */
export function openProvisional(path: string): SqlDatabase {
  const database = new Database(path, { create: true, readwrite: true });
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = NORMAL");
  return {
    path,
    exec: (sql) => void database.run(sql),
    prepare: (text) => {
      const statement = database.prepare<SqlRow, SqlValue[]>(text);
      return {
        run: (...params) => statement.run(...params).changes,
        get: (...params) => statement.get(...params) ?? undefined,
        all: (...params) => statement.all(...params),
      };
    },
    close: () => database.close(),
  };
}
