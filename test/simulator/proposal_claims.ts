import type { Entry, NodeId, Ready } from "../../src/raft/types.ts";
import { decodeBatch, decodeSegment, type Segment } from "../../src/server/batch.ts";
import type { Server } from "../../src/server/server.ts";
import { SEGMENTS_PER_ENTRY_MAX } from "../../src/server/writes.ts";

/** What the claims on what a leader puts into the log are judged by. */
export interface ProposalClaimsOptions {
  readonly id: NodeId;
  readonly server: Server;
  /** The node's clock, and the log's time as far as this node has applied it. */
  readonly nowMs: () => number;
  readonly logTimeMs: () => number;
  readonly violate: (invariant: string, detail: string) => void;
}

const TERMS = 2 ** 22;

/**
 * An entry bears the leader's time, and what other nodes have sent to the leader of its term: all
 * that follows what it had of them before, or else they would wait for ever. Who proposed it is
 * told what became of it: it is applied, or never will be.
 */
export class ProposalClaims {
  readonly #options: ProposalClaimsOptions;
  /** Segments that came for the leader of `#term`. */
  #received = new Set<string>();
  /** Of those, by node, what must be in the next entry with commands of others. */
  #due = new Map<NodeId, Segment>();
  #term = 0;
  /** Proposed here, by index and term, and not told of yet. */
  readonly #open = new Set<number>();

  /** Has itself told of what comes from other nodes, and what goes into the log. */
  constructor(options: ProposalClaimsOptions) {
    this.#options = options;
    const { server } = options;
    const { raft } = server.driver;
    const receive = server.receiveForward.bind(server);
    server.receiveForward = (from, term, segment) => {
      this.#enter(raft.status().term);
      if (term === this.#term) this.#receive(from, decodeSegment(segment));
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
      if (proposed.ok && local !== undefined) this.#open.add(keyOf(proposed));
      return proposed;
    };
    const ready = raft.ready.bind(raft);
    raft.ready = () => {
      const made = ready();
      if (made !== undefined) this.#settle(made);
      return made;
    };
  }

  #settle({ committed, dropped, installSnapshot }: Ready): void {
    const end = installSnapshot?.index ?? committed[committed.length - 1]?.index;
    for (const entry of dropped) this.#open.delete(keyOf(entry));
    if (this.#open.size === 0 || end === undefined) return;
    for (const entry of committed) if (entry.local !== undefined) this.#open.delete(keyOf(entry));
    for (const key of this.#open) {
      if (key >= (end + 1) * TERMS) continue;
      this.#open.delete(key);
      const what = `node ${this.#options.id} is not told of its entry ${Math.floor(key / TERMS)}`;
      this.#options.violate("who proposes is told of the outcome", what);
    }
  }

  #enter(term: number): void {
    if (term === this.#term) return;
    this.#term = term;
    this.#received = new Set();
    this.#due = new Map();
  }

  #receive(from: NodeId, segment: Segment): void {
    this.#received.add(nameOf(segment));
    const { node, incarnation, firstSequence } = segment;
    // A machine may send what it has sent as another node before.
    if (node !== from) return;
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
    for (const [node, due] of this.#due) {
      if (segments.some((each) => nameOf(each) === nameOf(due))) this.#due.delete(node);
    }
    // What an entry has no room for comes with the next.
    if (segments.length >= SEGMENTS_PER_ENTRY_MAX) return;
    for (const due of this.#due.values()) {
      violate("a leader takes what follows", `node ${id} leaves out ${nameOf(due)}`);
    }
    this.#due = new Map();
  }
}

function keyOf({ index, term }: Pick<Entry, "index" | "term">): number {
  return index * TERMS + term;
}

function nameOf({ node, incarnation, firstSequence, commands }: Segment): string {
  return `${node}/${incarnation}: ${firstSequence}+${commands.length}`;
}
