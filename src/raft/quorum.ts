import type { Configuration, NodeId } from "./types.ts";

export type VoteResult = "won" | "lost" | "pending";

/**
 * The largest value that a majority of the first `count` of `values` has reached; Infinity of
 * none (an empty half of a joint configuration never decides). Orders `values` in place.
 */
export function majorityValue(values: number[], count: number): number {
  if (count === 0) return Infinity;
  for (let at = 1; at < count; at++) {
    const value = values[at];
    let to = at;
    while (to > 0 && values[to - 1] > value) {
      values[to] = values[to - 1];
      to--;
    }
    values[to] = value;
  }
  return values[count - (count >> 1) - 1];
}

function voteOfMajority(
  voters: readonly NodeId[],
  votes: ReadonlyMap<NodeId, boolean>,
): VoteResult {
  if (voters.length === 0) return "won";
  let granted = 0;
  let refused = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const needed = (voters.length >> 1) + 1;
  if (granted >= needed) return "won";
  return voters.length - refused < needed ? "lost" : "pending";
}

/** The state of an election: in a joint configuration both majorities must grant (section 6). */
export function voteResult(
  configuration: Configuration,
  votes: ReadonlyMap<NodeId, boolean>,
): VoteResult {
  const incoming = voteOfMajority(configuration.voters, votes);
  if (configuration.votersOutgoing.length === 0) return incoming;
  const outgoing = voteOfMajority(configuration.votersOutgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}

/** Whether `id` votes in either half. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

/** Whether `id` alone decides. */
export function isSoleVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.length === 1 && configuration.voters[0] === id &&
    (configuration.votersOutgoing.length === 0 ||
      (configuration.votersOutgoing.length === 1 && configuration.votersOutgoing[0] === id));
}
