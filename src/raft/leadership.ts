import { memberIds } from "./membership.ts";
import { Progress } from "./progress.ts";
import { majorityValue } from "./quorum.ts";
import { ReadRounds } from "./read_index.ts";
import type { Configuration, NodeId, RaftOptions } from "./types.ts";

/** The part of an election timeout by which clocks may drift apart while a lease runs. */
const LEASE_DRIFT_DIVISOR = 10;

/** What a node holds only while it leads; made anew for each term. */
export class Leadership {
  readonly #options: RaftOptions;
  readonly self: Progress;
  /** All members but this one, ascending. */
  peers: Progress[] = [];
  /** Both halves of a joint configuration; this node is in them when it votes. */
  voters: Progress[] = [];
  votersOutgoing: Progress[] = [];

  /** The index of this term's no-op. */
  readonly termStartIndex: number;
  /** Bytes of this term's entries that are not committed. */
  uncommittedBytes = 0;
  heartbeatSentMs: number;
  /** After a stall of this process: until then the peers' silence proves nothing. */
  graceUntilMs = 0;
  readonly rounds = new ReadRounds();
  #roundConfirmed = 0;

  transferTarget: NodeId = 0;
  transferStartMs = 0;
  /** TimeoutNow may arrive at any time later, so from then on there is no lease in this term. */
  timeoutNowSent = false;

  readonly #scratch: number[] = [];

  constructor(options: RaftOptions, termStartIndex: number, nowMs: number) {
    this.#options = options;
    this.termStartIndex = termStartIndex;
    this.heartbeatSentMs = nowMs;
    this.self = new Progress(options.id, termStartIndex, nowMs, options.inflightMax);
    this.self.becomeReplicate();
  }

  /** Follows a new configuration: newcomers are probed from the log's end. */
  configure(configuration: Configuration, lastIndex: number, nowMs: number): void {
    const known = new Map<NodeId, Progress>([[this.self.id, this.self]]);
    for (const peer of this.peers) known.set(peer.id, peer);
    this.peers = [];
    for (const id of memberIds(configuration)) {
      if (id === this.self.id) continue;
      const peer = known.get(id) ??
        new Progress(id, lastIndex + 1, nowMs, this.#options.inflightMax);
      known.set(id, peer);
      this.peers.push(peer);
    }
    const pick = (id: NodeId) => known.get(id) as Progress;
    this.voters = configuration.voters.map(pick);
    this.votersOutgoing = configuration.votersOutgoing.map(pick);
  }

  peer(id: NodeId): Progress | undefined {
    for (const peer of this.peers) if (peer.id === id) return peer;
    return undefined;
  }

  isVoter(progress: Progress): boolean {
    return this.voters.includes(progress) || this.votersOutgoing.includes(progress);
  }

  #majority(half: readonly Progress[], value: "match" | "roundAcked" | "heardMs"): number {
    const scratch = this.#scratch;
    for (let at = 0; at < half.length; at++) scratch[at] = half[at][value];
    return majorityValue(scratch, half.length);
  }

  #quorum(value: "match" | "roundAcked" | "heardMs"): number {
    const incoming = this.#majority(this.voters, value);
    if (this.votersOutgoing.length === 0) return incoming;
    return Math.min(incoming, this.#majority(this.votersOutgoing, value));
  }

  /** The last index that is durable on a quorum. */
  get quorumMatch(): number {
    return this.#quorum("match");
  }

  /** Whether a quorum was heard from within the last election timeout. */
  quorumActive(nowMs: number): boolean {
    this.self.heardMs = nowMs;
    return this.#quorum("heardMs") > nowMs - this.#options.electionTimeoutMs;
  }

  isActive(peer: Progress, nowMs: number): boolean {
    return peer.heardMs > nowMs - this.#options.electionTimeoutMs;
  }

  beginRound(nowMs: number): void {
    this.rounds.begin(nowMs);
    this.self.roundAcked = this.rounds.last;
  }

  /** Whether answers made a later round confirmed by a quorum; `roundConfirmed` is it then. */
  confirmRounds(): boolean {
    const round = Math.min(this.#quorum("roundAcked"), this.rounds.last);
    if (round <= this.#roundConfirmed) return false;
    this.#roundConfirmed = round;
    return true;
  }

  get roundConfirmed(): number {
    return this.#roundConfirmed;
  }

  /**
   * Whether no other leader can exist at `nowMs`: a quorum answered a round, and those who did
   * refuse to vote for an election timeout after it was sent (section 6.4.1 of the thesis).
   */
  leaseValid(nowMs: number): boolean {
    if (!this.#options.checkQuorum || this.transferTarget !== 0 || this.timeoutNowSent) {
      return false;
    }
    const sentMs = this.rounds.sentMs(this.#roundConfirmed);
    if (sentMs === undefined) return false;
    const { electionTimeoutMs } = this.#options;
    return nowMs < sentMs + electionTimeoutMs - electionTimeoutMs / LEASE_DRIFT_DIVISOR;
  }
}
