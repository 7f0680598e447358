import type { Leadership } from "./leadership.ts";
import type { RaftState } from "./state.ts";
import type { PeerStatus, RaftStatus } from "./types.ts";

function peersOf(state: RaftState, leading: Leadership): PeerStatus[] {
  return leading.peers.map((peer) => ({
    id: peer.id,
    state: peer.state,
    match: peer.match,
    next: peer.next,
    inflight: peer.inflight,
    active: leading.isActive(peer, state.nowMs),
    heardMs: peer.heardMs,
  }));
}

/** A copy of the figures an operator, or the server, may want to see; as of the last tick. */
export function statusOf(state: RaftState): RaftStatus {
  const { log, leading } = state;
  return {
    id: state.id,
    role: state.role,
    term: state.term,
    votedFor: state.votedFor,
    leader: state.leader,
    commit: log.commit,
    applied: log.applied,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    persistedIndex: log.persisted,
    configuration: state.configuration,
    configurationIndex: state.configurationIndex,
    peers: leading === undefined ? [] : peersOf(state, leading),
    leaseValid: leading !== undefined && log.commit >= leading.termStartIndex &&
      leading.leaseValid(state.nowMs),
    isSticky: state.isSticky(),
    transferTarget: leading === undefined ? 0 : leading.transferTarget,
  };
}
