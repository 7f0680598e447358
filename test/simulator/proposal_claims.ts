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

/** An entry bears the leader's time, and what other nodes have sent to the leader of its term. */
export class ProposalClaims {
  readonly #options: ProposalClaimsOptions;
  /** Segments that came for the leader of `#term`. */
  #received = new Set<string>();
  #term = 0;

  /** Has itself told of what comes from other nodes, and what goes into the log. */
  constructor(options: ProposalClaimsOptions) {
    this.#options = options;
    const { server } = options;
    const { raft } = server.driver;
    const receive = server.receiveForward.bind(server);
    server.receiveForward = (from, term, segment) => {
      this.#enter(raft.status().term);
      if (term === this.#term) this.#received.add(nameOf(decodeSegment(segment)));
      receive(from, term, segment);
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
    if (term !== this.#term) this.#received = new Set();
    this.#term = term;
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
  }
}

function nameOf({ node, incarnation, firstSequence, commands }: Segment): string {
  return `${node}/${incarnation}: ${firstSequence}+${commands.length}`;
}
