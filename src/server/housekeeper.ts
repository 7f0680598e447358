import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { isDiskFull } from "../storage/snapshot_maker.ts";
import type { LogPurger, LogUsers } from "./log_purger.ts";
import type { NodeStorage } from "./node_storage.ts";

/** Work on state.db between two turns of the loop. */
const FLUSH_BUDGET_MS = 2;
/** The same while changes come faster than they are written. */
const BACKLOG_BUDGET_MS = 15;
const PURGE_CHECK_MS = 100;

export interface HousekeeperOptions {
  readonly storage: NodeStorage;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly purger: LogPurger;
  readonly users: LogUsers;
  readonly fatal: (error: unknown) => void;
  /** Called after each step of writing. */
  readonly onStep: () => void;
}

/** Work beside the clients': writes the state behind, and drops log that it covers. */
export class Housekeeper {
  readonly #options: HousekeeperOptions;
  #timer: Timer | undefined;
  #stopped = false;
  #isDiskFull = false;
  #isLocked = false;
  #purgeCheckedMs = 0;

  constructor(options: HousekeeperOptions) {
    this.#options = options;
  }

  /** Looks whether something is due; call it at each tick of the loop. */
  tick(nowMs: number): void {
    this.#options.storage.ops.setClock(nowMs);
    if (nowMs - this.#purgeCheckedMs >= PURGE_CHECK_MS) {
      this.#purgeCheckedMs = nowMs;
      this.#purge(nowMs);
    }
    if (this.#timer === undefined && this.#options.storage.ops.flushWaitMs() === 0) this.#plan(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #plan(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#step();
    });
  }

  #step(): void {
    if (this.#stopped) return;
    const { storage, logger, fatal, onStep } = this.#options;
    const { ops } = storage;
    try {
      const more = ops.flushStep(ops.backlogged ? BACKLOG_BUDGET_MS : FLUSH_BUDGET_MS);
      if (ops.diskFull !== this.#isDiskFull) {
        this.#isDiskFull = ops.diskFull;
        if (ops.diskFull) logger.error("disk full: state.db cannot be written");
        else logger.info("state.db can be written again");
      }
      if (ops.retry.isLocked !== this.#isLocked) {
        this.#isLocked = ops.retry.isLocked;
        if (this.#isLocked) logger.warn("another program has locked state.db: its flush waits");
        else logger.info("state.db is locked no more");
      }
      if (more) this.#plan(0);
    } catch (error) {
      fatal(error);
    }
    onStep();
  }

  #purge(nowMs: number): void {
    const { purger, users, fatal } = this.#options;
    purger.run(nowMs, users).catch((error) => {
      if (!this.#stopped && !isDiskFull(error)) fatal(error);
    });
  }
}
