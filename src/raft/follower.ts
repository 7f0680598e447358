import { decodeConfiguration } from "./membership.ts";
import type { RaftState } from "./state.ts";
import type {
  AppendRequest,
  Configuration,
  Entry,
  HeartbeatRequest,
  InstallSnapshot,
  NodeId,
  VoteRequest,
} from "./types.ts";
import { DecodeError } from "./wire.ts";

/** Follows `leader` (0: none known) in `term`. */
export function becomeFollower(state: RaftState, term: number, leader: NodeId): void {
  if (term !== state.term) {
    state.term = term;
    state.votedFor = 0;
  }
  state.role = "follower";
  state.leader = leader;
  state.votes.clear();
  if (state.leading !== undefined) {
    state.leading.rounds.fail(state.readsFailed);
    state.leading = undefined;
    state.snapshotsNeeded.length = 0;
  }
  state.resetTimer();
}

function respondAppend(
  state: RaftState,
  request: AppendRequest,
  success: boolean,
  index: number,
  hintIndex: number,
  hintTerm: number,
): void {
  state.sendAfterPersist({
    type: "append_response",
    from: state.id,
    to: request.from,
    term: state.term,
    success,
    index,
    hintIndex,
    hintTerm,
    round: request.round,
  });
}

/** The entries follow `prevIndex` without a gap, in terms that do not fall. */
function isWellFormed(message: AppendRequest): boolean {
  let term = message.prevTerm;
  for (let at = 0; at < message.entries.length; at++) {
    const entry = message.entries[at];
    if (entry.index !== message.prevIndex + 1 + at || entry.term < term) return false;
    term = entry.term;
  }
  return term <= message.term;
}

function decodeOrNothing(entry: Entry): Configuration | undefined {
  try {
    return decodeConfiguration(entry.data);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The receiver's part of AppendEntries (figure 2). */
export function stepAppend(state: RaftState, message: AppendRequest): void {
  const { log } = state;
  if (!isWellFormed(message)) return;
  // What is committed here is in every leader's log: only the rest needs comparing.
  const skip = Math.max(0, log.commit - message.prevIndex);
  if (skip > 0 && skip >= message.entries.length) {
    respondAppend(state, message, true, log.commit, 0, 0);
    return;
  }
  const prevIndex = message.prevIndex + skip;
  const prevTerm = skip === 0 ? message.prevTerm : message.entries[skip - 1].term;
  if (!log.matches(prevIndex, prevTerm)) {
    if (skip > 0) return;
    const hintIndex = log.lastIndexOfTerm(Math.min(prevIndex, log.lastIndex), prevTerm);
    respondAppend(state, message, false, prevIndex, hintIndex, log.term(hintIndex) ?? 0);
    return;
  }
  const lastNew = message.prevIndex + message.entries.length;
  if (!takeEntries(state, message.entries, skip)) return;
  commitOnFollower(state, Math.min(message.commit, lastNew));
  respondAppend(state, message, true, lastNew, 0, 0);
}

/** Appends what is new, cutting off what conflicts; false when the entries cannot be taken. */
function takeEntries(state: RaftState, entries: readonly Entry[], skip: number): boolean {
  const { log } = state;
  let from = skip;
  while (from < entries.length && log.matches(entries[from].index, entries[from].term)) from++;
  if (from === entries.length) return true;
  const decoded: (Configuration | undefined)[] = [];
  for (let at = from; at < entries.length; at++) {
    if (entries[at].kind !== "configuration") continue;
    const configuration = decodeOrNothing(entries[at]);
    if (configuration === undefined) return false;
    decoded.push(configuration);
  }
  const first = entries[from].index;
  if (first <= log.lastIndex) {
    log.truncateFrom(first);
    state.configurationsTruncated(first);
    state.takeBackAcknowledgements(first);
  }
  let next = 0;
  for (let at = from; at < entries.length; at++) {
    const entry = entries[at];
    log.append(entry);
    if (entry.kind !== "configuration") continue;
    state.configurationAppended(entry.index, decoded[next++] as Configuration);
  }
  return true;
}

function commitOnFollower(state: RaftState, index: number): void {
  if (state.log.commitTo(Math.min(index, state.log.lastIndex))) state.forgetConfigurations();
}

/** Answers once the term is durable; that is nearly always so already. */
export function stepHeartbeat(state: RaftState, message: HeartbeatRequest): void {
  commitOnFollower(state, message.commit);
  const response = {
    type: "heartbeat_response",
    from: state.id,
    to: message.from,
    term: state.term,
    round: message.round,
  } as const;
  if (state.log.durableTerm === state.term) state.sendNow(response);
  else state.sendAfterPersist(response);
}

/** A snapshot has arrived (section 7): installs it unless the log already holds all of it. */
export function stepInstallSnapshot(state: RaftState, message: InstallSnapshot): void {
  const { log } = state;
  const { snapshot } = message;
  if (state.install !== undefined || snapshot.term > message.term) return;
  if (snapshot.index > log.commit) {
    if (!log.matches(snapshot.index, snapshot.term)) {
      log.restore(snapshot);
      const { index, configuration } = snapshot;
      state.configurations = [{ index, configuration }];
      state.install = { meta: snapshot, from: message.from, handed: false };
      return;
    }
    commitOnFollower(state, snapshot.index);
  }
  respondInstall(state, message.from, log.commit);
}

export function respondInstall(state: RaftState, to: NodeId, index: number): void {
  state.sendAfterPersist({
    type: "install_snapshot_response",
    from: state.id,
    to,
    term: state.term,
    index,
  });
}

export function respondVote(state: RaftState, request: VoteRequest, granted: boolean): void {
  state.sendAfterPersist({
    type: "vote_response",
    from: state.id,
    to: request.from,
    term: granted ? request.term : state.term,
    preVote: request.preVote,
    granted,
  });
}

/**
 * Answers a vote request of this term, or a pre-vote of a later one. A learner answers too: it
 * may be a voter in a configuration that it has not seen.
 */
export function stepVote(state: RaftState, request: VoteRequest): void {
  const mayVote = state.votedFor === request.from ||
    (state.votedFor === 0 && state.leader === 0) ||
    (request.preVote && request.term > state.term);
  const granted = mayVote && state.log.isUpToDate(request.lastIndex, request.lastTerm);
  if (granted && !request.preVote) {
    state.votedFor = request.from;
    state.resetTimer();
  }
  respondVote(state, request, granted);
}
