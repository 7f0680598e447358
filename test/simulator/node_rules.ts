import type { Prng } from "../../src/base/prng.ts";
import type { RaftOptions } from "../../src/raft/types.ts";
import type { WorkLimits } from "../../src/storage/cached_options.ts";
import type { LogWriterMode } from "../../src/storage/raft_log_types.ts";

/** What all nodes of a run have in common. */
export interface NodeRules {
  readonly raft: Partial<RaftOptions>;
  readonly cacheBytes: number;
  readonly workLimits: WorkLimits;
  readonly changesBytes: number;
  readonly logCacheBytes: number;
  readonly logBytesMax: number;
  readonly logWriter: LogWriterMode;
  readonly pieceBytes: number;
  readonly snapshotIdleMs: number | undefined;
  readonly requestTimeoutMs: number;
}

/** Those of one seed. */
export function nodeRules(random: Prng, electionTimeoutMs: number): NodeRules {
  const rules = {
    raft: {
      electionTimeoutMs,
      heartbeatMs: Math.floor(electionTimeoutMs / (4 + random.below(3))),
      inflightMax: 1 + random.below(4),
      appendBytesMax: [1, 200 + random.below(2000), 1024 * 1024][random.below(3)],
      uncommittedBytesMax: random.next() < 0.2 ? 4096 : 1024 * 1024,
    },
    cacheBytes: random.next() < 0.5 ? 2000 + random.below(8000) : 1024 * 1024,
    workLimits: {
      rowsPerLook: [1, 3, 64][random.below(3)],
      wholeElementsMax: [1, 5, 4096][random.below(3)],
    },
    changesBytes: [400, 4000, 64 * 1024][random.below(3)],
    logCacheBytes: random.next() < 0.5 ? 2000 : 1024 * 1024,
    logBytesMax: 4096 * (1 + random.below(12)),
    requestTimeoutMs: 300 + random.below(3000),
    logWriter: random.next() < 0.5 ? "inline" : "worker",
    pieceBytes: random.next() < 0.7 ? 16 : 400,
  } as const;
  const { requestTimeoutMs } = rules;
  // No run lasts as long as an idle snapshot is kept otherwise.
  const snapshotIdleMs = requestTimeoutMs % 3 === 0 ? 50 + requestTimeoutMs / 2 : undefined;
  return { ...rules, snapshotIdleMs };
}
