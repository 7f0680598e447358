import { assert } from "../base/assert.ts";
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
import type { AppendOutcome, LogStore } from "../storage/raft_log_types.ts";
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
  /**
   * Keep this received snapshot; as soon as nothing is unwritten, which a full disk puts off, put
   * it in place of log and state, then call `snapshotInstalled`.
   */
  install(snapshot: SnapshotMeta): void;
}

/** How long a full disk is left alone before the next attempt. */
const DISK_FULL_RETRY_MS = 250;

interface Persist {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  /** Of the log as it is with these entries. */
  readonly commit: number;
  readonly token: PersistToken | undefined;
  /** To send when it is durable. */
  readonly messages: readonly Message[];
}

type Gathered = Pick<Persist, "entries" | "hardState" | "commit">;

/** Carries out what the Raft core asks for: makes durable, applies, answers read points. */
export class RaftDriver {
  readonly raft: RaftCore;
  readonly #log: LogStore;
  readonly #events: RaftEvents;
  /** What is not durable yet, in order. */
  readonly #unwritten: Persist[] = [];
  /** How many of these, the first ones, the log is writing. */
  #underWay = 0;
  #isFull = false;
  #retryAtMs = 0;
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
    return this.#isFull;
  }

  /** Whether something is not durable yet of what the core has handed out. */
  get hasUnwritten(): boolean {
    return this.#unwritten.length > 0;
  }

  /** Time passes, `nowMs` on a monotonic clock. */
  tick(nowMs: number): void {
    this.raft.tick(nowMs);
    if (this.#isFull && nowMs >= this.#retryAtMs) {
      this.#retryAtMs = nowMs + DISK_FULL_RETRY_MS;
      this.#isFull = false;
      this.#write();
    }
    this.advance();
  }

  /** Takes what another thread has made durable meanwhile; call `advance` then. */
  poll(): void {
    if (this.#underWay > 0) this.#log.poll();
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
    const { id: from, role, term } = this.raft.status();
    // It may follow another one since, and not have handed that out yet.
    if (snapshot !== undefined && role === "leader") {
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
        commit: ready.commit,
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
    if (ready.installSnapshot !== undefined) this.#events.install(ready.installSnapshot);
  }

  #persist(persist: Persist): void {
    this.#unwritten.push(persist);
    this.#write();
  }

  /** Writes what is unwritten: all that has gathered in one commit, then the next. */
  #write(): void {
    while (this.#unwritten.length > 0 && this.#underWay === 0 && !this.#isFull) {
      const { count, ...gathered } = this.#gather();
      this.#underWay = count;
      if (!this.#append(gathered)) return;
      this.#written();
    }
  }

  /** What can be written in one commit: entries that follow one another, the latest vote. */
  #gather(): Gathered & { count: number } {
    let { entries, hardState, commit } = this.#unwritten[0];
    let count = 1;
    for (; count < this.#unwritten.length; count++) {
      const next = this.#unwritten[count];
      if (next.entries.length > 0 && entries.length > 0) {
        if (next.entries[0].index !== entries[entries.length - 1].index + 1) break;
      }
      if (next.entries.length > 0) entries = entries.concat(next.entries);
      hardState = next.hardState ?? hardState;
      commit = Math.max(commit, next.commit);
    }
    return { count, entries, hardState, commit };
  }

  /** Whether it is durable; false: later, or the disk is full. Any other failure is thrown. */
  #append({ entries, hardState, commit }: Gathered): boolean {
    // The commit index is a hint that rides on the next append; alone it costs no fsync.
    const voteChanged = hardState !== undefined &&
      (hardState.term !== this.#durableTerm || hardState.votedFor !== this.#durableVote);
    if (entries.length === 0 && !voteChanged) return true;
    const { term, votedFor } = voteChanged
      ? hardState
      : { term: this.#durableTerm, votedFor: this.#durableVote };
    try {
      const isDurable = this.#log.append(
        entries,
        { term, votedFor, commit },
        (outcome) => this.#ended(outcome),
      );
      if (voteChanged) {
        assert(isDurable, "a vote is durable at once");
        this.#durableTerm = term;
        this.#durableVote = votedFor;
      }
      return isDurable;
    } catch (error) {
      if (!(error instanceof SqliteError) || error.code !== "SQLITE_FULL") throw error;
      this.#foundFull();
      return false;
    }
  }

  #ended(outcome: AppendOutcome): void {
    if (outcome === "full") return this.#foundFull();
    this.#written();
    this.#write();
  }

  /** Nothing of it was written. */
  #foundFull(): void {
    this.#underWay = 0;
    this.#isFull = true;
  }

  /** What was under way is durable. */
  #written(): void {
    const written = this.#unwritten.splice(0, this.#underWay);
    this.#underWay = 0;
    for (const { token, messages } of written) {
      if (token !== undefined) this.raft.persisted(token);
      if (messages.length > 0) this.#events.send(messages);
    }
  }
}
