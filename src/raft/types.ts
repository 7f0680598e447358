/**
 * What goes into the Raft core and what comes out of it. Everything is a plain value; the core
 * does no I/O, reads no clock and draws no randomness of its own.
 */

/** Identity of a node, never reused in the life of a cluster; 0 means none. */
export type NodeId = number;

/**
 * - `normal`: an opaque command batch.
 * - `noop`: the entry a new leader appends first; empty.
 * - `configuration`: an encoded Configuration, in effect as soon as it is in the log.
 */
export type EntryKind = "normal" | "noop" | "configuration";

export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  /** Encoded once: the same bytes go to the log, to peers and to the state machine. */
  readonly data: Uint8Array;
  /** What the proposer keeps beside the entry in memory; never stored, never sent. */
  readonly local?: unknown;
}

/** Voters and learners; `votersOutgoing` is not empty during joint consensus (C_old). */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** Opaque to the core, carried with the configuration: node id -> peer address. */
  readonly addresses: Readonly<Record<number, string>>;
}

/** What must be durable before any message that reveals it leaves. */
export interface HardState {
  readonly term: number;
  readonly votedFor: NodeId;
  /** A hint only: may be older than what was committed. */
  readonly commit: number;
}

/** The position a snapshot stands at. */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
}

/**
 * The durable log as the core reads it, synchronously. It covers (snapshot.index, lastIndex];
 * entries in Ready.entries belong to it once `persisted` was called for them, or as soon as the
 * store accepted them, whichever comes first: the core never asks it for what is still unstable.
 */
export interface LogReader {
  /** First index still stored; lastIndex + 1 when empty. */
  readonly firstIndex: number;
  /** Last index stored; equals the snapshot's index when empty. */
  readonly lastIndex: number;
  /** Term of an entry, for firstIndex - 1 too; undefined when compacted or beyond the end. */
  term(index: number): number | undefined;
  /**
   * Entries [from, to), at least one when there is any, else as many as fit in `bytesMax`.
   * Undefined when `from` has been compacted.
   */
  entries(from: number, to: number, bytesMax: number): readonly Entry[] | undefined;
}

export type Role = "follower" | "pre_candidate" | "candidate" | "leader";

/** Asks the caller to hold what it must do for one round. Duties are stated on each field. */
export interface Ready {
  /** To make durable, before `persisted(persistToken)`; undefined when unchanged. */
  readonly hardState: HardState | undefined;
  /**
   * The commit index, as far as this and what was handed out before make the log: a hint that goes
   * along with what is made durable. 0 beside a snapshot, whose log is another.
   */
  readonly commit: number;
  /**
   * To append to the durable log before `persisted(persistToken)`. The first index may be at or
   * below the log's last: all from there on is truncated first, in the same transaction.
   */
  readonly entries: readonly Entry[];
  /**
   * Set when hardState or entries must be made durable: call `persisted` with it afterwards, in
   * the order of the tokens. Completions may be late; those of an older term are recognised.
   * With neither there is nothing to write, but messagesAfterPersist still wait for the writes
   * that earlier tokens stand for.
   */
  readonly persistToken: PersistToken | undefined;
  /** May leave at once (a leader's appends: replication runs beside its own fsync). */
  readonly messages: readonly Message[];
  /** May leave only when this Ready's persist has completed. */
  readonly messagesAfterPersist: readonly Message[];
  /** Committed and durable here, to apply in order; then call `applied`. */
  readonly committed: readonly Entry[];
  /** Reads that may be served once the state machine has applied `index`. */
  readonly readStates: readonly ReadState[];
  /** Reads that cannot be confirmed here any more (leadership lost): ask again. */
  readonly readsFailed: readonly number[];
  /** Peers that need a snapshot: stream one, then call `reportSnapshot`. */
  readonly snapshotsNeeded: readonly NodeId[];
  /**
   * A received snapshot to install in place of log and state, after the writes of this and earlier
   * Readies; then `snapshotInstalled`. Nothing else is handed out until then.
   */
  readonly installSnapshot: SnapshotMeta | undefined;
  /**
   * Entries with `local` that were truncated and never take effect: others are committed in their
   * place. Not before that, since a truncated entry may come back with another leader; it has its
   * `local` then. With `installSnapshot` the outcome of these entries is unknown instead: the
   * snapshot may hold their effect.
   */
  readonly dropped: readonly Entry[];
  /** Role, term and leader, when any changed since the last Ready. */
  readonly roleChange: RoleChange | undefined;
}

export interface PersistToken {
  readonly term: number;
  readonly sequence: number;
}

export interface ReadState {
  readonly id: number;
  readonly index: number;
}

export interface RoleChange {
  readonly role: Role;
  readonly term: number;
  /** 0 when unknown. */
  readonly leader: NodeId;
}

export type Message =
  | AppendRequest
  | AppendResponse
  | VoteRequest
  | VoteResponse
  | HeartbeatRequest
  | HeartbeatResponse
  | InstallSnapshot
  | InstallSnapshotResponse
  | TimeoutNow;

interface MessageBase {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: number;
}

export interface AppendRequest extends MessageBase {
  readonly type: "append";
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  /** Read-index round this message belongs to (0: none); echoed. Made by the leader. */
  readonly round: number;
}

export interface AppendResponse extends MessageBase {
  readonly type: "append_response";
  readonly success: boolean;
  /** On success: the last index known to match. On failure: the prevIndex that was refused. */
  readonly index: number;
  /** On failure: where the follower suggests to go on (fast backtracking), with its term. */
  readonly hintIndex: number;
  readonly hintTerm: number;
  readonly round: number;
}

export interface VoteRequest extends MessageBase {
  readonly type: "vote";
  readonly preVote: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Leadership transfer: leader stickiness does not apply. */
  readonly transfer: boolean;
}

export interface VoteResponse extends MessageBase {
  readonly type: "vote_response";
  readonly preVote: boolean;
  readonly granted: boolean;
}

export interface HeartbeatRequest extends MessageBase {
  readonly type: "heartbeat";
  /** min(match, commit) of the receiver. */
  readonly commit: number;
  readonly round: number;
}

export interface HeartbeatResponse extends MessageBase {
  readonly type: "heartbeat_response";
  readonly round: number;
}

/** Follows the stream of a snapshot, when all of it has arrived and was verified. */
export interface InstallSnapshot extends MessageBase {
  readonly type: "install_snapshot";
  readonly snapshot: SnapshotMeta;
}

export interface InstallSnapshotResponse extends MessageBase {
  readonly type: "install_snapshot_response";
  /** The follower's match index after it, or its commit when the snapshot was stale. */
  readonly index: number;
}

export interface TimeoutNow extends MessageBase {
  readonly type: "timeout_now";
}

/** A change of members: applied through joint consensus, one at a time. */
export type MembershipChange =
  | { readonly kind: "add_learner"; readonly id: NodeId; readonly address: string }
  | { readonly kind: "promote"; readonly id: NodeId }
  | { readonly kind: "remove"; readonly id: NodeId }
  | { readonly kind: "set_address"; readonly id: NodeId; readonly address: string };

/** Why the core did not take something; nothing was appended. */
export type Refusal =
  | "not_leader"
  | "transferring"
  | "window_full"
  | "change_pending"
  | "no_own_term_commit"
  | "invalid";

export type Proposed =
  | { readonly ok: true; readonly index: number; readonly term: number }
  | { readonly ok: false; readonly reason: Refusal };

export interface RaftOptions {
  readonly id: NodeId;
  /** In effect at the log's snapshot position; later ones are found in the log itself. */
  readonly configuration: Configuration;
  readonly hardState: HardState;
  readonly log: LogReader;
  /** Applied and durable in the state machine; entries up to it are not handed out again. */
  readonly applied: number;
  /** A follower starts an election after [min, 2 * min) without a leader, milliseconds. */
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Appends under way to one peer, and bytes of each. */
  readonly inflightMax: number;
  readonly appendBytesMax: number;
  /** Proposed and uncommitted bytes; a proposal beyond it is refused ("window_full"). */
  readonly uncommittedBytesMax: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** Numbers in [0, 1): election jitter. Deterministic for the same seed. */
  random(): number;
}

export interface PeerStatus {
  readonly id: NodeId;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly match: number;
  readonly next: number;
  readonly inflight: number;
  /** Heard from within the last election timeout. */
  readonly active: boolean;
  /** When it was heard from last, at first when it became a peer; milliseconds of `tick`. */
  readonly heardMs: number;
}

export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: number;
  readonly votedFor: NodeId;
  readonly leader: NodeId;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Last index durable here. */
  readonly persistedIndex: number;
  /** In effect, committed or not. */
  readonly configuration: Configuration;
  readonly configurationIndex: number;
  /** Only on the leader. */
  readonly peers: readonly PeerStatus[];
  /** Whether the leader held its lease at the last tick: no other leader could exist then. */
  readonly leaseValid: boolean;
  /** Whether others' requests for votes were ignored at the last tick, as leases need it. */
  readonly isSticky: boolean;
  readonly transferTarget: NodeId;
}

/** The core. `Raft` in raft.ts implements it. */
export interface RaftCore {
  /** Time passes: elections, heartbeats, check-quorum. `nowMs`: a monotonic clock. */
  tick(nowMs: number): void;
  /** Takes a message of a peer. Never throws on what a peer may send. */
  step(message: Message): void;
  /** Appends an entry on the leader. */
  propose(data: Uint8Array, local?: unknown): Proposed;
  changeMembership(change: MembershipChange): Proposed;
  /** Asks for a linearizable read point; the answer is a ReadState, or readsFailed. */
  readIndex(id: number): Refusal | undefined;
  /** Hands leadership over (0: to the most advanced voter); gives up after an election timeout. */
  transferLeader(to: NodeId): Refusal | undefined;
  persisted(token: PersistToken): void;
  /** The state machine has applied all up to `index`. */
  applied(index: number): void;
  snapshotInstalled(index: number): void;
  reportSnapshot(to: NodeId, ok: boolean): void;
  reportUnreachable(id: NodeId): void;
  /**
   * On the leader, until it is set to false again: an append is to follow soon, so a commit index
   * that moved is told with it, or with the next heartbeat, and not by an append without entries.
   */
  holdsCommitNotice: boolean;
  /** What is to be done now; undefined when nothing is. */
  ready(): Ready | undefined;
  /** Entries appended and not yet committed. */
  readonly uncommitted: number;
  /** Whether entries commit by other voters' disks too. */
  readonly hasOtherVoters: boolean;
  status(): RaftStatus;
}
