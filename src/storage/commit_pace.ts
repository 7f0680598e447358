/** Weight of one commit in the mean. */
const SHARE = 0.05;
/** A commit counts for no more, so that a single slow one decides nothing. */
const COMMIT_MS_MAX = 10;
/** A mean above and below which the disk is slow and fast, milliseconds. */
const SLOW_MS = 1;
const FAST_MS = 0.5;

/** Judges by the last few dozen commits whether a disk is worth another thread. */
export class CommitPace {
  #meanMs = 0;
  #isSlow = false;

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** A commit took `ms`. */
  took(ms: number): void {
    this.#meanMs += SHARE * (Math.min(ms, COMMIT_MS_MAX) - this.#meanMs);
    if (this.#meanMs > SLOW_MS) this.#isSlow = true;
    else if (this.#meanMs < FAST_MS) this.#isSlow = false;
  }
}
