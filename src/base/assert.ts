/** Throws when an invariant does not hold: a defect of the program, never a client's mistake. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** A broken invariant. The node stops on it: its state can no longer be trusted. */
export class AssertionError extends Error {
  override name = "AssertionError";
}
