/** The node's clocks, given from outside so that a test can move them. */
export interface Clock {
  /** Unix time in milliseconds, whole. */
  wallMs(): number;
  /** Unix time in microseconds, whole. */
  wallUs(): number;
  /** A clock that never goes back, in milliseconds. */
  monotonicMs(): number;
}

export const SYSTEM_CLOCK: Clock = {
  wallMs: () => Date.now(),
  wallUs: () => Date.now() * 1000 + Math.floor(performance.now() * 1000) % 1000,
  monotonicMs: () => performance.now(),
};
