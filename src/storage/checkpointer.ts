import type { Worker } from "node:worker_threads";
import { type FlushWriter, WorkerFlushWriter } from "./flush_writer.ts";
import { type SqlDatabase, type SqliteDriverName, SqliteError } from "./sqlite_types.ts";
import { startWorker } from "./start_worker.ts";
import { WorkerOutcome } from "./worker_outcome.ts";

/** Moves what was committed from the -wal file into the database file, which bounds the former. */
export interface Checkpointer {
  /** While true, a new transaction would keep the -wal file from starting over. */
  readonly isBusy: boolean;
  /** Writes large flushes on another thread; absent where all is done on one. */
  readonly flushWriter?: FlushWriter;
  /**
   * To be called after commits: starts a checkpoint when the -wal file is long enough. Throws what
   * an earlier one failed with.
   */
  afterCommit(): void;
  /**
   * To be called once the connection is closed; resolves when nothing holds the file open any
   * more. Only then may it be replaced: SQLite's last close removes the -wal file by its name.
   */
  close(): Promise<void>;
}

/** Frames (pages of 4 KiB) in the -wal file at which it is moved. */
const FRAMES_MIN = 256;
/** Frames that are moved on the loop, rather than start a worker: some 10 ms. */
const FRAMES_INLINE_MAX = 512;

/** Smaller flushes take a millisecond or two: not worth a thread. */
const FLUSH_ROWS_MIN = 1000;

/** The answer of the worker to "checkpoint" and "close". */
export interface CheckpointResult {
  /** The answer to "close". */
  readonly isClosed?: boolean;
  /** What failed, if something did. */
  readonly code?: string;
  readonly message?: string;
}

/** What the worker is started with. */
export interface StateWorkerData {
  readonly path: string;
  readonly driver: SqliteDriverName;
  /** Of its WorkerOutcome. */
  readonly memory: SharedArrayBuffer;
}

/** Checkpoints on the thread that writes: for tests and tools. */
export class InlineCheckpointer implements Checkpointer {
  readonly isBusy = false;
  readonly #sql: SqlDatabase;
  readonly #countFrames: () => number;

  constructor(sql: SqlDatabase) {
    this.#sql = sql;
    this.#countFrames = frameCounter(sql);
    sql.exec("PRAGMA wal_autocheckpoint = 0");
  }

  afterCommit(): void {
    if (this.#countFrames() >= FRAMES_MIN) this.#sql.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * Writes large flushes and checkpoints on a worker with a connection of its own: a flush of
 * 100,000 keys takes 200 ms and more, a checkpoint 100 (two fsyncs and a write per page). The
 * worker starts when it is first needed: a node with little to write never has one.
 */
export class WorkerCheckpointer implements Checkpointer {
  isBusy = false;
  readonly flushWriter: FlushWriter;
  readonly #outcome = new WorkerOutcome();
  readonly #sql: SqlDatabase;
  readonly #countFrames: () => number;
  readonly #driver: SqliteDriverName;
  #worker: Worker | undefined;
  #error: Error | undefined;

  /** `sql`: the connection that writes small flushes itself, of less than `flushRowsMin` rows. */
  constructor(sql: SqlDatabase, driver: SqliteDriverName, flushRowsMin = FLUSH_ROWS_MIN) {
    this.#sql = sql;
    this.#driver = driver;
    this.flushWriter = new WorkerFlushWriter(() => this.#started(), this.#outcome, flushRowsMin);
    this.#countFrames = frameCounter(sql);
    sql.exec("PRAGMA wal_autocheckpoint = 0");
  }

  afterCommit(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.isBusy) return;
    const frames = this.#countFrames();
    if (frames < FRAMES_MIN) return;
    if (this.#worker === undefined && frames <= FRAMES_INLINE_MAX) {
      this.#sql.exec("PRAGMA wal_checkpoint(PASSIVE)");
      return;
    }
    this.isBusy = true;
    this.#started().postMessage("checkpoint");
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined || this.#error !== undefined) return;
    this.#worker = undefined;
    // It answers when its connection is closed; ending a thread amid a checkpoint is not safe.
    const closed = new Promise<void>((resolve) => {
      worker.on("message", ({ isClosed }: CheckpointResult) => isClosed && resolve());
      worker.on("error", () => resolve());
    });
    worker.ref();
    worker.postMessage("close");
    await closed;
    await worker.terminate();
  }

  #started(): Worker {
    if (this.#error !== undefined) throw this.#error;
    return this.#worker ??= this.#startWorker();
  }

  #startWorker(): Worker {
    const workerData: StateWorkerData = {
      path: this.#sql.path,
      driver: this.#driver,
      memory: this.#outcome.memory,
    };
    const worker = startWorker("state_worker.ts", workerData);
    worker.on("message", ({ code, message }: CheckpointResult) => {
      this.isBusy = false;
      // No room to move pages into, or a lock on them: the next checkpoint tries again.
      if (code === undefined || code === "SQLITE_FULL" || code === "SQLITE_BUSY") return;
      this.#error = new SqliteError(`Cannot checkpoint: ${message}`, code);
    });
    worker.on("error", (cause) => {
      this.isBusy = false;
      this.#error = new Error(`Cannot write ${this.#sql.path}: the worker died`, { cause });
    });
    // Last: a listener would hold the process again.
    worker.unref();
    return worker;
  }
}

/** A function that returns how many frames of the -wal file are not yet in the database. */
function frameCounter(sql: SqlDatabase): () => number {
  const statement = sql.prepare("PRAGMA wal_checkpoint(NOOP)");
  return () => {
    const row = statement.get();
    return row === undefined ? 0 : Number(row.log) - Number(row.checkpointed);
  };
}
