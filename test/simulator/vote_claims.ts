import type { HardState, NodeId, RaftStatus } from "../../src/raft/types.ts";
import type { ShadowLog } from "./shadow_log.ts";

/** What is wrong with term and vote that a node is about to write over those on its disk. */
export function wrongVote(
  { term, votedFor }: ShadowLog,
  next: HardState | undefined,
): string | undefined {
  if (next === undefined || next.term > term) return undefined;
  const isSame = next.term === term && (votedFor === 0 || votedFor === next.votedFor);
  if (isSame) return undefined;
  return `term ${term}, vote ${votedFor}, then term ${next.term}, vote ${next.votedFor}`;
}

/** Why a leader that nobody has seen in its term was not elected: votes are on the disks. */
export function unelected(
  { id, term, configuration }: RaftStatus,
  shadow: (id: NodeId) => ShadowLog,
): string | undefined {
  // Who has left the term may have voted in it.
  const mayHaveVoted = (voter: NodeId) => {
    const { term: own, votedFor } = shadow(voter);
    return own > term || (own === term && votedFor === id);
  };
  for (const voters of [configuration.voters, configuration.votersOutgoing]) {
    const votes = voters.filter(mayHaveVoted);
    if (voters.length === 0 || votes.length > voters.length / 2) continue;
    return `node ${id} leads term ${term} by the votes of ${votes} among ${voters}`;
  }
  return undefined;
}
