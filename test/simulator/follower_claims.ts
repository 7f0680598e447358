import type { Message, NodeId, RaftCore, Ready, VoteRequest } from "../../src/raft/types.ts";

/** What the claims on a follower are judged by. */
export interface FollowerClaimsOptions {
  readonly id: NodeId;
  readonly raft: RaftCore;
  readonly violate: (invariant: string, detail: string) => void;
}

/**
 * What a node may take from a message (figure 2 of the paper). A follower has compared its log up
 * to the last new entry of an append and no further, so it commits and acknowledges no more,
 * whatever it holds.
 */
export class FollowerClaims {
  readonly #options: FollowerClaimsOptions;
  /** Up to where appends have come since answers were last handed out. */
  #compared = 0;
  /** "from/term/preVote" of requests for a vote: what the candidate's log lacks; "": nothing. */
  readonly #lacking = new Map<string, string>();
  /** The last term whose leader has told this node to stand. */
  #toldIn = 0;

  /** Has itself told what goes in and out of the core. */
  constructor(options: FollowerClaimsOptions) {
    this.#options = options;
    const { raft } = options;
    const step = raft.step.bind(raft);
    raft.step = (message) => {
      const { term, isSticky, leader, votedFor } = raft.status();
      if (message.type === "vote") this.#compare(message);
      if (message.type === "timeout_now") this.#toldIn = Math.max(this.#toldIn, message.term);
      if (message.term < term) this.#takeLate(message, () => step(message));
      else if (
        message.type === "vote" && isSticky && !message.transfer &&
        (message.term > term || leader === 0 && votedFor !== message.from)
      ) {
        this.#ignore(message, () => step(message));
      } else if (message.type === "vote" && message.preVote) {
        this.#answerPreVote(message, () => step(message));
      } else {
        if (message.type === "append") this.#take(message, () => step(message));
        else step(message);
        this.#judgeTerm(message);
        this.#judgeLeader(message);
      }
    };
    const ready = raft.ready.bind(raft);
    raft.ready = () => {
      const made = ready();
      if (made !== undefined) this.#judge(made);
      return made;
    };
  }

  /** Section 5.4.1; of pre-votes too, which else let one stand that cannot win. */
  #compare({ from, term, preVote, lastIndex, lastTerm }: VoteRequest): void {
    const own = this.#options.raft.status();
    const isComplete = lastTerm > own.lastTerm ||
      (lastTerm === own.lastTerm && lastIndex >= own.lastIndex);
    const key = `${from}/${term}/${preVote}`;
    const what = `${lastIndex} of ${lastTerm}, and it has ${own.lastIndex} of ${own.lastTerm}`;
    // One that was complete once may have been granted it, and ask again.
    if (isComplete) this.#lacking.set(key, "");
    else if (!this.#lacking.has(key)) this.#lacking.set(key, what);
  }

  /** Who hears of a later term is in it (figure 2); pre-votes are of one that may never come. */
  #judgeTerm(message: Message): void {
    const { id, raft, violate } = this.#options;
    const { type, from, term } = message;
    if (type === "vote" && message.preVote) return;
    if (type === "vote_response" && message.preVote && message.granted) return;
    const own = raft.status().term;
    if (own >= term) return;
    const what = `node ${id} stays in term ${own} at ${type} of term ${term} from ${from}`;
    violate("a later term is followed", what);
  }

  /** There is one leader in a term: who hears it stands no more (figure 2). */
  #judgeLeader({ type, from, term }: Message): void {
    if (type !== "append" && type !== "heartbeat" && type !== "install_snapshot") return;
    const { id, raft, violate } = this.#options;
    const { role, leader, term: own } = raft.status();
    if (own !== term || role === "leader" || (role === "follower" && leader === from)) return;
    const what = `node ${id} is ${role} of ${leader} at ${type} of term ${term} from ${from}`;
    violate("who hears a leader of its term follows it", what);
  }

  #take({ prevIndex, entries }: Extract<Message, { type: "append" }>, step: () => void): void {
    const { id, raft, violate } = this.#options;
    const { commit: before } = raft.status();
    step();
    const lastNew = prevIndex + entries.length;
    this.#compared = Math.max(this.#compared, lastNew);
    const { commit } = raft.status();
    if (commit <= Math.max(before, lastNew)) return;
    const what = `node ${id} commits ${commit} by an append up to ${lastNew}`;
    violate("a follower commits what it has compared", what);
  }

  /** Who has just heard a leader takes no part in an election (section 4.2.3 of the thesis). */
  #ignore({ from, term }: Message, step: () => void): void {
    const { id, raft, violate } = this.#options;
    const before = standing(raft);
    step();
    const after = standing(raft);
    if (before === after) return;
    const what =
      `node ${id} takes part in ${from}'s election of term ${term}: ${before} -> ${after}`;
    violate("who hears a leader ignores candidates", what);
  }

  /** A pre-vote is a question: it changes nothing (section 9.6 of the thesis). */
  #answerPreVote({ from, term }: Message, step: () => void): void {
    const { id, raft, violate } = this.#options;
    const before = standing(raft);
    step();
    const after = standing(raft);
    if (before === after) return;
    const what = `node ${id} answers ${from}'s pre-vote of term ${term}: ${before} -> ${after}`;
    violate("a pre-vote changes nothing", what);
  }

  /** What comes from an earlier term is answered at most (figure 2). */
  #takeLate({ type, from, term }: Message, step: () => void): void {
    const { id, raft, violate } = this.#options;
    const before = standing(raft);
    step();
    const after = standing(raft);
    if (before === after) return;
    const what = `node ${id} takes ${type} of term ${term} from ${from}: ${before} -> ${after}`;
    violate("an earlier term counts no more", what);
  }

  #judge({ messages, messagesAfterPersist }: Ready): void {
    const { id, raft, violate } = this.#options;
    if (messages.length + messagesAfterPersist.length === 0) return;
    const { commit } = raft.status();
    for (const message of [...messages, ...messagesAfterPersist]) {
      if (message.type === "vote" && message.transfer && message.term !== this.#toldIn + 1) {
        const what = `node ${id} in ${message.term}, told to in ${this.#toldIn}`;
        violate("only who is told to stands against a lease", what);
      }
      if (message.type === "vote_response" && message.granted) {
        const { to, term, preVote } = message;
        const lacking = this.#lacking.get(`${to}/${term}/${preVote}`) ?? "";
        if (lacking !== "") {
          violate("votes go to complete logs", `node ${id} to ${to} in ${term}: ${lacking}`);
        }
      }
      if (message.type !== "append_response" || !message.success) continue;
      if (message.index <= Math.max(this.#compared, commit)) continue;
      const what = `node ${id} acknowledges ${message.index}, compared up to ${this.#compared}`;
      violate("a follower acknowledges what it has compared", what);
    }
    this.#compared = 0;
  }
}

function standing(raft: RaftCore): string {
  const { term, votedFor, role, leader, isSticky, commit, lastIndex, peers } = raft.status();
  const matches = peers.map(({ id, match }) => `${id}: ${match}`);
  return [term, votedFor, role, leader, isSticky, commit, lastIndex, ...matches].join();
}
