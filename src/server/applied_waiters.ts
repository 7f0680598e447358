interface Waiter {
  readonly index: number;
  readonly deadlineMs: number;
  readonly resolve: (isReached: boolean) => void;
}

/** Those who wait until this node has applied an entry. */
export class AppliedWaiters {
  #waiters: Waiter[] = [];

  /** Resolves to true once `applied` was called for the index, to false at the deadline. */
  wait(index: number, deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => this.#waiters.push({ index, deadlineMs, resolve }));
  }

  /** All up to this index is applied. */
  applied(index: number): void {
    this.#settle((waiter) => waiter.index <= index, true);
  }

  /** Ends the wait of those whose time is up. */
  tick(nowMs: number): void {
    this.#settle((waiter) => waiter.deadlineMs <= nowMs, false);
  }

  #settle(isDone: (waiter: Waiter) => boolean, isReached: boolean): void {
    if (this.#waiters.length === 0 || !this.#waiters.some(isDone)) return;
    const done = this.#waiters.filter(isDone);
    this.#waiters = this.#waiters.filter((waiter) => !isDone(waiter));
    for (const { resolve } of done) resolve(isReached);
  }
}
