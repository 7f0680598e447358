import type { Logger } from "../base/log.ts";
import { SqliteError } from "../storage/sqlite_types.ts";
import { isDiskFull } from "../storage/snapshot_maker.ts";
import type { LogPurger, LogUsers } from "./log_purger.ts";
import type { NodeStorage } from "./node_storage.ts";

/** Work on state.db between two turns of the loop. */
const FLUSH_BUDGET_MS = 2;
const DISK_FULL_RETRY_MS = 500;
const PURGE_CHECK_MS = 500;

/** Work beside the clients': writes the state behind, and drops log that it covers. */
export class Housekeeper {
  readonly #storage: NodeStorage;
  readonly #logger: Logger;
  readonly #purger: LogPurger;
  readonly #users: LogUsers;
  readonly #fatal: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #isDiskFull = false;
  #purgeCheckedMs = 0;

  constructor(
    storage: NodeStorage,
    logger: Logger,
    purger: LogPurger,
    users: LogUsers,
    fatal: (error: unknown) => void,
  ) {
    this.#storage = storage;
    this.#logger = logger;
    this.#purger = purger;
    this.#users = users;
    this.#fatal = fatal;
  }

  /** Looks whether something is due; call it at each tick of the loop. */
  tick(nowMs: number): void {
    if (nowMs - this.#purgeCheckedMs >= PURGE_CHECK_MS) {
      this.#purgeCheckedMs = nowMs;
      this.#purge(nowMs);
    }
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
    try {
      const more = this.#storage.ops.flushStep(FLUSH_BUDGET_MS);
      if (this.#isDiskFull) this.#logger.info("state.db can be written again");
      this.#isDiskFull = false;
      if (more) this.#plan(0);
    } catch (error) {
      if (!(error instanceof SqliteError && error.code === "SQLITE_FULL")) {
        return this.#fatal(error);
      }
      if (!this.#isDiskFull) this.#logger.error("disk full: state.db cannot be written");
      this.#isDiskFull = true;
      this.#plan(DISK_FULL_RETRY_MS);
    }
  }

  #purge(nowMs: number): void {
    this.#purger.run(nowMs, this.#users).catch((error) => {
      if (!isDiskFull(error)) this.#fatal(error);
    });
  }
}
