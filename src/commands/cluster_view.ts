/** A member of the cluster, as one node knows it. */
export interface MemberView {
  readonly id: number;
  /** Where its peer listener is reached, "host:port". */
  readonly address: string;
  readonly role: "voter" | "learner";
  readonly isLeader: boolean;
  /** Whether this node has a connection to it (itself: true). */
  readonly isConnected: boolean;
  /** Last index known to be in its log; only on the leader. */
  readonly match?: number;
  /** Entries it lacks; only on the leader. */
  readonly lag?: number;
  /** "probe", "replicate" or "snapshot"; only on the leader, for others. */
  readonly state?: string;
}

/** What one node knows of its cluster. */
export interface ClusterStatus {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly role: string;
  readonly term: number;
  /** 0 when unknown. */
  readonly leader: number;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  /** In hex; equal on nodes with equal `applied`. */
  readonly digest: string;
  readonly members: readonly MemberView[];
}

/** A change of the cluster, or another task for its leader. */
export type ClusterRequest =
  /** With the same nonce, asked again of the same leader, it is the same node's: one id for it. */
  | { readonly kind: "join"; readonly address: string; readonly nonce?: string }
  | { readonly kind: "add"; readonly id: number; readonly address: string }
  | { readonly kind: "promote"; readonly id: number }
  | { readonly kind: "remove"; readonly id: number }
  | { readonly kind: "set_address"; readonly id: number; readonly address: string }
  /** `id` 0: to the most advanced voter. */
  | { readonly kind: "transfer"; readonly id: number }
  /** How many nodes but the one that asks hold the log up to the index `id`: the answer's id. */
  | { readonly kind: "holders"; readonly id: number };

export type ClusterAnswer =
  | { readonly ok: true; readonly id: number }
  | { readonly ok: false; readonly error: string };

/** The cluster, from one of its nodes. */
export interface ClusterView {
  status(): ClusterStatus;
  /**
   * Has the leader carry it out, whichever node that is; answers when it is committed, or with
   * what stands in the way. Never rejects. `id` in the answer: the node it was about.
   */
  request(request: ClusterRequest): Promise<ClusterAnswer>;
  /**
   * Has this node, which is alone and was never written to, begin anew as one that joins the
   * cluster of these members. Never rejects.
   */
  join(addresses: readonly string[]): Promise<{ ok: true } | { ok: false; error: string }>;
  /** How many other nodes hold the log up to an index that is applied here: the leader knows. */
  holders(index: number): Promise<number>;
  /** Takes a snapshot on this node now; answers with its log index. */
  snapshot(): Promise<{ readonly ok: true; readonly index: number } | { ok: false; error: string }>;
}
