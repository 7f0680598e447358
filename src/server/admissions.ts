import type { ClusterRequest } from "../commands/cluster_view.ts";
import type { NodeId, RaftStatus } from "../raft/types.ts";

interface Admission {
  readonly ok: true;
  readonly id: NodeId;
  /** Of the entry that admits it. */
  readonly index: number;
  readonly term: number;
}

/**
 * What one leader gave those that asked to join: a node whose answer was lost asks again, and is
 * to have the same id. Who leads next does not know of it, and gives another.
 */
export class Admissions {
  readonly #byNonce = new Map<string, Admission>();

  /** The admission of one that asks again, if its id is still a member. */
  find(request: ClusterRequest, status: RaftStatus): Admission | undefined {
    const nonce = nonceOf(request);
    if (nonce === undefined) return undefined;
    const known = this.#byNonce.get(nonce);
    return known !== undefined && isCurrent(known, status) ? known : undefined;
  }

  /** Forgets those that cannot be asked for any more. */
  note(request: ClusterRequest, given: Admission, status: RaftStatus): void {
    const nonce = nonceOf(request);
    if (nonce === undefined) return;
    for (const [each, known] of this.#byNonce) {
      if (!isCurrent(known, status)) this.#byNonce.delete(each);
    }
    this.#byNonce.set(nonce, given);
  }
}

function nonceOf(request: ClusterRequest): string | undefined {
  return request.kind === "join" ? request.nonce : undefined;
}

function isCurrent({ id, term }: Admission, status: RaftStatus): boolean {
  return term === status.term && status.configuration.addresses[id] !== undefined;
}
