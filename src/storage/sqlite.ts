import { Buffer } from "node:buffer";
import process from "node:process";
import type { Bytes } from "../base/bytes.ts";
import { openBun } from "./sqlite_bun.ts";
import { type NativeDatabase, openNative } from "./sqlite_native.ts";
import { type SqliteDriver, type SqliteDriverName, type SqlValue } from "./sqlite_types.ts";

/** The first SQLite whose WAL cannot be corrupted by a reset that races with a checkpoint. */
export const SQLITE_VERSION_MIN = "3.51.3";
const NODE_MAJOR_MIN = 22;

/**
 * Loads an SQLite driver: bun:sqlite on Bun, node:sqlite on Deno, better-sqlite3 on Node, or the
 * one named. Throws an Error with one clear line when it cannot be loaded on this runtime or its
 * SQLite is too old.
 */
export async function loadSqlite(
  name: SqliteDriverName = defaultSqliteDriver(),
): Promise<SqliteDriver> {
  const driver = await load(name);
  checkSqliteVersion(driver.version, name);
  return driver;
}

/** The driver that suits the runtime. */
export function defaultSqliteDriver(): SqliteDriverName {
  if ("Bun" in globalThis) return "bun:sqlite";
  return "Deno" in globalThis ? "node:sqlite" : "better-sqlite3";
}

/** Throws unless `version` ("3.54.1") is SQLITE_VERSION_MIN or newer. */
export function checkSqliteVersion(version: string, driver: string): void {
  const found = version.split(".").map(Number);
  const least = SQLITE_VERSION_MIN.split(".").map(Number);
  const at = least.findIndex((part, i) => (found[i] ?? 0) !== part);
  if (at < 0 || found[at] > least[at]) return;
  throw new Error(
    `Cannot use ${driver}: its SQLite is ${version}, and one older than ${SQLITE_VERSION_MIN} ` +
      "can corrupt a database (WAL reset). Update the runtime or the package.",
  );
}

/** Throws on a Node older than 22 (`version`: "22.1.0"), where the drivers do not load. */
export function checkNodeVersion(version: string): void {
  if (Number.parseInt(version) >= NODE_MAJOR_MIN) return;
  throw new Error(
    `Cannot run on Node ${version}: Node >= ${NODE_MAJOR_MIN} is needed (or Bun, or Deno).`,
  );
}

/**
 * The SQL expression to select a TEXT column by, when it may hold a NUL: one driver cuts TEXT at
 * the first NUL when it is read (Deno's node:sqlite), so there it is selected as a BLOB. Read the
 * result with `textOf`.
 */
export function textColumn(driver: SqliteDriver, expression: string): string {
  return driver.textKeepsNul ? expression : `CAST(${expression} AS BLOB)`;
}

/** The text of a column selected with `textColumn`. */
export function textOf(value: SqlValue): Bytes {
  if (typeof value === "string") return value;
  const blob = value as Uint8Array;
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).toString("utf8");
}

function load(name: SqliteDriverName): Promise<SqliteDriver> {
  if (name === "bun:sqlite") return loadBun();
  return name === "better-sqlite3" ? loadBetter() : loadNode();
}

async function loadBun(): Promise<SqliteDriver> {
  if (!("Bun" in globalThis)) throw new Error("Cannot load bun:sqlite: this runtime is not Bun");
  const { Database } = await import("bun:sqlite");
  const memory = new Database(":memory:");
  const probe = memory.prepare(PROBE).get() as Probe;
  memory.close();
  return {
    name: "bun:sqlite",
    version: probe.version,
    textKeepsNul: probe.text.length === 3,
    open: (path, options) => openBun(Database, path, options),
  };
}

type BetterClass = new (
  path: string,
  options?: { readonly?: boolean; timeout?: number },
) => NativeDatabase;

async function loadBetter(): Promise<SqliteDriver> {
  // On an older Node the add-on kills the process as it loads.
  if (isNode()) checkNodeVersion(process.versions.node);
  // Not a literal: compiled binaries use what their runtime has built in, and a bundler that
  // followed it would pack the native files of eight platforms.
  const specifier = ["better", "sqlite3"].join("-");
  const { default: Database } = await importOf(specifier) as { default: BetterClass };
  return {
    name: "better-sqlite3",
    ...probeOf(new Database(":memory:")),
    open: (path, options) =>
      openNative(
        (absolutePath) => new Database(absolutePath, { readonly: options.readOnly === true }),
        path,
        options,
      ),
  };
}

async function loadNode(): Promise<SqliteDriver> {
  if (isNode()) checkNodeVersion(process.versions.node);
  const { DatabaseSync } = await import("node:sqlite");
  const create = (path: string, readOnly: boolean) =>
    new DatabaseSync(path, { readOnly, enableForeignKeyConstraints: false }) as NativeDatabase;
  return {
    name: "node:sqlite",
    ...probeOf(create(":memory:", false)),
    open: (path, options) =>
      openNative((absolutePath) => create(absolutePath, options.readOnly === true), path, options),
  };
}

const PROBE = "SELECT sqlite_version() AS version, 'a' || char(0) || 'b' AS text";

interface Probe {
  readonly version: string;
  readonly text: string;
}

function probeOf(memory: NativeDatabase): { version: string; textKeepsNul: boolean } {
  const { version, text } = memory.prepare(PROBE).get() as Probe;
  memory.close();
  return { version, textKeepsNul: text.length === 3 };
}

async function importOf(specifier: string): Promise<unknown> {
  try {
    return await import(specifier);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new Error(`Cannot load ${specifier}: ${reason}`, { cause: error });
  }
}

function isNode(): boolean {
  return !("Bun" in globalThis) && !("Deno" in globalThis);
}
