import type { NodeId, RaftCore, RaftStatus } from "../../src/raft/types.ts";

/** What the claims on a leader are judged by. */
export interface LeaderClaimsOptions {
  readonly id: NodeId;
  readonly raft: RaftCore;
  readonly electionTimeoutMs: number;
  /** Of an entry on this node's disk. */
  readonly termAt: (index: number) => number | undefined;
  readonly violate: (invariant: string, detail: string) => void;
}

/** More than the election timeout after which it should have stepped down, for delays. */
const TIMEOUTS = 3;

const ANSWERS: ReadonlySet<string> = new Set(["append_response", "heartbeat_response"]);

/**
 * A leader commits what a quorum has, and leads while it hears one: else the cluster takes nothing.
 * A leader that hears of no quorum leads nobody, and says so (section 6.2 of Ongaro's thesis): else
 * one that is heard and hears nothing keeps others from being elected for as long.
 */
export class LeaderClaims {
  readonly #options: LeaderClaimsOptions;
  readonly #heardMs = new Map<NodeId, number>();
  /** Who has answered in the present term. */
  readonly #answeredMs = new Map<NodeId, number>();
  #term = 0;
  #nowMs = 0;
  /** What was not heard before proves nothing. */
  #sinceMs = 0;
  /** Since when it has been handing over. */
  #transferMs = Infinity;
  /** The reign, as far as its voters are the same. */
  #reign = "";

  /** Has itself told what goes into the core. */
  constructor(options: LeaderClaimsOptions) {
    this.#options = options;
    const { raft, electionTimeoutMs } = options;
    const step = raft.step.bind(raft);
    raft.step = (message) => {
      this.#heardMs.set(message.from, this.#nowMs);
      step(message);
      const { term } = raft.status();
      if (term !== this.#term) this.#answeredMs.clear();
      this.#term = term;
      if (message.term === term && ANSWERS.has(message.type)) {
        this.#answeredMs.set(message.from, this.#nowMs);
      }
    };
    const transferLeader = raft.transferLeader.bind(raft);
    raft.transferLeader = (to) => {
      this.#transferMs = Infinity;
      return transferLeader(to);
    };
    const tick = raft.tick.bind(raft);
    raft.tick = (nowMs) => {
      const before = raft.status();
      tick(nowMs);
      this.#judgeEnd(before, nowMs);
      if (nowMs - this.#nowMs > electionTimeoutMs / 2) this.#sinceMs = nowMs;
      this.#nowMs = nowMs;
      this.#judge();
    };
  }

  #judge(): void {
    const { id, raft, electionTimeoutMs, violate } = this.#options;
    const status = raft.status();
    const { role, term, configuration, transferTarget } = status;
    this.#transferMs = transferTarget === 0 ? Infinity : Math.min(this.#transferMs, this.#nowMs);
    if (this.#nowMs - this.#transferMs > 2 * electionTimeoutMs) {
      violate("a transfer ends", `node ${id} hands term ${term} over to ${transferTarget}`);
    }
    this.#judgeCommit(status);
    const halves = [configuration.voters, configuration.votersOutgoing];
    const reign = `${role} ${term} ${halves.join("/")}`;
    if (reign !== this.#reign) this.#sinceMs = this.#nowMs;
    this.#reign = reign;
    const fromMs = this.#nowMs - TIMEOUTS * electionTimeoutMs;
    if (role !== "leader" || this.#sinceMs > fromMs) return;
    const isHeard = (voter: NodeId) => voter === id || (this.#heardMs.get(voter) ?? 0) > fromMs;
    for (const voters of halves) {
      const heard = voters.filter(isHeard);
      if (voters.length === 0 || heard.length > voters.length / 2) continue;
      const what = `node ${id} leads term ${term}, and of ${voters} hears ${heard}`;
      violate("a leader hears a quorum", what);
    }
  }

  /** What a quorum of the members has, of the leader's own term, is committed (figure 2). */
  #judgeCommit({ role, term, configuration, peers, persistedIndex, commit }: RaftStatus): void {
    const { id, termAt, violate } = this.#options;
    if (role !== "leader") return;
    const matches = new Map(peers.map(({ id, match }) => [id, match]));
    matches.set(id, persistedIndex);
    const halves = [configuration.voters, configuration.votersOutgoing];
    const index = Math.min(
      ...halves.filter(({ length }) => length > 0).map((voters) => {
        const had = voters.map((voter) => matches.get(voter) ?? 0).sort((a, b) => b - a);
        return had[voters.length >> 1];
      }),
    );
    if (index <= commit || termAt(index) !== term) return;
    const what = `node ${id} leads ${term} at ${commit}, and a quorum has ${index}`;
    violate("what a quorum has is committed", what);
  }

  /** It steps down at a tick only when it does not hear a quorum any more. */
  #judgeEnd(before: RaftStatus, nowMs: number): void {
    const { id, raft, electionTimeoutMs, violate } = this.#options;
    const { role, term } = raft.status();
    if (before.role !== "leader" || role === "leader" || before.term !== term) return;
    const fromMs = nowMs - electionTimeoutMs / 2;
    const { voters, votersOutgoing } = before.configuration;
    const isHeard = (voter: NodeId) => voter === id || (this.#answeredMs.get(voter) ?? 0) > fromMs;
    for (const half of [voters, votersOutgoing]) {
      if (half.length > 0 && half.filter(isHeard).length <= half.length / 2) return;
    }
    violate("who hears a quorum leads on", `node ${id} gives up term ${term}`);
  }
}
