import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, sleep } from "../../src/base/clock.ts";
import type { Entropy } from "../../src/base/entropy.ts";
import type { Prng } from "../../src/base/prng.ts";
import { type NodeStorageOptions, type StorageOutside } from "../../src/server/node_storage.ts";
import { type Checkpointer, InlineCheckpointer } from "../../src/storage/checkpointer.ts";
import { openDataDirectory } from "../../src/storage/data_directory.ts";
import { type Disk, SYSTEM_DISK } from "../../src/storage/disk.ts";
import { temporaryPath } from "../../src/storage/snapshot.ts";
import { makeSnapshotNow } from "../../src/storage/snapshot_maker.ts";
import {
  type SqlDatabase,
  type SqliteDriver,
  SqliteError,
} from "../../src/storage/sqlite_types.ts";
import { type Process, ProcessDied } from "./process.ts";
import { type DiskFaults, SimDisk, systemError } from "./sim_disk.ts";
import { SimCheckpointer } from "./sim_checkpointer.ts";
import { SimLogWriter } from "./sim_log_writer.ts";
import { simDriver } from "./sim_sqlite.ts";

/** How often a look at the clock finds that time has passed, and how much. */
const WORK_SHARE_MAX = 0.3;
const WORK_MS_MAX = 4;

/** How a machine's disk behaves at the moment. */
export interface DiskRules {
  /** How likely a write finds no room. */
  fullShare: number;
  /** Each operation takes up to this long. */
  slowMsMax: number;
  /** A write of the log beside the loop takes up to this long. */
  stallMs: number;
  /** Operations that change the disk until one fails, or the machine dies in it. */
  failIn: number;
  crashIn: number;
  crashLosesPower: boolean;
}

/** A machine's disk, which outlives its processes. */
export interface Machine {
  readonly rules: DiskRules;
  readonly driver: SqliteDriver;
  /** What `openNodeStorage` needs for a process of this machine. */
  storageOptions(process: Process): Pick<NodeStorageOptions, "path" | "outside">;
  /** The process is dead; with `isPowerLost` what was not synced is lost. */
  crashed(isPowerLost: boolean): void;
  /** A new disk. */
  wipe(): void;
  /** Whether its disk is real files. */
  readonly isReal: boolean;
}

export interface MachineOptions {
  readonly host: string;
  readonly real: SqliteDriver;
  readonly random: Prng;
  readonly entropy: Entropy;
  /** The machine, or only its process, dies now. */
  readonly die: (isPowerLost: boolean) => void;
}

function noFaults(): DiskRules {
  return {
    fullShare: 0,
    slowMsMax: 0,
    stallMs: 0,
    failIn: Infinity,
    crashIn: Infinity,
    crashLosesPower: false,
  };
}

/** A machine whose disk is in memory. */
export class MemoryMachine implements Machine, DiskFaults {
  readonly isReal = false;
  readonly rules = noFaults();
  readonly driver: SqliteDriver;
  readonly disk: SimDisk;
  readonly faults: DiskFaults = this;
  generation = 0;
  /** An operation has failed since the process was started. */
  hasFailed = false;
  readonly #options: MachineOptions;
  #process: Process | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.disk = new SimDisk(this);
    this.driver = simDriver(options.real, this);
  }

  storageOptions(process: Process): Pick<NodeStorageOptions, "path" | "outside"> {
    this.generation++;
    this.hasFailed = false;
    this.#process = process;
    const path = `/${this.#options.host}`;
    const outside: StorageOutside = {
      clock: busyClock(process, () => this.random()),
      entropy: this.#options.entropy,
      disk: this.disk,
      openDirectory: () => ({
        path,
        logPath: join(path, "log.db"),
        statePath: join(path, "state.db"),
        snapshotsPath: join(path, "snapshots"),
        sync: () => this.disk.syncDirectory(path),
        close: () => {},
      }),
      checkpointer: (sql) => checkpointerOf(sql, process, () => this.random()),
      logWriter: (log) =>
        new SimLogWriter(log, process, () => this.random(), () => this.rules.stallMs),
      makeSnapshot: async (task) => {
        const temporary = temporaryPath(task.directory);
        await sleep(process.clock, 1 + this.random() * 30);
        // Another connection sees nothing of a transaction under way.
        while (this.disk.names.get(task.statePath)?.database?.isInside) {
          await sleep(process.clock, 1);
        }
        return makeSnapshotNow(this.driver, { ...task, temporary }, this.disk);
      },
    };
    return { path, outside };
  }

  /** What was committed to state.db, when there is one. */
  get state(): SqlDatabase | undefined {
    return this.disk.names.get(`/${this.#options.host}/state.db`)?.database?.raw;
  }

  /** What was committed to log.db, when there is one. */
  get log(): SqlDatabase | undefined {
    return this.disk.names.get(`/${this.#options.host}/log.db`)?.database?.raw;
  }

  checkAlive(generation: number): void {
    if (this.generation !== generation || !this.#process?.isAlive) throw new ProcessDied();
  }

  crashed(isPowerLost: boolean): void {
    this.generation++;
    this.#process = undefined;
    if (isPowerLost) this.disk.losePower();
    else this.disk.killed();
  }

  wipe(): void {
    this.generation++;
    this.disk.wipe();
  }

  /** Turns one bit of a row of the log; false when there is none. */
  flipBit(): boolean {
    const log = this.disk.names.get(`/${this.#options.host}/log.db`)?.database?.raw;
    const table = log?.prepare("SELECT name FROM sqlite_master WHERE name = 'log'").get();
    if (table === undefined) return false;
    const row = log?.prepare("SELECT first, data FROM log ORDER BY first DESC LIMIT 1").get();
    if (log === undefined || row === undefined) return false;
    const data = Uint8Array.from(row.data as Uint8Array);
    if (data.length === 0) return false;
    data[Math.floor(this.random() * data.length)] ^= 1 << Math.floor(this.random() * 8);
    log.prepare("UPDATE log SET data = ? WHERE first = ?").run(data, row.first);
    return true;
  }

  get isFull(): boolean {
    const { fullShare } = this.rules;
    return fullShare > 0 && this.random() < fullShare;
  }

  random(): number {
    return this.#options.random.next();
  }

  before(operation: string): void {
    const { rules } = this;
    const process = this.#process;
    if (process === undefined || !process.isAlive) throw new ProcessDied();
    if (rules.slowMsMax > 0) process.lagMs += this.random() * rules.slowMsMax;
    if (--rules.crashIn === 0 && this.random() < 0.5) this.#die();
    if (--rules.failIn === 0) this.#fail(operation);
  }

  after(operation: string): void {
    const { rules } = this;
    if (rules.crashIn <= 0) this.#die();
    if (rules.failIn <= 0) {
      rules.failIn = Infinity;
      this.#fail(operation);
    }
  }

  #fail(operation: string): never {
    this.hasFailed = true;
    throw ioError(operation);
  }

  #die(): never {
    this.rules.crashIn = Infinity;
    this.#options.die(this.rules.crashLosesPower);
    throw new ProcessDied();
  }
}

function ioError(operation: string): Error {
  return operation === "commit"
    ? new SqliteError("disk I/O error", "SQLITE_IOERR")
    : systemError("EIO", operation);
}

/** A machine whose disk is real files: its processes are killed, its power does not fail. */
export class RealMachine implements Machine {
  readonly isReal = true;
  readonly rules = noFaults();
  readonly driver: SqliteDriver;
  readonly #options: MachineOptions;
  readonly #open = new Set<SqlDatabase>();
  #closers: (() => void)[] = [];
  #path: string;
  #isFresh = true;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.#path = this.#makePath();
    this.driver = {
      ...options.real,
      open: (path, opening) => {
        const database = options.real.open(path, opening);
        this.#open.add(database);
        return database;
      },
    };
  }

  storageOptions(process: Process): Pick<NodeStorageOptions, "path" | "outside"> {
    const path = this.#path;
    this.#isFresh = false;
    const random = () => this.#options.random.next();
    const outside: StorageOutside = {
      clock: busyClock(process, random),
      entropy: this.#options.entropy,
      disk: SYSTEM_DISK_NOW,
      openDirectory: (driver, at) => {
        const directory = openDataDirectory(driver, at);
        this.#closers.push(() => directory.close());
        return directory;
      },
      checkpointer: (sql) => checkpointerOf(sql, process, random),
      logWriter: (log) => new SimLogWriter(log, process, random, () => this.rules.stallMs),
      makeSnapshot: async (task) => {
        await sleep(process.clock, 5);
        const temporary = temporaryPath(task.directory);
        return makeSnapshotNow(this.driver, { ...task, temporary });
      },
    };
    return { path, outside };
  }

  /** The files as they are now become another directory: what a killed process leaves. */
  crashed(): void {
    if (this.#isFresh) return;
    const next = this.#makePath();
    cpSync(this.#path, next, { recursive: true });
    this.#leave();
    this.#path = next;
  }

  wipe(): void {
    this.#leave();
    this.#path = this.#makePath();
    this.#isFresh = true;
  }

  #leave(): void {
    for (const database of this.#open) {
      try {
        database.close();
      } catch (error) {
        if (!(error instanceof SqliteError)) throw error;
      }
    }
    this.#open.clear();
    for (const close of this.#closers) close();
    this.#closers = [];
    rmSync(this.#path, { recursive: true, force: true });
  }

  #makePath(): string {
    return mkdtempSync(join(tmpdir(), `balsa-sim-${this.#options.host}-`));
  }
}

/** In half of the processes large flushes are written on another thread. */
function checkpointerOf(sql: SqlDatabase, process: Process, random: () => number): Checkpointer {
  return random() < 0.5 ? new InlineCheckpointer(sql) : new SimCheckpointer(sql, process, random);
}

/** What storage takes the time of its work by: some may have passed at each look. */
function busyClock(process: Process, random: () => number): Clock {
  const share = random() < 0.5 ? 0 : random() * WORK_SHARE_MAX;
  return {
    ...process.clock,
    monotonicMs: () => {
      if (random() < share) process.lagMs += random() * WORK_MS_MAX;
      return process.clock.monotonicMs();
    },
  };
}

/** Of the real disk, without threads: what it does is done when it returns. */
const SYSTEM_DISK_NOW: Disk = {
  ...SYSTEM_DISK,
  syncAside: (fd) => {
    SYSTEM_DISK.sync(fd);
    return Promise.resolve();
  },
};
