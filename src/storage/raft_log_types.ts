import type { Histogram } from "../base/histogram.ts";
import type { Entry, HardState, LogReader, SnapshotMeta } from "../raft/types.ts";

/** Who this node is; written once, at its first start or join. */
export interface Identity {
  /** 16 random bytes in hex, equal on all nodes of a cluster. */
  readonly clusterId: string;
  readonly nodeId: number;
  /** Counts the starts of this node: (nodeId, incarnation) names one run of the process. */
  readonly incarnation: number;
  /**
   * Random numbers of this run and those before it, latest first, at most RUNS_KEPT: a copy of the
   * directory that starts too goes on with others.
   */
  readonly runs: readonly number[];
}

/** Former runs that a node can name. */
export const RUNS_KEPT = 32;

/** What a node knows of another that it has met. */
export interface PeerRecord {
  incarnation: number;
  /** The random number of that run. */
  run: number;
  /** The latest term that it spoke in, and the last entry that it acknowledged to us in it. */
  term: number;
  match: number;
}

/** All of them, by node id, and the cluster they belong to. */
export interface PeerRecords {
  readonly clusterId: string;
  readonly nodes: Readonly<Record<string, PeerRecord>>;
}

/** Who writes appends: the loop, another thread, or ("auto") whichever suits the disk. */
export type LogWriterMode = "auto" | "inline" | "worker";

export type AppendOutcome = "durable" | "full";

/** The durable Raft log of one node: log.db. */
export interface LogStore extends LogReader {
  readonly identity: Identity | undefined;
  setIdentity(identity: Identity): void;
  readonly peerRecords: PeerRecords;
  setPeerRecords(records: PeerRecords): void;
  readonly hardState: HardState;
  /** Position and configuration the log starts behind. */
  readonly snapshot: SnapshotMeta;
  /** Bytes of entries now stored. */
  readonly bytes: number;
  /** Who writes the next append. */
  readonly writer: Exclude<LogWriterMode, "auto">;
  readonly metrics: {
    fsyncs: number;
    fsyncMsTotal: number;
    fsyncMsMax: number;
    readonly fsyncMs: Histogram;
  };

  /**
   * Makes entries and hard state durable in one transaction. Entries at or after entries[0].index
   * are removed first. True: they are durable. False, only with `written`: another thread writes
   * them; the log shows them, and `poll` calls `written`, when they are durable, and until then
   * nothing else may be appended. An error is final: the node must stop (disk full excepted:
   * SqliteError SQLITE_FULL, nothing was written).
   */
  append(
    entries: readonly Entry[],
    hardState: HardState | undefined,
    written?: (outcome: AppendOutcome) => void,
  ): boolean;
  /** Calls `written` of an append that has ended. Throws what it failed with. */
  poll(): void;
  /** Called when there is something to poll. */
  onWritten: () => void;
  /** Drops entries up to `meta.index`, which a durable state or snapshot now covers. */
  compact(meta: SnapshotMeta): void;
  /** Replaces the whole log by a snapshot's position (install). */
  reset(meta: SnapshotMeta): void;
  close(): void;
}
