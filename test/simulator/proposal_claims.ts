import type { NodeId } from "../../src/raft/types.ts";
import { decodeBatch, decodeSegment, type Segment } from "../../src/server/batch.ts";
import type { Server } from "../../src/server/server.ts";

/** What the claims on what a leader puts into the log are judged by. */
export interface ProposalClaimsOptions {
  readonly id: NodeId;
  readonly server: Server;
  /** The node's clock, and the log's time as far as this node has applied it. */
  readonly nowMs: () => number;
  readonly logTimeMs: () => number;
  readonly violate: (invariant: string, detail: string) => void;
}

/**
 * An entry bears the leader's time, and what other nodes have sent to the leader of its term: all
 * that follows what it had of them before, or else they would wait for ever.
 */
export class ProposalClaims {
  readonly #options: ProposalClaimsOptions;
  /** Segments that came for the leader of `#term`. */
  #received = new Set<string>();
  /** Of those, by node, what must be in the next entry with commands of others. */
  #due = new Map<NodeId, Segment>();
  #term = 0;

  /** Has itself told of what comes from other nodes, and what goes into the log. */
  constructor(options: ProposalClaimsOptions) {
    this.#options = options;
    const { server } = options;
    const { raft } = server.driver;
    const receive = server.receiveForward.bind(server);
    server.receiveForward = (from, term, segment) => {
      this.#enter(raft.status().term);
      if (term === this.#term) this.#receive(decodeSegment(segment));
      receive(from, term, segment);
    };
    const disconnected = server.peerDisconnected.bind(server);
    server.peerDisconnected = (id) => {
      this.#due.delete(id);
      disconnected(id);
    };
    const propose = raft.propose.bind(raft);
    raft.propose = (data, local) => {
      this.#enter(raft.status().term);
      const proposed = propose(data, local);
      if (proposed.ok) this.#judge(data);
      return proposed;
    };
  }

  #enter(term: number): void {
    if (term === this.#term) return;
    this.#term = term;
    this.#received = new Set();
    this.#due = new Map();
  }

  #receive(segment: Segment): void {
    this.#received.add(nameOf(segment));
    const { node, incarnation, firstSequence } = segment;
    if (!this.#options.server.leadership.isLeader || this.#due.has(node)) return;
    const { origins } = this.#options.server.ops.applied;
    const known = origins.find((origin) => origin.node === node);
    if (known !== undefined && known.incarnation > incarnation) return;
    const applied = known?.incarnation === incarnation ? known.sequence : 0;
    if (firstSequence <= applied + 1) this.#due.set(node, segment);
  }

  #judge(data: Uint8Array): void {
    const { id, nowMs, logTimeMs, violate } = this.#options;
    const { timeMs, segments } = decodeBatch(data);
    const expectedMs = Math.max(nowMs(), logTimeMs());
    if (timeMs !== expectedMs) {
      violate("log time is the leader's, or stands still", `${timeMs}, not ${expectedMs}`);
    }
    for (const segment of segments) {
      if (segment.node === id || segment.node === 0 || this.#received.has(nameOf(segment))) {
        continue;
      }
      const what = `node ${id} takes ${nameOf(segment)}, which nobody sent it in ${this.#term}`;
      violate("commands are for the leader of the term", what);
    }
    // An entry without any, or with what is dropped, goes its own way.
    if (segments.every(({ node }) => node === 0)) return;
    for (const due of this.#due.values()) {
      if (segments.some((each) => nameOf(each) === nameOf(due))) continue;
      violate("a leader takes what follows", `node ${id} leaves out ${nameOf(due)}`);
    }
    this.#due = new Map();
  }
}

function nameOf({ node, incarnation, firstSequence, commands }: Segment): string {
  return `${node}/${incarnation}: ${firstSequence}+${commands.length}`;
}
