/** The node's clocks, given from outside so that a test can move them. */
export interface Clock {
  /** Unix time in milliseconds, whole. */
  wallMs(): number;
  /** A clock that never goes back, in milliseconds. */
  monotonicMs(): number;
}

export const SYSTEM_CLOCK: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
