import { assert } from "../base/assert.ts";
import type { Leadership } from "./leadership.ts";
import type { Progress } from "./progress.ts";
import type { RaftState } from "./state.ts";
import type { Entry } from "./types.ts";

const NO_ENTRIES: readonly Entry[] = Object.freeze([]);

/** A peer that is silent gets no snapshot: its next heartbeat's answer brings it here again. */
function needsCompacted(state: RaftState, leading: Leadership, peer: Progress): void {
  if (leading.isActive(peer, state.nowMs)) {
    peer.becomeSnapshot();
    state.snapshotsNeeded.push(peer.id);
    return;
  }
  peer.becomeProbe(peer.next);
  peer.paused = true;
}

/** Sends one append, of no entries when the window is full; false when it could not be sent. */
function sendAppend(state: RaftState, leading: Leadership, peer: Progress): boolean {
  const { log, options } = state;
  const prevIndex = peer.next - 1;
  const prevTerm = log.term(prevIndex);
  const isEmpty = prevIndex === log.lastIndex || peer.inflightFull;
  const entries = prevTerm === undefined || isEmpty
    ? NO_ENTRIES
    : log.slice(peer.next, log.lastIndex + 1, options.appendBytesMax);
  if (prevTerm === undefined || entries === undefined) {
    needsCompacted(state, leading, peer);
    return false;
  }
  assert(entries.length > 0 || isEmpty, `entry ${peer.next} is not stored`);
  state.sendNow({
    type: "append",
    from: state.id,
    to: peer.id,
    term: state.term,
    prevIndex,
    prevTerm,
    entries,
    commit: log.commit,
    round: leading.rounds.last,
  });
  peer.commitSent = log.commit;
  peer.sent(prevIndex + entries.length);
  return true;
}

/** Sends a peer all it lacks and its window admits, else the commit index if that moved. */
function replicateTo(state: RaftState, leading: Leadership, peer: Progress): void {
  const { log } = state;
  // All that fills the window may have been lost. An empty append finds out, at no cost of memory
  // to a follower that is only slow.
  if (peer.nudged && peer.inflightFull) {
    sendAppend(state, leading, peer);
    return;
  }
  while (!peer.isPaused) {
    const hasEntries = peer.next <= log.lastIndex;
    const isNoticeDue = peer.commitSent < log.commit && !state.holdsCommitNotice;
    if (!hasEntries && !peer.nudged && !isNoticeDue) return;
    if (!sendAppend(state, leading, peer) || !hasEntries) return;
  }
}

/** A heartbeat never tells a commit index beyond what is known to match there. */
export function sendHeartbeat(state: RaftState, leading: Leadership, peer: Progress): void {
  state.sendNow({
    type: "heartbeat",
    from: state.id,
    to: peer.id,
    term: state.term,
    commit: Math.min(peer.match, state.log.commit),
    round: leading.rounds.last,
  });
}

export function replicate(state: RaftState, leading: Leadership): void {
  const { peers } = leading;
  for (let at = 0; at < peers.length; at++) replicateTo(state, leading, peers[at]);
}
