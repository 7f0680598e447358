import { assert } from "../base/assert.ts";
import { becomeFollower } from "./follower.ts";
import { Leadership } from "./leadership.ts";
import { changed, decodeConfiguration, encodeConfiguration, isJoint, left } from "./membership.ts";
import type { Progress } from "./progress.ts";
import { isVoter } from "./quorum.ts";
import { replicate, sendHeartbeat } from "./replication.ts";
import type { RaftState } from "./state.ts";
import type {
  AppendResponse,
  Configuration,
  HeartbeatResponse,
  InstallSnapshotResponse,
  MembershipChange,
  NodeId,
  Proposed,
  Refusal,
} from "./types.ts";

const NO_DATA = new Uint8Array(0);

/** Takes office: a no-op of the own term lets all earlier entries commit (section 5.4.2, 8). */
export function becomeLeader(state: RaftState): void {
  state.role = "leader";
  state.leader = state.id;
  state.votes.clear();
  state.holdsCommitNotice = false;
  const { log } = state;
  const leading = new Leadership(state.options, log.lastIndex + 1, state.nowMs);
  leading.configure(state.configuration, log.lastIndex, state.nowMs);
  leading.self.match = log.persisted;
  leading.beginRound(state.nowMs);
  state.leading = leading;
  state.appendOwn("noop", NO_DATA, undefined);
  roundsAnswered(state, leading);
}

/** Time passes on the leader: heartbeats, check-quorum, the end of a transfer. */
export function tickLeader(state: RaftState, leading: Leadership, isStall: boolean): void {
  const { nowMs, options } = state;
  if (isStall) leading.graceUntilMs = nowMs + options.heartbeatMs;
  const isGrace = nowMs < leading.graceUntilMs;
  if (options.checkQuorum && !isGrace && !leading.quorumActive(nowMs)) {
    becomeFollower(state, state.term, 0);
    return;
  }
  if (leading.transferTarget !== 0) {
    if (nowMs - leading.transferStartMs >= options.electionTimeoutMs) leading.transferTarget = 0;
  }
  if (nowMs - leading.heartbeatSentMs < options.heartbeatMs) return;
  leading.heartbeatSentMs = nowMs;
  leading.beginRound(nowMs);
  for (const peer of leading.peers) sendHeartbeat(state, leading, peer);
  roundsAnswered(state, leading);
}

/** Hands out what a leader has to send: a round of reads, and appends. */
export function flushLeader(state: RaftState, leading: Leadership): void {
  leaveJointWhenCommitted(state, leading);
  if (state.leading !== leading) return;
  const isOwnTermCommitted = state.log.commit >= leading.termStartIndex;
  if (isOwnTermCommitted && leading.rounds.wantsRound) {
    leading.beginRound(state.nowMs);
    leading.rounds.assign(state.log.commit);
    for (const peer of leading.peers) {
      if (leading.isVoter(peer)) sendHeartbeat(state, leading, peer);
    }
    roundsAnswered(state, leading);
  }
  replicate(state, leading);
}

function roundsAnswered(state: RaftState, leading: Leadership): void {
  if (leading.confirmRounds()) leading.rounds.confirm(leading.roundConfirmed, state.readStates);
}

function heardFrom(state: RaftState, leading: Leadership, peer: Progress, round: number): void {
  peer.heardMs = state.nowMs;
  if (round <= peer.roundAcked || round > leading.rounds.last) return;
  peer.roundAcked = round;
  roundsAnswered(state, leading);
}

/** Counts only entries of the own term (section 5.4.2, figure 8). */
export function advanceCommit(state: RaftState, leading: Leadership): void {
  const { log } = state;
  const index = Math.min(leading.quorumMatch, log.lastIndex);
  if (index <= log.commit || log.term(index) !== state.term) return;
  for (let at = Math.max(log.commit + 1, leading.termStartIndex); at <= index; at++) {
    const entry = log.inMemory(at);
    assert(entry !== undefined, `uncommitted entry ${at} is not in memory`);
    leading.uncommittedBytes -= entry.data.length;
  }
  log.commitTo(index);
  state.forgetConfigurations();
  stepDownWhenRemoved(state, leading);
}

/** A leader that is in the configuration no more leads until that is committed (section 6). */
function stepDownWhenRemoved(state: RaftState, leading: Leadership): void {
  if (state.configurationIndex > state.log.commit) return;
  if (isVoter(state.configuration, state.id)) return;
  state.holdsCommitNotice = false;
  replicate(state, leading);
  const heir = mostAdvancedVoter(state, leading);
  if (heir !== undefined && heir.match === state.log.lastIndex) sendTimeoutNow(state, heir.id);
  becomeFollower(state, state.term, 0);
}

function leaveJointWhenCommitted(state: RaftState, leading: Leadership): void {
  const { configuration, configurationIndex, log } = state;
  if (!isJoint(configuration) || configurationIndex > log.commit) return;
  if (log.commit < leading.termStartIndex) return;
  // Who is about to lead would lack it, and be refused a vote for that.
  if (leading.transferTarget !== 0) return;
  appendConfiguration(state, leading, left(configuration));
}

function appendConfiguration(
  state: RaftState,
  leading: Leadership,
  configuration: Configuration,
): Proposed {
  const data = encodeConfiguration(configuration);
  const entry = state.appendOwn("configuration", data, undefined);
  leading.uncommittedBytes += data.length;
  state.configurationAppended(entry.index, decodeConfiguration(data));
  leading.configure(state.configuration, state.log.lastIndex - 1, state.nowMs);
  advanceCommit(state, leading);
  return { ok: true, index: entry.index, term: entry.term };
}

export function proposeOnLeader(
  state: RaftState,
  leading: Leadership,
  data: Uint8Array,
  local: unknown,
): Proposed {
  if (leading.transferTarget !== 0) return { ok: false, reason: "transferring" };
  const bytes = leading.uncommittedBytes + data.length;
  if (leading.uncommittedBytes > 0 && bytes > state.options.uncommittedBytesMax) {
    return { ok: false, reason: "window_full" };
  }
  leading.uncommittedBytes = bytes;
  const entry = state.appendOwn("normal", data, local);
  return { ok: true, index: entry.index, term: entry.term };
}

/** One change at a time, and only when the own term has a committed entry. */
export function changeOnLeader(
  state: RaftState,
  leading: Leadership,
  change: MembershipChange,
): Proposed {
  if (leading.transferTarget !== 0) return { ok: false, reason: "transferring" };
  if (state.log.commit < leading.termStartIndex) {
    return { ok: false, reason: "no_own_term_commit" };
  }
  if (isJoint(state.configuration) || state.configurationIndex > state.log.applied) {
    return { ok: false, reason: "change_pending" };
  }
  const configuration = changed(state.configuration, change);
  if (configuration === undefined) return { ok: false, reason: "invalid" };
  return appendConfiguration(state, leading, configuration);
}

export function stepAppendResponse(
  state: RaftState,
  leading: Leadership,
  message: AppendResponse,
): void {
  const peer = leading.peer(message.from);
  if (peer === undefined) return;
  heardFrom(state, leading, peer, message.round);
  const { log } = state;
  if (message.index > log.lastIndex) return;
  if (!message.success) {
    const hint = log.lastIndexOfTerm(message.hintIndex, message.hintTerm);
    peer.refused(message.index, hint);
    return;
  }
  const isNews = peer.advance(message.index);
  if (peer.state === "replicate") peer.free(message.index);
  else if (peer.match === message.index) followsAgain(state, peer);
  if (isNews) matchAdvanced(state, leading, peer);
}

/** An answer proves where the logs meet: appends may go ahead again. */
function followsAgain(state: RaftState, peer: Progress): void {
  if (peer.state === "probe" || peer.match + 1 >= state.log.firstIndex) peer.becomeReplicate();
}

function matchAdvanced(state: RaftState, leading: Leadership, peer: Progress): void {
  advanceCommit(state, leading);
  if (state.leading !== leading || leading.transferTarget !== peer.id) return;
  finishTransfer(state, leading, peer);
}

export function stepHeartbeatResponse(
  state: RaftState,
  leading: Leadership,
  message: HeartbeatResponse,
): void {
  const peer = leading.peer(message.from);
  if (peer === undefined) return;
  heardFrom(state, leading, peer, message.round);
  peer.paused = false;
  if (peer.state === "snapshot") {
    // It answered something sent after the transfer was over, so it waits for no installation.
    if (peer.snapshotRound > 0 && message.round >= peer.snapshotRound) {
      peer.becomeProbe(state.log.firstIndex);
    }
    return;
  }
  // One that is probed has it all perhaps, and learns that it does only by an append.
  if (peer.state === "probe" || peer.match < state.log.lastIndex) peer.nudged = true;
}

export function stepInstallSnapshotResponse(
  state: RaftState,
  leading: Leadership,
  message: InstallSnapshotResponse,
): void {
  const peer = leading.peer(message.from);
  if (peer === undefined) return;
  peer.heardMs = state.nowMs;
  if (message.index > state.log.lastIndex) return;
  const isNews = peer.advance(message.index);
  if (peer.state === "snapshot") peer.becomeProbe(peer.match + 1);
  else peer.free(message.index);
  if (isNews) matchAdvanced(state, leading, peer);
}

/** The end of a snapshot's transfer, as the caller saw it. */
export function snapshotReported(
  state: RaftState,
  leading: Leadership,
  peer: Progress,
  ok: boolean,
): void {
  if (peer.state !== "snapshot") return;
  if (ok) {
    peer.snapshotRound = leading.rounds.last + 1;
    return;
  }
  peer.becomeProbe(peer.match + 1);
  peer.paused = true;
  assert(state.leading === leading, "only a leader sends snapshots");
}

function mostAdvancedVoter(state: RaftState, leading: Leadership): Progress | undefined {
  let best: Progress | undefined;
  for (const peer of leading.peers) {
    if (!leading.voters.includes(peer) || !leading.isActive(peer, state.nowMs)) continue;
    if (best === undefined || peer.match > best.match) best = peer;
  }
  return best;
}

function sendTimeoutNow(state: RaftState, to: NodeId): void {
  state.sendNow({ type: "timeout_now", from: state.id, to, term: state.term });
}

/** When the target has the whole log it may start its election at once (thesis, 3.10). */
function finishTransfer(state: RaftState, leading: Leadership, target: Progress): void {
  if (target.match !== state.log.lastIndex) return;
  leading.timeoutNowSent = true;
  sendTimeoutNow(state, target.id);
}

export function transferOnLeader(
  state: RaftState,
  leading: Leadership,
  to: NodeId,
): Refusal | undefined {
  const target = to === 0 ? mostAdvancedVoter(state, leading) : leading.peer(to);
  if (leading.transferTarget !== 0) {
    return to === 0 || to === leading.transferTarget ? undefined : "transferring";
  }
  if (target === undefined || !leading.voters.includes(target)) return "invalid";
  leading.transferTarget = target.id;
  leading.transferStartMs = state.nowMs;
  finishTransfer(state, leading, target);
  return undefined;
}
