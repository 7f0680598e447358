import type { Reads } from "./reads.ts";
import type { StateMachine } from "./state_machine.ts";

/** What became of keys on this node since its start. */
export interface KeyFigures {
  /** Keys, and fields of hashes, that were deleted as their time had come. */
  readonly expiredKeys: number;
  readonly expiredFields: number;
  /** Keys that reads looked for, and found or not. */
  readonly hits: number;
  readonly misses: number;
}

/** The figures of those that run commands. */
export function keyFiguresOf(machine: StateMachine, reads: Reads): KeyFigures {
  const { expiredKeys, expiredFields, lookups } = machine;
  const hits = lookups.hits + reads.lookups.hits;
  const misses = lookups.misses + reads.lookups.misses;
  return { expiredKeys, expiredFields, hits, misses };
}
