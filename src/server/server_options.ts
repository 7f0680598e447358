import type { Logger } from "../base/log.ts";
import type { RaftCore } from "../raft/types.ts";
import type { LogStore } from "../storage/raft_log_types.ts";
import type { RedisOperations } from "../storage/redis_operations.ts";
import type { Clock } from "../base/clock.ts";
import type { PeerLink } from "./peer_link.ts";
import type { BesideKeys } from "./beside_keys.ts";

/** What a server is made of. */
export interface ServerOptions {
  readonly raft: RaftCore;
  readonly log: LogStore;
  readonly ops: RedisOperations;
  /** Of the same state as `ops`. */
  readonly beside: BesideKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Seeds the entries' randomness; unsigned 32 bits. */
  readonly seed: number;
  /** Asks to be called back (`turn`) once the sockets that are ready now have been read. */
  schedule(turn: () => void): void;
  readonly link: PeerLink;
  /** A defect or an I/O failure: the node must stop. */
  fatal(error: unknown): void;
  /** How long a command may wait for a leader or for its commit. */
  readonly requestTimeoutMs: number;
  /** Larger commands go into the log in pieces; its own default otherwise. */
  readonly pieceBytes?: number;
  /** Whether changes of the data come faster than they are written: then fewer are let in. */
  isBacklogged(): boolean;
  /**
   * Whether the data directory's file system is too full to take more writes; for a node that does
   * not lead, and writes what the leader has accepted, only when that may find no room.
   */
  noRoom(isLeader: boolean): boolean;
}
