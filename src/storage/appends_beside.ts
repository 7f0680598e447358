import { CommitPace } from "./commit_pace.ts";
import type { LogJob, LogWriter } from "./log_writer.ts";
import { isFull, setExclusive } from "./raft_log_database.ts";
import type { AppendOutcome, LogWriterMode } from "./raft_log_types.ts";
import type { SqlDatabase } from "./sqlite_types.ts";

/** An append that a LogWriter has under way. */
export interface AppendBeside {
  readonly job: LogJob;
  /** Has the log show it; it is durable, which took `ms`. */
  readonly finish: (ms: number) => void;
  readonly written: (outcome: AppendOutcome) => void;
}

/** The appends of a log that are written beside the loop, one at a time. */
export class AppendsBeside {
  readonly #database: SqlDatabase;
  readonly #writer: LogWriter;
  readonly #isAlways: boolean;
  readonly #pace = new CommitPace();
  #isExclusive: boolean;
  #append: AppendBeside | undefined;
  /** It has ended, and `written` was not yet called. */
  #tell: (() => void) | undefined;

  /** `database`: the log's own connection, not opened as exclusive. */
  constructor(database: SqlDatabase, writer: LogWriter, mode: Exclude<LogWriterMode, "inline">) {
    this.#database = database;
    this.#writer = writer;
    this.#isAlways = mode === "worker";
    this.#isExclusive = mode === "auto";
    if (this.#isExclusive) setExclusive(database, true);
  }

  /** Whether the next append should be one. */
  get isWanted(): boolean {
    return this.#isAlways || this.#pace.isSlow;
  }

  set onWritten(run: () => void) {
    this.#writer.onDone = run;
  }

  /** A commit of the log took `ms`. */
  took(ms: number): void {
    this.#pace.took(ms);
  }

  begin(append: AppendBeside): void {
    if (this.#isExclusive) {
      this.#isExclusive = false;
      setExclusive(this.#database, false);
    }
    this.#writer.begin(append.job);
    this.#append = append;
  }

  /** Blocks until nothing is under way. Throws what it failed with, but for a full disk. */
  settle(): void {
    if (this.#append === undefined) return;
    this.#writer.wait();
    this.#look();
  }

  /** What tells that an append has ended, if one has. Throws as `settle` does. */
  takeEnded(): (() => void) | undefined {
    this.#look();
    const tell = this.#tell;
    this.#tell = undefined;
    return tell;
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  #look(): void {
    const append = this.#append;
    if (append === undefined) return;
    const { finish, written } = append;
    try {
      const ms = this.#writer.tookMs();
      if (ms === undefined) return;
      this.#append = undefined;
      this.#tell = () => written("durable");
      finish(ms);
    } catch (error) {
      this.#append = undefined;
      if (!isFull(error)) throw error;
      this.#tell = () => written("full");
    }
  }
}
