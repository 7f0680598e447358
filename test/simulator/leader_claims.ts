import type { NodeId, RaftCore } from "../../src/raft/types.ts";

/** What the claims on a leader are judged by. */
export interface LeaderClaimsOptions {
  readonly id: NodeId;
  readonly raft: RaftCore;
  readonly electionTimeoutMs: number;
  readonly violate: (invariant: string, detail: string) => void;
}

/** More than the election timeout after which it should have stepped down, for delays. */
const TIMEOUTS = 3;

/**
 * A leader that hears of no quorum leads nobody, and says so (section 6.2 of Ongaro's thesis): else
 * one that is heard and hears nothing keeps others from being elected for as long.
 */
export class LeaderClaims {
  readonly #options: LeaderClaimsOptions;
  readonly #heardMs = new Map<NodeId, number>();
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
    };
    const transferLeader = raft.transferLeader.bind(raft);
    raft.transferLeader = (to) => {
      this.#transferMs = Infinity;
      return transferLeader(to);
    };
    const tick = raft.tick.bind(raft);
    raft.tick = (nowMs) => {
      tick(nowMs);
      if (nowMs - this.#nowMs > electionTimeoutMs / 2) this.#sinceMs = nowMs;
      this.#nowMs = nowMs;
      this.#judge();
    };
  }

  #judge(): void {
    const { id, raft, electionTimeoutMs, violate } = this.#options;
    const { role, term, configuration, transferTarget } = raft.status();
    this.#transferMs = transferTarget === 0 ? Infinity : Math.min(this.#transferMs, this.#nowMs);
    if (this.#nowMs - this.#transferMs > 2 * electionTimeoutMs) {
      violate("a transfer ends", `node ${id} hands term ${term} over to ${transferTarget}`);
    }
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
}
