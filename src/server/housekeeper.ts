import { toBuffer } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { LOG_BYTES_BEFORE_COMPACTION } from "../constants.ts";
import { decodeConfiguration } from "../raft/membership.ts";
import { SqliteError } from "../storage/sqlite_types.ts";
import type { NodeStorage } from "./node_storage.ts";

/** Work on state.db between two turns of the loop. */
const FLUSH_BUDGET_MS = 2;
/** The same while changes come faster than they are written. */
const BACKLOG_BUDGET_MS = 15;
const COMPACTION_CHECK_MS = 1000;

/** Work beside the clients': writes the state behind, and drops log that it covers. */
export class Housekeeper {
  readonly #storage: NodeStorage;
  readonly #logger: Logger;
  readonly #fatal: (error: unknown) => void;
  readonly #onStep: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #isDiskFull = false;
  #compactionCheckedMs = 0;
  #isCompactionDue = false;

  constructor(
    storage: NodeStorage,
    logger: Logger,
    fatal: (error: unknown) => void,
    onStep: () => void,
  ) {
    this.#storage = storage;
    this.#logger = logger;
    this.#fatal = fatal;
    this.#onStep = onStep;
  }

  /** Looks whether something is due; call it at each tick of the loop. */
  tick(nowMs: number): void {
    if (nowMs - this.#compactionCheckedMs >= COMPACTION_CHECK_MS) {
      this.#compactionCheckedMs = nowMs;
      this.#isCompactionDue = true;
    }
    this.#compact();
    if (this.#timer === undefined && this.#storage.ops.flushWaitMs() === 0) this.#plan(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #plan(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#step();
    }, delayMs);
  }

  #step(): void {
    if (this.#stopped) return;
    const { ops } = this.#storage;
    try {
      const more = ops.flushStep(ops.backlogged ? BACKLOG_BUDGET_MS : FLUSH_BUDGET_MS);
      if (ops.diskFull !== this.#isDiskFull) {
        this.#isDiskFull = ops.diskFull;
        if (ops.diskFull) this.#logger.error("disk full: state.db cannot be written");
        else this.#logger.info("state.db can be written again");
      }
      this.#compact();
      if (more) this.#plan(0);
    } catch (error) {
      this.#fatal(error);
    }
    this.#onStep();
  }

  /** Between two flushes: SQLite refuses a checkpoint amid a transaction. */
  #compact(): void {
    const { log, ops } = this.#storage;
    if (!this.#isCompactionDue || ops.flushing) return;
    try {
      const isLong = log.bytes > LOG_BYTES_BEFORE_COMPACTION;
      if (isLong && !this.#storage.syncState()) return;
      this.#isCompactionDue = false;
      if (!isLong) return;
      const { index, term, configuration } = ops.durable;
      if (index <= log.snapshot.index) return;
      log.compact({
        index,
        term,
        configuration: configuration === ""
          ? log.snapshot.configuration
          : decodeConfiguration(toBuffer(configuration)),
      });
      this.#logger.debug("log compacted", { index, bytes: log.bytes });
    } catch (error) {
      this.#isCompactionDue = false;
      if (!(error instanceof SqliteError && error.code === "SQLITE_FULL")) this.#fatal(error);
    }
  }
}
