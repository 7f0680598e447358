import { Buffer } from "node:buffer";
import {
  type SqlDatabase,
  type SqliteDriver,
  SqliteError,
  type SqliteOpenOptions,
  type SqlRow,
  type SqlStatement,
  type SqlValue,
} from "../../src/storage/sqlite_types.ts";
import type { DiskFaults, Inode, SimDisk } from "./sim_disk.ts";

/** What the twin needs of the machine that it runs on. */
export interface SqliteMachine {
  readonly disk: SimDisk;
  readonly faults: DiskFaults;
  /** Throws when the process that holds `generation` is dead. */
  checkAlive(generation: number): void;
  readonly generation: number;
}

const CHANGES = /^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE)\b/i;
const NO_FRAMES: SqlRow = { busy: 0, log: 0, checkpointed: 0 };
/** How likely the kernel writes a commit of a `normal` database back by itself. */
const WRITEBACK_SHARE = 0.2;
/** Some snapshots are larger than one chunk of a transfer. */
const PADDING_BYTES = 300 * 1024;

/**
 * The twin of storage/sqlite.ts: SQLite in memory, whose commits can fail, and are lost at a power
 * loss where SQLite would not have synced them.
 */
export function simDriver(real: SqliteDriver, machine: SqliteMachine): SqliteDriver {
  return {
    name: real.name,
    version: real.version,
    textKeepsNul: real.textKeepsNul,
    open: (path, options) => {
      machine.checkAlive(machine.generation);
      const inode = machine.disk.databaseFile(path);
      inode.database ??= new MemoryDatabase(real, inode, machine.faults);
      return new Connection(path, inode.database, machine, options);
    },
  };
}

/** The content of one database file. With `normal`, an outer transaction holds what is unsynced. */
export class MemoryDatabase {
  readonly raw: SqlDatabase;
  readonly faults: DiskFaults;
  readonly #statements = new Map<string, SqlStatement>();
  /** Commits wait in an outer transaction until they are synced. */
  isNormal = false;
  #isOuter = false;
  /** A transaction is under way. */
  isInside = false;
  /** All that was committed before the transaction under way is synced. */
  #isSyncedBefore = false;
  #commits = 0;

  constructor(real: SqliteDriver, inode: Inode, faults: DiskFaults) {
    this.faults = faults;
    this.raw = real.open("memory", { synchronous: "full", memory: true });
    if (inode.bytes.length > 0) load(this.raw, inode.bytes);
  }

  prepare(sql: string): SqlStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.raw.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  begin(): void {
    if (this.isNormal && !this.#isOuter) {
      this.#run("BEGIN");
      this.#isOuter = true;
    }
    this.#run(this.isNormal ? "SAVEPOINT inside" : "BEGIN IMMEDIATE");
    this.isInside = true;
  }

  commit(): void {
    this.#fail("commit");
    this.#end();
    this.faults.after("commit");
  }

  rollback(): void {
    if (!this.isInside) throw new SqliteError("no transaction is active", "SQLITE_ERROR");
    this.#rollback();
  }

  /** Runs one statement that changes something and is a transaction of its own. */
  alone<T>(run: () => T): T {
    if (this.isInside) return run();
    this.#fail("commit");
    this.begin();
    let result: T;
    try {
      result = run();
    } catch (error) {
      this.#rollback();
      throw error;
    }
    this.#end();
    this.faults.after("commit");
    return result;
  }

  /** What was committed is durable from now on. */
  sync(): void {
    if (!this.#isOuter) return;
    if (this.isInside) {
      this.#isSyncedBefore = true;
      return;
    }
    this.#run("COMMIT");
    this.#isOuter = this.#isSyncedBefore = false;
  }

  losePower(): void {
    if (this.isInside) this.#rollback();
    if (this.#isSyncedBefore) this.sync();
    if (this.#isOuter) this.#run("ROLLBACK");
    this.#isOuter = this.#isSyncedBefore = false;
  }

  killed(): void {
    if (this.isInside) this.#rollback();
    this.sync();
  }

  destroy(): void {
    this.raw.close();
  }

  /** A failure before anything was written, or an fsync that failed after it was. */
  #fail(operation: string): void {
    if (this.faults.isFull) throw new SqliteError("database or disk is full", "SQLITE_FULL");
    this.faults.before(operation);
  }

  #end(): void {
    this.#run(this.isNormal ? "RELEASE inside" : "COMMIT");
    this.isInside = false;
    const isFirst = this.#commits++ === 0;
    if (isFirst || this.#isSyncedBefore || this.faults.random() < WRITEBACK_SHARE) this.sync();
  }

  #rollback(): void {
    if (this.isNormal) {
      this.#run("ROLLBACK TO inside");
      this.#run("RELEASE inside");
    } else {
      this.#run("ROLLBACK");
    }
    this.isInside = false;
  }

  #run(sql: string): void {
    this.prepare(sql).run();
  }
}

/** One process's connection: dead when the process is. */
class Connection implements SqlDatabase {
  readonly path: string;
  readonly #database: MemoryDatabase;
  readonly #machine: SqliteMachine;
  readonly #generation: number;
  readonly #pragmas = new Map<string, SqlValue>();
  readonly #isReader: boolean;

  constructor(
    path: string,
    database: MemoryDatabase,
    machine: SqliteMachine,
    options: SqliteOpenOptions,
  ) {
    this.path = path;
    this.#database = database;
    this.#machine = machine;
    this.#generation = machine.generation;
    this.#isReader = options.readOnly === true;
    if (!this.#isReader) database.isNormal = options.synchronous === "normal";
  }

  exec(sql: string): void {
    this.#machine.checkAlive(this.#generation);
    const set = /^PRAGMA (\w+) = (\S+)$/.exec(sql);
    if (set !== null) return this.#setPragma(set[1], set[2], sql);
    if (sql === "VACUUM") return;
    if (/^(BEGIN|COMMIT|ROLLBACK|PRAGMA)/.test(sql)) {
      this.prepare(sql).run();
      return;
    }
    this.#database.alone(() => this.#database.raw.exec(sql));
  }

  prepare(sql: string): SqlStatement {
    const database = this.#database;
    const checked = <T>(run: (params: SqlValue[]) => T) => (...params: SqlValue[]): T => {
      this.#machine.checkAlive(this.#generation);
      return run(params);
    };
    const special = this.#special(sql);
    if (special !== undefined) {
      const run = checked(special);
      return {
        run: (...params) => run(...params) === undefined ? 0 : 1,
        get: run,
        all: (...params) => {
          const row = run(...params);
          return row === undefined ? [] : [row];
        },
      };
    }
    const raw = database.prepare(sql);
    const isChange = CHANGES.test(sql);
    return {
      run: checked((params) =>
        isChange ? database.alone(() => raw.run(...params)) : raw.run(...params)
      ),
      get: checked((params) => raw.get(...params)),
      all: checked((params) => raw.all(...params)),
    };
  }

  close(): void {
    if (!this.#isReader && this.#machine.generation === this.#generation) this.#database.killed();
  }

  /** Statements that the twin carries out itself. */
  #special(sql: string): ((params: SqlValue[]) => SqlRow | undefined) | undefined {
    const database = this.#database;
    const done = (run: () => void) => () => {
      run();
      return undefined;
    };
    if (sql.startsWith("BEGIN")) return done(() => database.begin());
    if (sql === "COMMIT") return done(() => database.commit());
    if (sql === "ROLLBACK") return done(() => database.rollback());
    if (sql === "VACUUM INTO ?") return ([path]) => this.#vacuumInto(String(path));
    if (sql.startsWith("PRAGMA wal_checkpoint")) return () => NO_FRAMES;
    const get = /^PRAGMA (\w+)$/.exec(sql);
    if (get !== null && this.#pragmas.has(get[1])) {
      return () => ({ value: this.#pragmas.get(get[1])! });
    }
    return undefined;
  }

  #setPragma(name: string, value: string, sql: string): void {
    if (["application_id", "user_version"].includes(name)) this.#database.raw.exec(sql);
    else this.#pragmas.set(name, /^-?\d+$/.test(value) ? Number(value) : value);
  }

  #vacuumInto(path: string): undefined {
    const { disk, faults } = this.#machine;
    const bytes = dump(this.#database.raw, faults.random() < 0.2 ? PADDING_BYTES : 0);
    const fd = disk.open(path, "w");
    disk.write(fd, bytes, 0, bytes.length, 0);
    disk.close(fd);
  }
}

interface Dump {
  readonly applicationId: number;
  readonly userVersion: number;
  readonly schema: readonly string[];
  readonly tables: readonly { readonly name: string; readonly rows: readonly SavedValue[][] }[];
  readonly padding: string;
}

type SavedValue = string | number | null | { readonly blob: string };

/** All of a database as bytes. */
function dump(raw: SqlDatabase, paddingBytes: number): Uint8Array {
  const schema = raw.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    .all();
  const tables = schema.filter(({ type }) => type === "table").map(({ name }) => ({
    name: String(name),
    rows: raw.prepare(`SELECT * FROM "${name}"`).all().map((row) => Object.values(row).map(save)),
  }));
  const content: Dump = {
    applicationId: Number(raw.prepare("PRAGMA application_id").get()?.application_id),
    userVersion: Number(raw.prepare("PRAGMA user_version").get()?.user_version),
    schema: schema.map(({ sql }) => String(sql)),
    tables,
    padding: "x".repeat(paddingBytes),
  };
  return Buffer.from(JSON.stringify(content));
}

function load(raw: SqlDatabase, bytes: Uint8Array): void {
  let content: Dump;
  try {
    content = JSON.parse(Buffer.from(bytes).toString()) as Dump;
  } catch {
    throw new SqliteError("file is not a database", "SQLITE_NOTADB");
  }
  raw.exec("BEGIN");
  for (const sql of content.schema) raw.exec(sql);
  for (const { name, rows } of content.tables) {
    if (rows.length === 0) continue;
    const insert = raw.prepare(`INSERT INTO "${name}" VALUES (${rows[0].map(() => "?").join()})`);
    for (const row of rows) insert.run(...row.map(restore));
  }
  raw.exec("COMMIT");
  raw.exec(`PRAGMA application_id = ${content.applicationId}`);
  raw.exec(`PRAGMA user_version = ${content.userVersion}`);
}

function save(value: SqlValue): SavedValue {
  if (value instanceof Uint8Array) return { blob: Buffer.from(value).toString("latin1") };
  return typeof value === "bigint" ? Number(value) : value;
}

function restore(value: SavedValue): SqlValue {
  return value !== null && typeof value === "object"
    ? new Uint8Array(Buffer.from(value.blob, "latin1"))
    : value;
}
