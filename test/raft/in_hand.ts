import { Raft } from "../../src/raft/raft.ts";
import type {
  AppendRequest,
  Configuration,
  Entry,
  EntryKind,
  Message,
  RaftOptions,
  RaftStatus,
  Ready,
  VoteRequest,
} from "../../src/raft/types.ts";
import { configurationOf } from "./cluster.ts";
import { MemoryLog } from "./memory_log.ts";

type Body<Type extends Message> = Partial<Omit<Type, "type" | "to">>;

/** What a node had to do, over several Readies. */
export interface Done {
  readonly messages: Message[];
  readonly committed: Entry[];
  readonly readIds: number[];
  readonly readsFailed: number[];
  readonly dropped: Entry[];
  readonly snapshotsNeeded: number[];
}

export interface InHandOptions extends Partial<RaftOptions> {
  /** Terms of the entries 1, 2, … that are in the log at the start. */
  readonly terms?: number[];
  readonly term?: number;
  readonly votedFor?: number;
  readonly voters?: number[];
  readonly learners?: number[];
}

export function entry(index: number, term: number, kind: EntryKind = "normal"): Entry {
  return { index, term, kind, data: new Uint8Array([term]) };
}

/** One node whose peers, disk and clock are the test. Node 1 of the voters 1, 2, 3 by default. */
export class InHand {
  readonly log = new MemoryLog();
  readonly raft: Raft;
  readonly id: number;
  nowMs = 0;
  applied: number;

  constructor(options: InHandOptions = {}) {
    const { terms = [], voters = [1, 2, 3], learners = [] } = options;
    const configuration: Configuration = configurationOf(voters, learners);
    this.log.snapshot = { index: 0, term: 0, configuration };
    this.log.append(terms.map((term, at) => entry(at + 1, term)), {
      term: options.term ?? terms[terms.length - 1] ?? 0,
      votedFor: options.votedFor ?? 0,
      commit: 0,
    });
    this.applied = options.applied ?? 0;
    this.id = options.id ?? 1;
    this.raft = new Raft({
      id: this.id,
      configuration,
      hardState: this.log.hardState,
      log: this.log,
      applied: 0,
      electionTimeoutMs: 1000,
      heartbeatMs: 100,
      inflightMax: 4,
      appendBytesMax: 100,
      uncommittedBytesMax: 1000,
      preVote: false,
      checkQuorum: false,
      random: () => 0.5,
      ...options,
    });
    this.raft.tick(0);
  }

  get status(): RaftStatus {
    return this.raft.status();
  }

  /** Time passes in steps of 50 ms. */
  wait(ms: number): void {
    for (let left = ms; left > 0; left -= 50) {
      this.nowMs += Math.min(50, left);
      this.raft.tick(this.nowMs);
    }
  }

  /** Time passes, a voter answering each heartbeat. */
  waitHeard(ms: number, by: number): void {
    for (let left = ms; left > 0; left -= 50) {
      this.wait(Math.min(50, left));
      for (const message of this.drain().messages) {
        if (message.type !== "heartbeat" || message.to !== by) continue;
        this.step({
          type: "heartbeat_response",
          from: by,
          term: message.term,
          round: message.round,
        });
      }
    }
  }

  /** Takes a message to this node. */
  step(message: Omit<Message, "to"> & Record<string, unknown>): void {
    this.raft.step({ ...message, to: this.id } as unknown as Message);
  }

  append(body: Body<AppendRequest>): void {
    const absent = { prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 };
    this.step({ type: "append", from: 2, term: 1, ...absent, ...body });
  }

  vote(body: Body<VoteRequest>): void {
    const absent = { preVote: false, lastIndex: 0, lastTerm: 0, transfer: false };
    this.step({ type: "vote", from: 2, term: 1, ...absent, ...body });
  }

  /** The disk completes one Ready. */
  persist(ready: Ready): void {
    this.log.append(ready.entries, ready.hardState);
    if (ready.persistToken !== undefined) this.raft.persisted(ready.persistToken);
  }

  /** Does at once all that is to be done. */
  drain(): Done {
    const done: Done = {
      messages: [],
      committed: [],
      readIds: [],
      readsFailed: [],
      dropped: [],
      snapshotsNeeded: [],
    };
    for (let ready = this.raft.ready(); ready !== undefined; ready = this.raft.ready()) {
      done.messages.push(...ready.messages, ...ready.messagesAfterPersist);
      done.committed.push(...ready.committed);
      done.readIds.push(...ready.readStates.map((read) => read.id));
      done.readsFailed.push(...ready.readsFailed);
      done.dropped.push(...ready.dropped);
      done.snapshotsNeeded.push(...ready.snapshotsNeeded);
      this.persist(ready);
      const last = ready.committed[ready.committed.length - 1];
      if (last !== undefined) this.raft.applied(last.index);
    }
    return done;
  }

  /** Stands for election and is granted all votes; drains what follows from it. */
  lead(): Done {
    this.wait(2000);
    this.drain();
    const { term } = this.status;
    for (const from of [2, 3, 4, 5]) {
      this.step({ type: "vote_response", from, term, preVote: false, granted: true });
    }
    return this.drain();
  }

  /** A follower's log matches up to `index`. */
  matches(from: number, index: number, round = 0): void {
    const { term } = this.status;
    const absent = { success: true, hintIndex: 0, hintTerm: 0 };
    this.step({ type: "append_response", from, term, index, round, ...absent });
  }
}

export function ofType<Type extends Message["type"]>(
  messages: readonly Message[],
  type: Type,
): Extract<Message, { type: Type }>[] {
  return messages.filter((message): message is Extract<Message, { type: Type }> =>
    message.type === type
  );
}
