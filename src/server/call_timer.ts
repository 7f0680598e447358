import type { DataCommand, RunnableCommand } from "../commands/command.ts";

/** Quick commands that share one look at the clock. */
const QUICK_GROUP = 16;

/**
 * Tells how long each of a row of commands took. A look at the clock costs as much as a quick
 * command, so those are timed together: each gets the mean of the group before, and the last of a
 * group what is then missing. Other commands are timed one by one.
 */
export class CallTimer {
  readonly #nowMs: () => number;
  #startMs = 0;
  /** Quick commands since `#startMs`, and what they were reckoned to take together. */
  #count = 0;
  #reckonedMs = 0;
  #quickMs = 0;

  /** `nowMs`: milliseconds of a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** A row of commands begins. */
  start(): void {
    this.#startMs = this.#nowMs();
    this.#count = 0;
    this.#reckonedMs = 0;
  }

  /** To be called before each command. */
  before(command: DataCommand): void {
    if (this.#count > 0 && command.isQuick !== true) this.start();
  }

  /** Milliseconds that the command took. */
  after(command: DataCommand): number {
    const isQuick = command.isQuick === true;
    if (isQuick && ++this.#count < QUICK_GROUP) {
      this.#reckonedMs += this.#quickMs;
      return this.#quickMs;
    }
    const reckonedMs = this.#reckonedMs;
    const startMs = this.#startMs;
    this.start();
    const passedMs = this.#startMs - startMs;
    if (isQuick) this.#quickMs = passedMs / QUICK_GROUP;
    return Math.max(0, passedMs - reckonedMs);
  }
}

/** Times one quick command in a group, which stands for all of it, and each other command. */
export class SampleTimer {
  readonly #nowMs: () => number;
  #startMs = 0;
  #count = 0;
  #quickMs = 0;

  /** `nowMs`: milliseconds of a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** To be called before each command. */
  before(command: RunnableCommand): void {
    if (!isQuick(command) || this.#count === 0) this.#startMs = this.#nowMs();
  }

  /** Milliseconds that the command took. */
  after(command: RunnableCommand): number {
    if (!isQuick(command)) return this.#nowMs() - this.#startMs;
    if (this.#count === 0) this.#quickMs = this.#nowMs() - this.#startMs;
    this.#count = (this.#count + 1) % QUICK_GROUP;
    return this.#quickMs;
  }
}

function isQuick(command: RunnableCommand): boolean {
  return command.path !== "local" && command.isQuick === true;
}
