import { becomeFollower } from "./follower.ts";
import { becomeLeader } from "./leader.ts";
import { isSoleVoter, isVoter, voteResult } from "./quorum.ts";
import type { RaftState } from "./state.ts";
import type { NodeId, VoteResponse } from "./types.ts";

/**
 * Whether this node may start an election: a voter that is not amid an installation. As long as
 * the configuration that removes it is not committed it may be the only one with a log complete
 * enough, so it must stand then, though its own vote does not count (thesis, 4.2.2).
 */
export function isPromotable(state: RaftState): boolean {
  if (state.install !== undefined) return false;
  for (const { configuration } of state.configurations) {
    if (isVoter(configuration, state.id)) return true;
  }
  return false;
}

/**
 * Whether nobody else can win, so that waiting for a timeout is no use. An uncommitted
 * configuration is not enough: the leader that it removes may still lead, and hold its lease.
 */
export function decidesAlone(state: RaftState): boolean {
  if (state.install !== undefined) return false;
  for (const { configuration } of state.configurations) {
    if (!isSoleVoter(configuration, state.id)) return false;
  }
  return true;
}

function eachOtherVoter(state: RaftState, visit: (id: NodeId) => void): void {
  const { voters, votersOutgoing } = state.configuration;
  for (const id of voters) if (id !== state.id) visit(id);
  for (const id of votersOutgoing) {
    if (id !== state.id && !voters.includes(id)) visit(id);
  }
}

/** Starts with a pre-vote when the options say so (thesis, 9.6): the term stays as it is. */
export function startElection(state: RaftState): void {
  if (!state.options.preVote) return startVote(state, false);
  state.role = "pre_candidate";
  state.leader = 0;
  state.votes.clear();
  state.votes.set(state.id, true);
  state.resetTimer();
  state.isTransfer = false;
  if (!electionDecided(state)) requestVotes(state);
}

/** The election proper. The own vote counts when it is durable, like any other. */
export function startVote(state: RaftState, transfer: boolean): void {
  state.role = "candidate";
  state.term++;
  state.votedFor = state.id;
  state.leader = 0;
  state.votes.clear();
  state.resetTimer();
  state.isTransfer = transfer;
  requestVotes(state);
}

/**
 * Asks again those who have not answered: a request may be lost, and a voter that heard from the
 * old leader a moment later than this node ignores it until its own time is over.
 */
export function tickCandidate(state: RaftState): void {
  if (state.nowMs - state.votesAskedMs >= state.options.heartbeatMs) requestVotes(state);
}

function requestVotes(state: RaftState): void {
  const preVote = state.role === "pre_candidate";
  const term = preVote ? state.term + 1 : state.term;
  const { lastIndex, lastTerm } = state.log;
  const { id: from, isTransfer: transfer } = state;
  state.votesAskedMs = state.nowMs;
  eachOtherVoter(state, (to) => {
    if (state.votes.has(to)) return;
    const vote = { type: "vote", from, to, term, preVote, lastIndex, lastTerm, transfer } as const;
    state.sendAfterPersist(vote);
  });
}

/** Acts on the votes so far; whether that ended this stage. */
function electionDecided(state: RaftState): boolean {
  const result = voteResult(state.configuration, state.votes);
  if (result === "pending") return false;
  if (result === "lost") becomeFollower(state, state.term, 0);
  else if (state.role === "pre_candidate") startVote(state, false);
  else becomeLeader(state);
  return true;
}

export function stepVoteResponse(state: RaftState, message: VoteResponse): void {
  if (message.preVote !== (state.role === "pre_candidate")) return;
  if (state.votes.has(message.from)) return;
  state.votes.set(message.from, message.granted);
  electionDecided(state);
}

/** A persist completed: it may have been the one that holds the vote for itself. */
export function ownVotePersisted(state: RaftState): void {
  const { log } = state;
  if (state.role !== "candidate" || state.votes.has(state.id)) return;
  if (log.durableTerm !== state.term || log.durableVote !== state.id) return;
  state.votes.set(state.id, true);
  electionDecided(state);
}
