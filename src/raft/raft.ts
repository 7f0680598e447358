import { assert } from "../base/assert.ts";
import {
  decidesAlone,
  isPromotable,
  ownVotePersisted,
  startElection,
  startVote,
  stepVoteResponse,
  tickCandidate,
} from "./candidate.ts";
import {
  becomeFollower,
  respondInstall,
  respondVote,
  stepAppend,
  stepHeartbeat,
  stepInstallSnapshot,
  stepVote,
} from "./follower.ts";
import {
  advanceCommit,
  changeOnLeader,
  flushLeader,
  proposeOnLeader,
  snapshotReported,
  stepAppendResponse,
  stepHeartbeatResponse,
  stepInstallSnapshotResponse,
  tickLeader,
  transferOnLeader,
} from "./leader.ts";
import { ReadyMaker } from "./ready.ts";
import { RaftState } from "./state.ts";
import { statusOf } from "./status.ts";
import type {
  MembershipChange,
  Message,
  NodeId,
  PersistToken,
  Proposed,
  RaftCore,
  RaftOptions,
  RaftStatus,
  Ready,
  Refusal,
  VoteRequest,
} from "./types.ts";

/** Terms beyond it are a peer's nonsense: counting on must stay exact. */
const TERM_MAX = 2 ** 48;

const NOT_LEADER: Proposed = Object.freeze({ ok: false, reason: "not_leader" });

/**
 * One node's part of the Raft protocol ("In Search of an Understandable Consensus Algorithm" and
 * Ongaro's thesis), pure and synchronous. Inputs are methods; what they cause is in `ready()`.
 */
export class Raft implements RaftCore {
  readonly #state: RaftState;
  readonly #ready: ReadyMaker;

  /** Starts as a follower with what is durable. Throws AssertionError when that contradicts. */
  constructor(options: RaftOptions) {
    this.#state = new RaftState(options);
    this.#ready = new ReadyMaker(this.#state);
  }

  tick(nowMs: number): void {
    const state = this.#state;
    if (!state.started) {
      state.started = true;
      state.nowMs = nowMs;
      state.firstTickMs = nowMs;
      state.resetTimer();
    }
    const { electionTimeoutMs } = state.options;
    const isStall = nowMs - state.nowMs > electionTimeoutMs;
    state.nowMs = Math.max(state.nowMs, nowMs);
    if (state.heard) {
      state.heard = false;
      state.contactMs = state.nowMs;
      state.timerStartMs = state.nowMs;
    }
    if (state.restartHold && state.nowMs - state.firstTickMs >= electionTimeoutMs) {
      state.restartHold = false;
    }
    if (state.leading !== undefined) tickLeader(state, state.leading, isStall);
    else this.#tickOther(isStall);
  }

  #tickOther(isStall: boolean): void {
    const state = this.#state;
    if (decidesAlone(state)) {
      if (state.role !== "candidate") startElection(state);
      return;
    }
    if (isStall) state.resetTimer();
    if (state.nowMs - state.timerStartMs < state.timeoutMs) {
      if (state.role !== "follower") tickCandidate(state);
      return;
    }
    if (isPromotable(state)) startElection(state);
    else state.resetTimer();
  }

  step(message: Message): void {
    const state = this.#state;
    if (message.to !== state.id || message.from === state.id || message.from <= 0) return;
    if (message.term <= 0 || message.term > TERM_MAX) return;
    if (message.term > state.term) {
      if (!this.#meetLaterTerm(message)) return;
    } else if (message.term < state.term) {
      this.#answerEarlierTerm(message);
      return;
    }
    this.#stepInTerm(message);
  }

  /** Whether the message is still to be handled. */
  #meetLaterTerm(message: Message): boolean {
    const state = this.#state;
    switch (message.type) {
      case "vote":
        if (this.#holdsBack(message)) return false;
        if (!message.preVote) becomeFollower(state, message.term, 0);
        return true;
      case "vote_response":
        // A pre-vote is granted for the term to come; only a refusal tells of a real one.
        if (message.preVote && message.granted) return message.term === state.term + 1;
        becomeFollower(state, message.term, 0);
        return false;
      case "append":
      case "heartbeat":
      case "install_snapshot":
        becomeFollower(state, message.term, message.from);
        return true;
      default:
        becomeFollower(state, message.term, 0);
        return message.type === "timeout_now";
    }
  }

  /** Whether a candidate is ignored for the sake of a leader that was heard from. */
  #holdsBack({ from, term, transfer }: VoteRequest): boolean {
    const state = this.#state;
    const isGiven = term === state.term && state.votedFor === from;
    return !transfer && !isGiven && state.isSticky();
  }

  /** Tells a stale leader or candidate of the term, so that it stops. */
  #answerEarlierTerm(message: Message): void {
    const state = this.#state;
    if (message.type === "vote") {
      respondVote(state, message, false);
    } else if (
      message.type === "append" || message.type === "heartbeat" ||
      message.type === "install_snapshot"
    ) {
      state.sendAfterPersist({
        type: "append_response",
        from: state.id,
        to: message.from,
        term: state.term,
        success: false,
        index: 0,
        hintIndex: 0,
        hintTerm: 0,
        round: 0,
      });
    }
  }

  #stepInTerm(message: Message): void {
    const state = this.#state;
    switch (message.type) {
      case "vote":
        // A later term that came by an answer does not end what the leader before counts on.
        if (state.leader === 0 && this.#holdsBack(message)) return;
        return stepVote(state, message);
      case "vote_response":
        if (state.role === "candidate" || state.role === "pre_candidate") {
          stepVoteResponse(state, message);
        }
        return;
      case "append":
        if (this.#acceptLeader(message.from)) stepAppend(state, message);
        return;
      case "heartbeat":
        if (this.#acceptLeader(message.from)) stepHeartbeat(state, message);
        return;
      case "install_snapshot":
        if (this.#acceptLeader(message.from)) stepInstallSnapshot(state, message);
        return;
      case "timeout_now":
        if (state.leading === undefined && isPromotable(state)) startVote(state, true);
        return;
    }
    const { leading } = state;
    if (leading === undefined) return;
    if (message.type === "append_response") stepAppendResponse(state, leading, message);
    else if (message.type === "heartbeat_response") stepHeartbeatResponse(state, leading, message);
    else stepInstallSnapshotResponse(state, leading, message);
  }

  /** There is one leader in a term: whoever is none now follows it. */
  #acceptLeader(from: NodeId): boolean {
    const state = this.#state;
    if (state.leading !== undefined) return false;
    if (state.role !== "follower") becomeFollower(state, state.term, from);
    state.leaderHeard(from);
    return true;
  }

  propose(data: Uint8Array, local?: unknown): Proposed {
    const { leading } = this.#state;
    if (leading === undefined) return NOT_LEADER;
    return proposeOnLeader(this.#state, leading, data, local);
  }

  changeMembership(change: MembershipChange): Proposed {
    const { leading } = this.#state;
    if (leading === undefined) return NOT_LEADER;
    return changeOnLeader(this.#state, leading, change);
  }

  readIndex(id: number): Refusal | undefined {
    const { leading } = this.#state;
    if (leading === undefined) return "not_leader";
    leading.rounds.add(id);
    return undefined;
  }

  transferLeader(to: NodeId): Refusal | undefined {
    const { leading } = this.#state;
    if (leading === undefined) return "not_leader";
    return transferOnLeader(this.#state, leading, to);
  }

  persisted(token: PersistToken): void {
    const state = this.#state;
    const grew = state.log.completePersist(token);
    ownVotePersisted(state);
    const { leading } = state;
    if (!grew || leading === undefined) return;
    leading.self.match = state.log.persisted;
    advanceCommit(state, leading);
  }

  applied(index: number): void {
    this.#state.log.appliedTo(index);
  }

  snapshotInstalled(index: number): void {
    const state = this.#state;
    const { install } = state;
    assert(install?.meta.index === index, `no snapshot at ${index} was to be installed`);
    state.log.installed(index);
    state.install = undefined;
    respondInstall(state, install.from, index);
  }

  reportSnapshot(to: NodeId, ok: boolean): void {
    const { leading } = this.#state;
    const peer = leading?.peer(to);
    if (leading === undefined || peer === undefined) return;
    snapshotReported(this.#state, leading, peer, ok);
  }

  reportUnreachable(id: NodeId): void {
    const peer = this.#state.leading?.peer(id);
    if (peer?.state === "replicate") peer.becomeProbe(peer.match + 1);
  }

  ready(): Ready | undefined {
    const { leading } = this.#state;
    if (leading !== undefined) flushLeader(this.#state, leading);
    return this.#ready.take();
  }

  get uncommitted(): number {
    const { log } = this.#state;
    return log.lastIndex - log.commit;
  }

  get holdsCommitNotice(): boolean {
    return this.#state.holdsCommitNotice;
  }

  set holdsCommitNotice(holds: boolean) {
    this.#state.holdsCommitNotice = holds;
  }

  get hasOtherVoters(): boolean {
    return this.#state.configuration.voters.length > 1;
  }

  status(): RaftStatus {
    return statusOf(this.#state);
  }
}
