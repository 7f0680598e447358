import { encodeConfiguration } from "../../src/raft/membership.ts";
import type { Configuration, Message, NodeId, RaftStatus } from "../../src/raft/types.ts";
import type { ShadowLog } from "./shadow_log.ts";

/** What the claims are judged by. */
export interface Known {
  readonly shadow: (id: NodeId) => ShadowLog;
  /** Who leads a term, as far as anybody has seen. */
  readonly leaderOf: (term: number) => NodeId | undefined;
  /** The last index that anybody has committed. */
  readonly commit: () => number;
  readonly termAt: (index: number) => number | undefined;
}

const LEADERS: ReadonlySet<Message["type"]> = new Set([
  "append",
  "heartbeat",
  "install_snapshot",
  "timeout_now",
]);

interface Sent {
  term: number;
  index: number;
}

/**
 * The steps that the proof of Raft goes by, each checked where it is made. What breaks one of them
 * breaks safety only when much else comes together, so these find it long before.
 */
export class Claims {
  readonly #known: Known;
  /** "leader/follower": up to where that leader has sent its log, in its latest term. */
  readonly #sent = new Map<string, Sent>();
  readonly #leading = new Map<NodeId, { term: number; commit: number }>();

  constructor(known: Known) {
    this.#known = known;
  }

  /** What is wrong with a message, as [invariant, detail]. */
  sending(message: Message): readonly [string, string] | undefined {
    const { type, from, to } = message;
    const what = `node ${from} to ${to}, ${type} of term ${message.term}`;
    if (type === "append") this.#noteSent(message.from, to, message);
    if (LEADERS.has(type) && this.#known.leaderOf(message.term) !== from) {
      return ["only a leader sends what leaders do", what];
    }
    const problem = type === "vote_response" && message.granted && !message.preVote
      ? this.#wrongVote(message.from, to, message.term)
      : type === "append_response" && message.success
      ? this.#wrongAck(from, to, message)
      : type === "install_snapshot_response" && message.index > this.#known.commit()
      ? `index ${message.index} is not committed`
      : undefined;
    if (problem === undefined) return undefined;
    const invariant = type === "vote_response"
      ? "votes go to complete logs"
      : "no more is acknowledged than was sent";
    return [invariant, `${what}: ${problem}`];
  }

  #noteSent(
    from: NodeId,
    to: NodeId,
    { term, prevIndex, entries }: Extract<Message, { type: "append" }>,
  ): void {
    const index = prevIndex + entries.length;
    const sent = this.#sent.get(`${from}/${to}`);
    if (sent === undefined) this.#sent.set(`${from}/${to}`, { term, index });
    else if (sent.term === term) sent.index = Math.max(sent.index, index);
    else Object.assign(sent, { term, index });
  }

  /** Section 5.4.1: who votes has no later log than whom it votes for. */
  #wrongVote(voter: NodeId, candidate: NodeId, term: number): string | undefined {
    const own = this.#known.shadow(voter);
    const theirs = this.#known.shadow(candidate);
    // Once it is decided the logs move on, and those that have left the term may have cut theirs.
    if (this.#known.leaderOf(term) !== undefined) return undefined;
    if (own.term !== term || theirs.term !== term) return undefined;
    const [ownTerm, theirTerm] = [own.termAt(own.lastIndex) ?? 0, theirs.termAt(theirs.lastIndex)];
    const isComplete = theirTerm! > ownTerm ||
      (theirTerm === ownTerm && theirs.lastIndex >= own.lastIndex);
    return isComplete ? undefined : `${own} votes for ${theirs}`;
  }

  #wrongAck(
    from: NodeId,
    to: NodeId,
    { term, index }: Extract<Message, { type: "append_response" }>,
  ): string | undefined {
    const sent = this.#sent.get(`${to}/${from}`);
    if (sent?.term !== term || index <= Math.max(sent.index, this.#known.commit())) {
      return undefined;
    }
    return `it acknowledges ${index}, and was sent up to ${sent.index}`;
  }

  /** A completed write counts for the entries that it wrote, not for others of their indexes. */
  #undurable(status: RaftStatus, shadow: ShadowLog): string | undefined {
    const { id, persistedIndex, lastIndex, lastTerm, commit } = status;
    // All of it is committed, perhaps by a snapshot that is not installed yet.
    if (persistedIndex <= commit) return undefined;
    const term = shadow.termAt(persistedIndex);
    const isThere = term !== undefined && (persistedIndex < lastIndex || term === lastTerm);
    return isThere ? undefined : `node ${id} counts ${persistedIndex} of ${lastTerm}: ${shadow}`;
  }

  /** What is wrong with where a node stands. */
  looking(status: RaftStatus): readonly [string, string] | undefined {
    const { id, role, term, commit, lastIndex, lastTerm, configuration } = status;
    const before = this.#leading.get(id);
    if (role !== "leader") this.#leading.delete(id);
    else this.#leading.set(id, { term, commit });
    if (role === "leader" && before?.term === term && commit > before.commit) {
      const committed = this.#known.termAt(commit);
      if (committed !== undefined && committed !== term) {
        const what = `node ${id} leads ${term}, and counts copies of ${commit} of ${committed}`;
        return ["a leader counts copies of its own term only", what];
      }
    }
    const shadow = this.#known.shadow(id);
    const undurable = this.#undurable(status, shadow);
    if (undurable !== undefined) return ["what counts as durable is on the disk", undurable];
    if (shadow.lastIndex !== lastIndex || shadow.termAt(lastIndex) !== lastTerm) return undefined;
    const expected = shadow.configuration;
    if (expected === undefined || expected === configurationText(configuration)) return undefined;
    return ["the latest members in the log are in effect", `node ${id} at ${lastIndex}`];
  }
}

const texts = new WeakMap<Configuration, string>();

/** Equal for equal configurations. */
export function configurationText(configuration: Configuration): string {
  let text = texts.get(configuration);
  if (text === undefined) {
    text = String.fromCharCode(...encodeConfiguration(configuration));
    texts.set(configuration, text);
  }
  return text;
}
