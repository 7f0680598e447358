import type { NodeId } from "../raft/types.ts";

/** Who leads, as this node knows it. */
export interface Leadership {
  readonly isLeader: boolean;
  readonly term: number;
  /** 0 when unknown. */
  readonly leader: NodeId;
}
