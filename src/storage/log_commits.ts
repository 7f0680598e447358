import { Histogram, TIME_BOUNDS_MS } from "../base/histogram.ts";
import { AppendsBeside } from "./appends_beside.ts";
import type { LogWriter } from "./log_writer.ts";
import {
  isFull,
  type LogStatements,
  prepareStatements,
  readingFile,
  rollBack,
} from "./raft_log_database.ts";
import type { LogWriterMode } from "./raft_log_types.ts";
import type { SqlDatabase } from "./sqlite_types.ts";

const PAGE_BYTES = 4096;
/** Pages written to the WAL between two checkpoints: what one may have to copy. */
const CHECKPOINT_PAGES = 512;

/** The commits of a log: each an fsync, measured; after an error that is final, none any more. */
export class LogCommits {
  readonly metrics = {
    fsyncs: 0,
    fsyncMsTotal: 0,
    fsyncMsMax: 0,
    fsyncMs: new Histogram(TIME_BOUNDS_MS),
  };
  readonly sql: LogStatements;
  beside: AppendsBeside | undefined;
  readonly #database: SqlDatabase;
  #walPages = 0;
  /** The error that ended the use of this log. */
  #failure: Error | undefined;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.sql = prepareStatements(database);
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Has appends written by `writer`: always, or ("auto") while the disk is slow. */
  writeBeside(writer: LogWriter, mode: Exclude<LogWriterMode, "inline">): void {
    this.beside = new AppendsBeside(this.#database, writer, mode);
  }

  /** Runs what ends in one commit. After SQLITE_FULL all is as before; any other error is final. */
  run(write: () => void): void {
    this.check();
    const startMs = performance.now();
    try {
      write();
    } catch (error) {
      rollBack(this.sql);
      throw this.fail(error);
    }
    this.observe(performance.now() - startMs);
  }

  transaction(write: () => void): void {
    this.run(() => {
      this.sql.begin.run();
      write();
      this.sql.commit.run();
    });
  }

  /** A commit took `ms`. */
  observe(ms: number): void {
    this.beside?.took(ms);
    this.metrics.fsyncs++;
    this.metrics.fsyncMs.observe(ms);
    this.metrics.fsyncMsTotal += ms;
    if (ms > this.metrics.fsyncMsMax) this.metrics.fsyncMsMax = ms;
  }

  /**
   * Counts what a commit with `dataBytes` of rows adds to the -wal file; true: it is long enough
   * to be moved, and counting starts anew.
   */
  isCheckpointDue(dataBytes: number): boolean {
    this.#walPages += 2 + Math.ceil(dataBytes / PAGE_BYTES);
    if (this.#walPages < CHECKPOINT_PAGES) return false;
    this.#walPages = 0;
    return true;
  }

  /** Copies what the WAL holds to the file; the next commit then starts the WAL over. */
  checkpoint(): void {
    try {
      this.sql.checkpoint.get();
    } catch (error) {
      // No room in the file: the WAL keeps what is there, and a later checkpoint copies it.
      if (!isFull(error)) throw this.fail(error);
    }
  }

  /** Blocks until no append is under way beside the loop. */
  settle(): void {
    if (this.beside === undefined) return;
    try {
      this.beside.settle();
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Has whoever waits for an append that has ended know it. */
  poll(): void {
    if (this.beside === undefined) return;
    let tell: (() => void) | undefined;
    try {
      tell = this.beside.takeEnded();
    } catch (error) {
      throw this.fail(error);
    }
    tell?.();
  }

  /** Reads, where any error is final. */
  read<T>(run: () => T): T {
    this.check();
    try {
      return readingFile(this.#database.path, run);
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Throws once an error was final. */
  check(): void {
    if (this.#failure === undefined) return;
    throw new Error(`The log cannot be used any more: ${this.#failure.message}`, {
      cause: this.#failure,
    });
  }

  /** Notes an error and returns it. */
  fail(error: unknown): unknown {
    if (!isFull(error)) this.#failure ??= error instanceof Error ? error : new Error(String(error));
    return error;
  }

  close(): void {
    this.#failure ??= new Error(`${this.#database.path} is closed`);
    this.#database.close();
  }
}
