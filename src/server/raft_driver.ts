import type {
  Entry,
  HardState,
  Message,
  NodeId,
  PersistToken,
  RaftCore,
  Ready,
  RoleChange,
  SnapshotMeta,
} from "../raft/types.ts";
import { crashPoint } from "../storage/crash_point.ts";
import type { LogStore } from "../storage/raft_log_types.ts";
import { SqliteError } from "../storage/sqlite_types.ts";

/** What the driver hands up. */
export interface RaftEvents {
  /** Apply these, in order. */
  committed(entries: readonly Entry[]): void;
  /** May leave now. */
  send(messages: readonly Message[]): void;
  /** Reads with this id may run once `index` is applied. */
  readable(id: number, index: number): void;
  /** The round of these reads failed: leadership was lost. */
  unreadable(id: number): void;
  roleChanged(change: RoleChange): void;
  /** These peers need a snapshot. */
  snapshotsNeeded(peers: readonly NodeId[]): void;
  /** Put this received snapshot in place of log and state, then call `snapshotInstalled`. */
  install(snapshot: SnapshotMeta): void;
}

/** How long a full disk is left alone before the next attempt. */
const DISK_FULL_RETRY_MS = 250;

interface Persist {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  readonly token: PersistToken | undefined;
  /** To send when it is durable. */
  readonly messages: readonly Message[];
}

/** Carries out what the Raft core asks for: makes durable, applies, answers read points. */
export class RaftDriver {
  readonly raft: RaftCore;
  readonly #log: LogStore;
  readonly #events: RaftEvents;
  /** What a full disk refused, in order. */
  #stalled: Persist[] = [];
  #retryAtMs = 0;
  /** To be installed behind what is stalled. */
  #install: SnapshotMeta | undefined;
  #durableTerm: number;
  #durableVote: number;
  #advancing = false;

  constructor(raft: RaftCore, log: LogStore, events: RaftEvents) {
    this.raft = raft;
    this.#log = log;
    this.#events = events;
    this.#durableTerm = log.hardState.term;
    this.#durableVote = log.hardState.votedFor;
  }

  /** Whether the disk of the log is full: nothing new may be proposed. */
  get diskFull(): boolean {
    return this.#stalled.length > 0;
  }

  /** Time passes, `nowMs` on a monotonic clock. */
  tick(nowMs: number): void {
    this.raft.tick(nowMs);
    if (this.diskFull && nowMs >= this.#retryAtMs) {
      this.#retryAtMs = nowMs + DISK_FULL_RETRY_MS;
      this.#retryStalled();
    }
    this.advance();
  }

  /** Works until the core has nothing more to do. */
  advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      for (let ready = this.raft.ready(); ready !== undefined; ready = this.raft.ready()) {
        this.#handle(ready);
      }
    } finally {
      this.#advancing = false;
    }
  }

  /** The transfer of a snapshot to a peer has ended; with `snapshot`, it is told to install it. */
  snapshotSent(to: NodeId, snapshot: SnapshotMeta | undefined): void {
    const { id: from, term } = this.raft.status();
    if (snapshot !== undefined) {
      this.#events.send([{ type: "install_snapshot", from, to, term, snapshot }]);
    }
    this.raft.reportSnapshot(to, snapshot !== undefined);
  }

  /** Log and state stand at the snapshot that was to be installed. */
  snapshotInstalled(index: number): void {
    const { term, votedFor } = this.#log.hardState;
    this.#durableTerm = term;
    this.#durableVote = votedFor;
    this.raft.snapshotInstalled(index);
    this.advance();
  }

  #handle(ready: Ready): void {
    if (ready.messages.length > 0) this.#events.send(ready.messages);
    if (ready.persistToken !== undefined || ready.messagesAfterPersist.length > 0) {
      this.#persist({
        entries: ready.entries,
        hardState: ready.hardState,
        token: ready.persistToken,
        messages: ready.messagesAfterPersist,
      });
    }
    if (ready.committed.length > 0) {
      crashPoint("apply_before");
      this.#events.committed(ready.committed);
      this.raft.applied(ready.committed[ready.committed.length - 1].index);
      crashPoint("apply_after");
    }
    for (const { id, index } of ready.readStates) this.#events.readable(id, index);
    for (const id of ready.readsFailed) this.#events.unreadable(id);
    if (ready.roleChange !== undefined) this.#events.roleChanged(ready.roleChange);
    if (ready.snapshotsNeeded.length > 0) this.#events.snapshotsNeeded(ready.snapshotsNeeded);
    if (ready.installSnapshot !== undefined) {
      this.#install = ready.installSnapshot;
      this.#startInstall();
    }
  }

  /** Nothing else is handed out until it is done, so there is one at a time. */
  #startInstall(): void {
    const snapshot = this.#install;
    if (snapshot === undefined || this.diskFull) return;
    this.#install = undefined;
    this.#events.install(snapshot);
  }

  #persist(persist: Persist): void {
    if (this.diskFull || !this.#tryPersist(persist)) this.#stalled.push(persist);
  }

  #retryStalled(): void {
    while (this.#stalled.length > 0 && this.#tryPersist(this.#stalled[0])) this.#stalled.shift();
    this.#startInstall();
  }

  /** False when the disk is full and nothing was written; any other failure is thrown. */
  #tryPersist({ entries, hardState, token, messages }: Persist): boolean {
    // The commit index in it is a hint that rides on the next append; alone it costs no fsync.
    const voteChanged = hardState !== undefined &&
      (hardState.term !== this.#durableTerm || hardState.votedFor !== this.#durableVote);
    if (entries.length > 0 || voteChanged) {
      try {
        this.#log.append(entries, voteChanged ? hardState : undefined);
      } catch (error) {
        if (error instanceof SqliteError && error.code === "SQLITE_FULL") return false;
        throw error;
      }
      if (voteChanged) {
        this.#durableTerm = hardState.term;
        this.#durableVote = hardState.votedFor;
      }
    }
    if (token !== undefined) this.raft.persisted(token);
    if (messages.length > 0) this.#events.send(messages);
    return true;
  }
}
