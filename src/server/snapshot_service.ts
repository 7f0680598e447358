import type { NodeId, SnapshotMeta } from "../raft/types.ts";

/** Whoever makes, sends, takes and installs snapshots for a server. */
export interface SnapshotService {
  /** These peers of this leader need one; `Server.snapshotSent` is called for each, in time. */
  needed(peers: readonly NodeId[]): void;
  /** Whether a received one with this position is at hand. */
  holds(snapshot: SnapshotMeta): boolean;
  /** Installs it and calls `Server.snapshotInstalled`. */
  install(snapshot: SnapshotMeta): void;
}
