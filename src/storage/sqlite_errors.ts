import { SqliteError } from "./sqlite_types.ts";

/** SQLite's primary result codes (https://sqlite.org/rescode.html), those that can be met. */
const CODE_NAMES: Readonly<Record<number, string>> = {
  1: "SQLITE_ERROR",
  2: "SQLITE_INTERNAL",
  3: "SQLITE_PERM",
  4: "SQLITE_ABORT",
  5: "SQLITE_BUSY",
  6: "SQLITE_LOCKED",
  7: "SQLITE_NOMEM",
  8: "SQLITE_READONLY",
  9: "SQLITE_INTERRUPT",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  12: "SQLITE_NOTFOUND",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  15: "SQLITE_PROTOCOL",
  17: "SQLITE_SCHEMA",
  18: "SQLITE_TOOBIG",
  19: "SQLITE_CONSTRAINT",
  20: "SQLITE_MISMATCH",
  21: "SQLITE_MISUSE",
  22: "SQLITE_NOLFS",
  23: "SQLITE_AUTH",
  25: "SQLITE_RANGE",
  26: "SQLITE_NOTADB",
};

/** What sqlite3_errmsg says, for the drivers that hand out no code (Deno's node:sqlite in exec). */
const CODE_BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [/database or disk is full/, "SQLITE_FULL"],
  [/disk I\/O error/, "SQLITE_IOERR"],
  [/database disk image is malformed/, "SQLITE_CORRUPT"],
  [/file is not a database/, "SQLITE_NOTADB"],
  [/database is locked/, "SQLITE_BUSY"],
  [/database table is locked/, "SQLITE_LOCKED"],
  [/unable to open database|directory does not exist|not a directory/i, "SQLITE_CANTOPEN"],
  [/readonly database/, "SQLITE_READONLY"],
  [/out of memory/, "SQLITE_NOMEM"],
  [/locking protocol/, "SQLITE_PROTOCOL"],
  [/string or blob too big/, "SQLITE_TOOBIG"],
  [/constraint failed/, "SQLITE_CONSTRAINT"],
  [/datatype mismatch/, "SQLITE_MISMATCH"],
  [/index out of range|parameter values|query expected|named parameter/i, "SQLITE_RANGE"],
  [/not open|has closed|closed database|finalized|bad parameter/i, "SQLITE_MISUSE"],
];

const PRIMARY_CODE = new RegExp(`^(${Object.values(CODE_NAMES).join("|")})(_|$)`);

/**
 * The failure of any driver as a SqliteError whose code is SQLite's primary one: the extended
 * name of bun:sqlite and better-sqlite3 and the number of node:sqlite are reduced to it.
 */
export function toSqliteError(error: unknown, path: string): SqliteError {
  if (error instanceof SqliteError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SqliteError(`${path}: ${message}`, codeOf(error, message), { cause: error });
}

function codeOf(error: unknown, message: string): string {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (typeof errcode === "number" && CODE_NAMES[errcode & 0xff]) return CODE_NAMES[errcode & 0xff];
  const match = typeof code === "string" ? PRIMARY_CODE.exec(code) : null;
  if (match) return match[1];
  return CODE_BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1] ?? "SQLITE_ERROR";
}
