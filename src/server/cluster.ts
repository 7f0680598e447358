import type {
  ClusterAnswer,
  ClusterRequest,
  ClusterStatus,
  ClusterView,
  MemberView,
} from "../commands/cluster_view.ts";
import { type Clock, sleep } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type {
  Configuration,
  MembershipChange,
  NodeId,
  PeerStatus,
  Refusal,
} from "../raft/types.ts";
import type { Identity } from "../storage/raft_log_types.ts";
import { Admissions } from "./admissions.ts";
import { holdersHere } from "./replica_wait.ts";
import type { Server } from "./server.ts";

export interface ClusterOptions {
  readonly server: Server;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isConnected: (id: NodeId) => boolean;
  /** Hands a request to the leader; rejects when it cannot be reached. */
  readonly ask: (
    leader: NodeId,
    address: string,
    request: ClusterRequest,
  ) => Promise<ClusterAnswer>;
  readonly snapshot: ClusterView["snapshot"];
  /** Begins anew as a node that joins; for one that has nothing to lose. */
  readonly join: ClusterView["join"];
}

/** How long a request waits for a leader, and then for its commit. */
const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_MS = 50;
const PROMOTE_CHECK_MS = 100;
/** A learner is promoted once it lacks no more entries than this. */
const PROMOTE_LAG_MAX = 64;
/** What a machine sent before it died has come by then. */
const UNDERWAY_MAX_MS = 2000;
/** Ids below are for those that found a cluster together; others: this and their entry's index. */
export const JOINED_ID_BASE = 1000;

/** The members of the cluster: what one node knows of them, and their changes. */
export class Cluster implements ClusterView {
  readonly #options: ClusterOptions;
  #promoteCheckedMs = 0;
  /** Since when each member that nobody answers for is known to be one. */
  readonly #absentMs = new Map<NodeId, number>();
  readonly #admissions = new Admissions();

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  status(): ClusterStatus {
    const { server, identity } = this.#options;
    const status = server.driver.raft.status();
    const { voters, votersOutgoing, learners, addresses } = status.configuration;
    const ids = [...new Set([...voters, ...votersOutgoing, ...learners])].sort((a, b) => a - b);
    const members = ids.map((id): MemberView => {
      const peer = status.peers.find((each) => each.id === id);
      return {
        id,
        address: addresses[id] ?? "",
        role: learners.includes(id) ? "learner" : "voter",
        isLeader: id === status.leader,
        isConnected: this.#isThere(id),
        ...(peer === undefined ? {} : {
          match: peer.match,
          lag: status.lastIndex - peer.match,
          state: peer.state,
        }),
      };
    });
    return {
      clusterId: identity.clusterId,
      nodeId: identity.nodeId,
      role: learners.includes(identity.nodeId) ? "learner" : status.role,
      term: status.term,
      leader: status.leader,
      commit: status.commit,
      applied: status.applied,
      lastIndex: status.lastIndex,
      snapshotIndex: server.snapshotIndex,
      digest: server.ops.applied.digest.toString(16).padStart(8, "0"),
      members,
    };
  }

  snapshot(): ReturnType<ClusterView["snapshot"]> {
    return this.#options.snapshot();
  }

  async join(addresses: readonly string[]): ReturnType<ClusterView["join"]> {
    const { server, identity, join } = this.#options;
    const isAlone = this.status().members.length === 1;
    // Every command of a client that went through the log has left the name of its node; 0 names
    // what leaders do of their own.
    const isUntouched = server.ops.applied.origins.every(({ node }) => node === 0);
    if (isAlone && isUntouched) return await join(addresses);
    const error = `Already cluster member of ${identity.clusterId}: to join another cluster, ` +
      "start a node with an empty data directory and --join HOST:PEERPORT";
    return { ok: false, error };
  }

  async holders(index: number): Promise<number> {
    const { server } = this.#options;
    const { isLeader, leader } = server.leadership;
    const known = holdersHere(server, index);
    const address = server.driver.raft.status().configuration.addresses[leader];
    if (isLeader || address === undefined) return known;
    try {
      const answer = await this.#options.ask(leader, address, { kind: "holders", id: index });
      return answer.ok ? Math.max(known, answer.id) : known;
    } catch {
      return known;
    }
  }

  async request(request: ClusterRequest): Promise<ClusterAnswer> {
    const { server, logger } = this.#options;
    const deadlineMs = server.monotonicMs() + REQUEST_TIMEOUT_MS;
    let answer: ClusterAnswer = { ok: false, error: "no leader" };
    // A removal whose answer was lost has its effect when the node is no member.
    let isUnanswered = false;
    let asked = 0;
    const told = (given: ClusterAnswer): ClusterAnswer =>
      !given.ok && isUnanswered && request.kind === "remove" && given.error === noMember(request.id)
        ? { ok: true, id: request.id }
        : given;
    while (server.monotonicMs() < deadlineMs) {
      const { isLeader, leader } = server.leadership;
      if (isLeader) {
        answer = await this.#carryOut(request, deadlineMs);
        // Whoever leads next knows what became of a removal, of this node itself above all.
        if (answer.ok) return answer;
        if (request.kind === "remove" && answer.error === UNCONFIRMED) isUnanswered = true;
        else if (!RETRIED.has(answer.error)) return told(answer);
      } else if (leader !== 0 || this.#isRemoved) {
        const { addresses } = server.driver.raft.status().configuration;
        // Nobody tells one that is removed who leads: any member knows.
        const members = Object.keys(addresses).map(Number);
        const to = leader === 0 ? members[asked++ % members.length] : leader;
        try {
          return told(await this.#options.ask(to, addresses[to] ?? "", request));
        } catch (error) {
          logger.debug("leader not reached", { leader, reason: String(error) });
          isUnanswered = true;
          answer = { ok: false, error: "the leader could not be reached" };
        }
      }
      await sleep(this.#options.clock, RETRY_MS);
    }
    return answer;
  }

  get #isRemoved(): boolean {
    const { server, identity } = this.#options;
    const { addresses } = server.driver.raft.status().configuration;
    return addresses[identity.nodeId] === undefined && Object.keys(addresses).length > 0;
  }

  /** Promotes learners that have caught up; `nowMs` on a monotonic clock. */
  tick(nowMs: number): void {
    const { server, logger } = this.#options;
    if (nowMs - this.#promoteCheckedMs < PROMOTE_CHECK_MS || !server.leadership.isLeader) return;
    this.#promoteCheckedMs = nowMs;
    const { configuration, peers, lastIndex } = server.driver.raft.status();
    if (configuration.votersOutgoing.length > 0) return;
    if (this.#removeReplaced(configuration, peers, nowMs)) return;
    for (const id of configuration.learners) {
      const peer = peers.find((each) => each.id === id);
      if (peer === undefined || !peer.active || peer.state !== "replicate") continue;
      if (lastIndex - peer.match > PROMOTE_LAG_MAX) continue;
      const { ok } = server.changeMembership({ kind: "promote", id });
      if (ok) logger.info("learner has caught up and becomes a voter", { node: id });
      return;
    }
  }

  /**
   * A machine that lost its data has joined again as a new node: its old identity, which nothing
   * can answer for any more, gives up its vote. So does an id that was given to one that asked
   * again before it heard of it, and has another now. True when that was started.
   */
  #removeReplaced(
    { voters, learners, addresses }: Configuration,
    peers: readonly PeerStatus[],
    nowMs: number,
  ): boolean {
    const { server, logger } = this.#options;
    const members = [...voters, ...learners];
    for (const id of members) {
      if (this.#isThere(id)) {
        this.#absentMs.delete(id);
        continue;
      }
      const sinceMs = this.#absentMs.get(id) ?? nowMs;
      this.#absentMs.set(id, sinceMs);
      const isLearner = learners.includes(id);
      // An older identity may be the one that was lost, on a connection that nobody has ended.
      const isSuccessor = (other: NodeId) =>
        other > id ? this.#isThere(other) : isLearner && this.#isHeardAfter(sinceMs, other, peers);
      const successor = (isLearner ? members : voters).find((other) =>
        other !== id && addresses[other] === addresses[id] && isSuccessor(other)
      );
      if (successor === undefined || !server.changeMembership({ kind: "remove", id }).ok) continue;
      logger.info("replaced by a new node at its address", { node: id, successor });
      return true;
    }
    return false;
  }

  /** Whether a member has sent something, as one of this leader's, well behind a time. */
  #isHeardAfter(sinceMs: number, id: NodeId, peers: readonly PeerStatus[]): boolean {
    if (id === this.#options.identity.nodeId) return true;
    const peer = peers.find((each) => each.id === id);
    return peer?.state === "replicate" && peer.heardMs > sinceMs + UNDERWAY_MAX_MS;
  }

  #isThere(id: NodeId): boolean {
    const { identity, isConnected } = this.#options;
    return id === identity.nodeId || isConnected(id);
  }

  async #carryOut(request: ClusterRequest, deadlineMs: number): Promise<ClusterAnswer> {
    const { server } = this.#options;
    const status = server.driver.raft.status();
    if (request.kind === "holders") {
      // The one that asks has applied it, and gives its place among them to this leader, which may
      // have sent what its own disk does not hold yet.
      const missing = status.persistedIndex < request.id ? 1 : 0;
      return { ok: true, id: Math.max(0, holdersHere(server, request.id) - missing) };
    }
    if (request.kind === "transfer") return await this.#transfer(request.id, deadlineMs);
    const admission = this.#admissions.find(request, status);
    // From the index of the entry that admits the node, so that none is ever given twice.
    const id = request.kind === "join"
      ? admission?.id ?? JOINED_ID_BASE + status.lastIndex + 1
      : request.id;
    const change: MembershipChange = request.kind === "join" || request.kind === "add"
      ? { kind: "add_learner", id, address: request.address }
      : request;
    const proposed = admission ?? server.changeMembership(change);
    if (!proposed.ok) {
      return { ok: false, error: refusalText(proposed.reason, request, status.configuration) };
    }
    if (admission === undefined) this.#admissions.note(request, { ...proposed, id }, status);
    while (server.monotonicMs() < deadlineMs) {
      const { applied, configuration, configurationIndex } = server.driver.raft.status();
      // After a change of leader the entry there may be another than the one proposed. The end of
      // joint consensus must be committed too: until then the old voters are needed.
      const isOver = applied >= Math.max(proposed.index, configurationIndex) &&
        configuration.votersOutgoing.length === 0;
      if (isOver && isInEffect(change, configuration)) return { ok: true, id };
      if (!server.leadership.isLeader) break;
      await sleep(this.#options.clock, 5);
    }
    return { ok: false, error: UNCONFIRMED };
  }

  async #transfer(to: NodeId, deadlineMs: number): Promise<ClusterAnswer> {
    const { server, identity } = this.#options;
    if (to === identity.nodeId) return { ok: true, id: to };
    const refusal = server.transferLeader(to);
    if (refusal !== undefined) {
      const { configuration } = server.driver.raft.status();
      const error = refusalText(refusal, { kind: "transfer", id: to }, configuration);
      return { ok: false, error };
    }
    while (server.monotonicMs() < deadlineMs) {
      const { role, leader, transferTarget } = server.driver.raft.status();
      if (leader !== 0 && leader !== identity.nodeId) return { ok: true, id: leader };
      if (role === "leader" && transferTarget === 0) break;
      await sleep(this.#options.clock, 5);
    }
    return { ok: false, error: "the transfer was given up: the target did not catch up in time" };
  }
}

function isInEffect(change: MembershipChange, configuration: Configuration): boolean {
  const { voters, addresses } = configuration;
  if (change.kind === "remove") return addresses[change.id] === undefined;
  if (change.kind === "promote") return voters.includes(change.id);
  return addresses[change.id] === change.address;
}

const UNCONFIRMED = "not confirmed in time: it may still take effect";
const TEXTS: Record<Refusal, string> = {
  not_leader: "not the leader",
  transferring: "leadership is being transferred",
  window_full: "too many writes are waiting",
  change_pending: "another change of the members is under way",
  no_own_term_commit: "the leader was just elected",
  invalid: "the members do not allow this change",
};
/** They pass by themselves. */
const RETRIED = new Set([
  TEXTS.not_leader,
  TEXTS.transferring,
  TEXTS.change_pending,
  TEXTS.no_own_term_commit,
]);

function noMember(id: NodeId): string {
  return `node ${id} is no member`;
}

function refusalText(
  reason: Refusal,
  request: ClusterRequest,
  { voters, addresses }: Configuration,
): string {
  if (reason !== "invalid" || !("id" in request)) return TEXTS[reason];
  const { kind, id } = request;
  const isMember = addresses[id] !== undefined;
  if (kind === "add") return isMember ? `node ${id} is a member already` : TEXTS.invalid;
  if (kind === "transfer" && id === 0) return "there is no other voter to lead";
  if (!isMember) return noMember(id);
  if (kind === "transfer") return `node ${id} is no voter`;
  if (kind === "promote") return `node ${id} is a voter already`;
  return voters.length === 1 ? "the last voter cannot be removed" : TEXTS.invalid;
}
