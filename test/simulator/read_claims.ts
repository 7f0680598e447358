import type {
  Configuration,
  Message,
  NodeId,
  RaftCore,
  RaftStatus,
  Ready,
} from "../../src/raft/types.ts";

import type { PeerLink } from "../../src/server/peer_link.ts";
import type { Server } from "../../src/server/server.ts";

/** What the claims on reads are judged by. */
export interface ReadClaimsOptions {
  readonly id: NodeId;
  readonly raft: RaftCore;
  readonly server: Server;
  readonly link: PeerLink;
  /** The last index that anybody has committed. */
  readonly commit: () => number;
  /** Clocks run alike enough for leases to hold. */
  readonly areClocksFair: boolean;
  /** What a member says of itself; undefined while it does not run. */
  readonly statusOf: (id: NodeId) => RaftStatus | undefined;
  readonly violate: (invariant: string, detail: string) => void;
}

/** A read point that was asked for. */
interface Asked {
  /** The last round that was sent before. */
  readonly round: number;
  readonly commit: number;
  /** What is answered in that term: a point may be handed out when there have been others since. */
  readonly answered: ReadonlyMap<NodeId, number>;
  /** A quorum of the members of the time has answered. */
  isConfirmed: boolean;
}

/**
 * What makes reads linearizable (section 6.4 of Ongaro's thesis), checked at each read point and at
 * each moment of a lease, not only where a client happens to read what it should not.
 */
export class ReadClaims {
  readonly #options: ReadClaimsOptions;
  readonly #asked = new Map<number, Asked>();
  /** What was committed as another node asked for a point. */
  readonly #requested = new Map<string, number>();
  /** What the core has confirmed last. */
  #points = new Set<number>();
  /** The largest round answered by each node in the present term. */
  #answered = new Map<NodeId, number>();
  #sentRound = 0;
  #term = 0;
  /** The last term in which it told another node to stand. */
  #handedOverIn = 0;

  /** Has itself told what goes in and out of the core. */
  constructor(options: ReadClaimsOptions) {
    this.#options = options;
    const { raft, server, link } = options;
    const readIndex = raft.readIndex.bind(raft);
    raft.readIndex = (id) => {
      this.#ask(id);
      const refusal = readIndex(id);
      if (refusal !== undefined) this.#asked.delete(id);
      return refusal;
    };
    const receive = server.receiveReadRequest.bind(server);
    server.receiveReadRequest = (from, id) => {
      // It may come a second time before the first is answered.
      const name = `${from} ${id}`;
      if (!this.#requested.has(name)) this.#requested.set(name, options.commit());
      receive(from, id);
    };
    const answer = link.answerReadPoint.bind(link);
    link.answerReadPoint = (to, id, index) => {
      this.#judgeAnswer(`${to} ${id}`, index);
      answer(to, id, index);
    };
    const step = raft.step.bind(raft);
    raft.step = (message) => {
      this.#hear(message);
      step(message);
    };
    const ready = raft.ready.bind(raft);
    raft.ready = () => {
      const made = ready();
      if (made !== undefined) this.#judge(made);
      return made;
    };
    const tick = raft.tick.bind(raft);
    raft.tick = (nowMs) => {
      tick(nowMs);
      if (options.areClocksFair) this.#judgeLease();
    };
  }

  #enter(term: number): void {
    if (term === this.#term) return;
    this.#term = term;
    this.#answered = new Map();
    this.#sentRound = 0;
  }

  #ask(id: number): void {
    const { raft, commit } = this.#options;
    const { term } = raft.status();
    this.#enter(term);
    const [round, answered] = [this.#sentRound, this.#answered];
    this.#asked.set(id, { round, commit: commit(), answered, isConfirmed: false });
  }

  #hear(message: Message): void {
    if (message.type !== "append_response" && message.type !== "heartbeat_response") return;
    const { term, configuration } = this.#options.raft.status();
    this.#enter(term);
    if (message.term !== this.#term) return;
    const before = this.#answered.get(message.from) ?? 0;
    this.#answered.set(message.from, Math.max(before, message.round));
    for (const asked of this.#asked.values()) {
      asked.isConfirmed ||= this.#isAnswered(asked, configuration);
    }
  }

  #judge({ messages, readStates, readsFailed, roleChange }: Ready): void {
    this.#points = new Set(readStates.map(({ index }) => index));
    for (const { id, index } of readStates) {
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      if (asked !== undefined) this.#judgePoint(asked, index);
    }
    for (const id of readsFailed) this.#asked.delete(id);
    if (roleChange !== undefined && roleChange.role !== "leader" && this.#asked.size > 0) {
      const what = `node ${this.#options.id} leads no more, and keeps ${[...this.#asked.keys()]}`;
      this.#options.violate("who leads no more gives reads back", what);
    }
    for (const message of messages) {
      if (message.type === "timeout_now") this.#handedOverIn = message.term;
      if (message.type !== "append" && message.type !== "heartbeat") continue;
      this.#enter(message.term);
      this.#sentRound = Math.max(this.#sentRound, message.round);
    }
  }

  /** Another node is answered; -1: it is to ask again. */
  #judgeAnswer(request: string, index: number): void {
    const { id, raft, violate } = this.#options;
    const commit = this.#requested.get(request) ?? 0;
    this.#requested.delete(request);
    if (index < 0) return;
    const { role } = raft.status();
    // One that has just stepped down may hand out what it has confirmed before.
    if ((role === "leader" || this.#points.has(index)) && index >= commit) return;
    const what = `node ${id}, ${role}, answers ${index}, when ${commit} was committed before`;
    violate("a leader gives read points, not behind what was committed", what);
  }

  #isAnswered({ round, answered }: Asked, { voters, votersOutgoing }: Configuration): boolean {
    const { id } = this.#options;
    const confirms = (voter: NodeId) => voter === id || (answered.get(voter) ?? 0) > round;
    return [voters, votersOutgoing].every((half) =>
      half.length === 0 || half.filter(confirms).length > half.length / 2
    );
  }

  #judgePoint(asked: Asked, index: number): void {
    const { id, violate, raft } = this.#options;
    const { round, commit, answered } = asked;
    if (index < commit) {
      const what = `node ${id} gives ${index}, when ${commit} was committed before it was asked`;
      violate("a read point is not behind what was committed", what);
    }
    // The members may have changed since the answer that confirmed it.
    if (asked.isConfirmed || this.#isAnswered(asked, raft.status().configuration)) return;
    const what = `node ${id}, asked behind round ${round}, has answers of ${
      [...answered].map((each) => each.join(": "))
    }`;
    violate("a quorum answers after a read was asked for", what);
  }

  /**
   * While a lease runs nobody else can have committed anything: a quorum refuses its votes. Who
   * does not run will refuse them for an election timeout from its start on.
   */
  #judgeLease(): void {
    const { id, raft, commit, violate, statusOf } = this.#options;
    const status = raft.status();
    if (!status.leaseValid) return;
    if (status.term === this.#handedOverIn) {
      // That may arrive at any time, and then leases count no more.
      const what = `node ${id} has it in term ${status.term}, and told another to stand`;
      violate("a lease ends with a transfer", what);
    }
    if (status.commit < commit()) {
      const what =
        `node ${id} has it in term ${status.term} at ${status.commit}, and ${commit()} ` +
        "was committed";
      violate("a lease keeps others from committing", what);
    }
    const refuses = (voter: NodeId) => {
      if (voter === id) return true;
      const other = statusOf(voter);
      if (other === undefined || !other.isSticky) return other === undefined;
      // In a later term it may have come to by an answer alone.
      return other.term <= status.term || (other.leader === 0 && other.votedFor === 0);
    };
    // In joint consensus a candidate needs both halves, so one that refuses is enough.
    const { voters, votersOutgoing } = status.configuration;
    const holds = (half: readonly NodeId[]) => half.filter(refuses).length > half.length / 2;
    if (holds(voters) || votersOutgoing.length > 0 && holds(votersOutgoing)) return;
    const what = `node ${id} has it in term ${status.term}, and of ${voters} only ` +
      `${voters.filter(refuses)} would refuse another candidate their votes`;
    violate("a lease stands on a quorum that refuses votes", what);
  }
}
