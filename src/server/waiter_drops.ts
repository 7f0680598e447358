import { toBuffer } from "../base/bytes.ts";
import { decodeConfiguration, memberIds } from "../raft/membership.ts";
import type { NodeId, RaftCore } from "../raft/types.ts";
import type { Identity } from "../storage/raft_log_types.ts";
import type { RedisOperations } from "../storage/redis_operations.ts";
import type { Waiters } from "./waiters.ts";
import type { Writes } from "./writes.ts";

export interface WaiterDropsOptions {
  readonly raft: RaftCore;
  readonly ops: RedisOperations;
  readonly writes: Writes;
  readonly identity: Identity;
}

/**
 * What the leader does about waiting commands of nodes that are gone: nothing may be served to a
 * client that is no more. It drops those of a node whose connection ends, and at the begin of its
 * term those of every node that it has no connection to, or that has started anew. A node that is
 * there after all has its clients wait on, in their places.
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
    const { identity } = this.#options;
    for (const node of this.#nodes()) {
      this.#due.set(node, this.#connected.get(node) ?? Infinity);
    }
    this.#due.set(identity.nodeId, identity.incarnation);
  }

  /** Those that may have waiters, also in what is not yet applied: some have left since. */
  #nodes(): Set<NodeId> {
    const { raft, ops } = this.#options;
    const { origins, configuration } = ops.applied;
    const nodes = new Set(memberIds(raft.status().configuration));
    if (configuration !== "") {
      for (const id of memberIds(decodeConfiguration(toBuffer(configuration)))) nodes.add(id);
    }
    for (const { node } of [...origins, ...this.#waiters.all()]) nodes.add(node);
    // What a leader does of its own has no node.
    nodes.delete(0);
    return nodes;
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
