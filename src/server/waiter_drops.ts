import { memberIds } from "../raft/membership.ts";
import type { NodeId, RaftCore } from "../raft/types.ts";
import type { Identity } from "../storage/raft_log_types.ts";
import { OTHER_NODES } from "./waiting_commands.ts";
import type { Waiters } from "./waiters.ts";
import type { Writes } from "./writes.ts";

export interface WaiterDropsOptions {
  readonly raft: RaftCore;
  readonly writes: Writes;
  readonly identity: Identity;
}

/**
 * What the leader does about waiting commands of nodes that are gone: nothing may be served to a
 * client that is no more. It drops those of a node whose connection ends, and at the begin of its
 * term those of every node that is no member, or that it has no connection to, or that has started
 * anew. A node that is there after all has its clients wait on, in their places.
 */
export class WaiterDrops {
  readonly #options: WaiterDropsOptions;
  readonly #waiters: Waiters;
  /** Connected nodes, and which run of each it is. */
  readonly #connected = new Map<NodeId, number>();
  #due = new Map<NodeId, number>();

  constructor(options: WaiterDropsOptions, waiters: Waiters) {
    this.#options = options;
    this.#waiters = waiters;
  }

  connected(node: NodeId, incarnation: number): void {
    this.#connected.set(node, incarnation);
  }

  disconnected(node: NodeId, isLeader: boolean): void {
    this.#connected.delete(node);
    if (!isLeader) return;
    this.#options.writes.peerGone(node);
    if (this.#mayHaveWaiters) this.#due.set(node, Infinity);
  }

  /** This node's role has changed. */
  roleChanged(isLeader: boolean): void {
    this.#due = new Map();
    if (!isLeader || !this.#mayHaveWaiters) return;
    const { raft, identity } = this.#options;
    const members = new Set(memberIds(raft.status().configuration));
    for (const [node, incarnation] of this.#connected) {
      if (members.has(node)) this.#due.set(node, incarnation);
    }
    this.#due.set(identity.nodeId, identity.incarnation);
    // Also those that joined and left in what is not yet applied, whom nobody knows of yet.
    this.#due.set(OTHER_NODES, Infinity);
  }

  /** Proposes what is due; false when it could not, and nothing else may come before it. */
  propose(): boolean {
    if (this.#due.size === 0) return true;
    if (!this.#options.writes.proposeDrop(this.#due)) return false;
    this.#due = new Map();
    return true;
  }

  /** Something waits, or may in what is not yet applied. */
  get #mayHaveWaiters(): boolean {
    const { applied, lastIndex } = this.#options.raft.status();
    return this.#waiters.size > 0 || applied < lastIndex;
  }
}
