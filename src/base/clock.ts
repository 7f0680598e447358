/** A callback that waits for its time. */
export interface Timer {
  /** It is not called any more. */
  cancel(): void;
}

/** The node's clocks and timers, given from outside so that a test can move them. */
export interface Clock {
  /** Unix time in milliseconds, whole. */
  wallMs(): number;
  /** Unix time in microseconds, whole. */
  wallUs(): number;
  /** A clock that never goes back, in milliseconds. */
  monotonicMs(): number;
  /** Calls back once, after a delay in milliseconds. */
  after(delayMs: number, run: () => void): Timer;
}

export const SYSTEM_CLOCK: Clock = {
  wallMs: () => Date.now(),
  wallUs: () => Date.now() * 1000 + Math.floor(performance.now() * 1000) % 1000,
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves after a delay in milliseconds. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
