import { decodeConfiguration, memberIds } from "../../src/raft/membership.ts";
import type {
  Configuration,
  Entry,
  HardState,
  Message,
  NodeId,
  RaftStatus,
} from "../../src/raft/types.ts";
import { isVoter } from "../../src/raft/quorum.ts";
import { BesideTruth } from "./beside_truth.ts";
import { Claims, configurationText } from "./claims.ts";
import { FreeTruth } from "./free_truth.ts";
import { Reference } from "./reference.ts";
import { ShadowLog, sumOf } from "./shadow_log.ts";
import { unelected, wrongVote } from "./vote_claims.ts";

/** What was broken, and how. */
export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

interface Committed {
  readonly term: number;
  readonly sum: number;
  /** The term in which it was committed: leaders of later ones have it. */
  readonly by: number;
}

/** What one node is known to have reached: none of it may go back. */
interface Reached {
  term: number;
  commit: number;
  applied: number;
}

const TERMS = 2 ** 22;
/** Entries that a learner may lack as it becomes a voter. */
const LAG_MAX = 70;

/** All that is known of a cluster from outside: what it may never contradict. */
export class Truth {
  violation: Violation | undefined;
  readonly reference = new Reference((invariant, detail) => this.violate(invariant, detail));
  readonly beside = new BesideTruth(
    this.reference,
    (invariant, detail) => this.violate(invariant, detail),
  );
  readonly free = new FreeTruth((invariant, detail) => this.violate(invariant, detail));
  readonly committed: Committed[] = [];
  /** The members in effect at the last committed entry. */
  configuration: Configuration | undefined;
  #changedAt = 0;
  readonly counts = { elections: 0, changes: 0, snapshots: 0, purges: 0 };
  readonly shadows = new Map<NodeId, ShadowLog>();
  /** What a write under way would leave, where a crash may fall on either side of it. */
  readonly #pending = new Map<NodeId, (shadow: ShadowLog) => void>();
  readonly #leaders = new Map<number, NodeId>();
  /** (index, term) -> checksum, and the term before. */
  readonly #entries = new Map<number, { sum: number; termBefore: number; entry: Entry }>();
  readonly #digests: number[] = [];
  readonly #reached = new Map<NodeId, Reached>();
  /** Of all that were ever members: no machine changes its address here. */
  readonly #addressOf = new Map<NodeId, string>();
  readonly #configurationIndexes = new Map<NodeId, number[]>();
  readonly #claims = new Claims({
    shadow: (id) => this.shadow(id),
    leaderOf: (term) => this.#leaders.get(term),
    commit: () => this.commit,
    termAt: (index) => this.committed[index - 1]?.term,
  });

  violate(invariant: string, detail: string): void {
    this.violation ??= { invariant, detail };
  }

  get commit(): number {
    return this.committed.length;
  }

  shadow(id: NodeId): ShadowLog {
    let shadow = this.shadows.get(id);
    if (shadow === undefined) this.shadows.set(id, shadow = new ShadowLog());
    return shadow;
  }

  // --- what a node's log store does ------------------------------------------------------------

  appending(id: NodeId, entries: readonly Entry[], hardState: HardState | undefined): void {
    this.#begin(id, (shadow) => shadow.append(entries, hardState));
    // Here and not behind the write: a crash amid it may leave them on the disk.
    const shadow = this.shadow(id);
    const vote = wrongVote(shadow, hardState);
    if (vote !== undefined) this.violate("one vote a term", `node ${id}: ${vote}`);
    for (const [i, entry] of entries.entries()) {
      const before = i === 0 ? shadow.termAt(entry.index - 1) : entries[i - 1].term;
      this.#checkEntry(id, before ?? 0, entry);
    }
  }

  appended(id: NodeId, entries: readonly Entry[], hardState: HardState | undefined): void {
    const shadow = this.shadow(id);
    for (const entry of entries) {
      const { index, term } = entry;
      if (index <= this.commit && this.committed[index - 1].term !== term) {
        const had = shadow.termAt(index) === this.committed[index - 1].term;
        if (had) this.violate("committed never changes", `node ${id} replaces entry ${index}`);
      }
    }
    shadow.append(entries, hardState);
    this.#pending.delete(id);
    if (entries.length > 0) this.#noteConfigurations(id, entries);
  }

  /** Runs a change of the log's start: `compact` or `reset`. */
  moving(id: NodeId, change: (shadow: ShadowLog) => void): void {
    this.#begin(id, change);
  }

  moved(id: NodeId, change: (shadow: ShadowLog) => void): void {
    change(this.shadow(id));
    this.#pending.delete(id);
  }

  /** How many disks hold an entry that is committed, that of one node not counted. */
  holders(index: number, except: NodeId): number {
    const term = this.committed[index - 1]?.term;
    const others = [...this.shadows].filter(([id]) => id !== except).map(([, shadow]) => shadow);
    return others.filter((each) => each.snapshotIndex > index || each.termAt(index) === term)
      .length;
  }

  /** A node's log as it was found at a start. */
  opened(id: NodeId, log: ShadowLog): void {
    const shadow = this.shadow(id);
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    shadow.learnMembers(log);
    if (isSame(shadow, log)) return;
    if (pending !== undefined) {
      const after = shadow.copy();
      pending(after);
      this.shadows.set(id, after);
      if (isSame(after, log)) return;
    }
    this.violate("durable means durable", `node ${id} confirmed ${shadow}, and has ${log}`);
  }

  #begin(id: NodeId, change: (shadow: ShadowLog) => void): void {
    this.#pending.set(id, change);
  }

  #checkEntry(id: NodeId, termBefore: number, entry: Entry): void {
    const { index, term } = entry;
    const sum = sumOf(entry);
    const key = index * TERMS + term;
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { sum, termBefore, entry });
    } else if (known.sum !== sum || known.termBefore !== termBefore) {
      this.violate("log matching", `node ${id} has another entry ${index} of term ${term}`);
    }
  }

  #noteConfigurations(id: NodeId, entries: readonly Entry[]): void {
    const kept = (this.#configurationIndexes.get(id) ?? []).filter((at) => at < entries[0].index);
    for (const { index, kind } of entries) if (kind === "configuration") kept.push(index);
    this.#configurationIndexes.set(id, kept.slice(-8));
    if (this.shadow(id).lastChange > Math.max(this.commit, entries[0].index - 1)) {
      this.#checkUncommitted(id);
    }
  }

  /** Members that more than one may come to lead by: no two may be elected side by side. */
  #checkUncommitted(id: NodeId): void {
    const { commit } = this;
    const added = this.shadow(id);
    const members = decodeText(added.configuration!);
    for (const [other, shadow] of this.shadows) {
      if (shadow.lastChange <= commit || shadow.configuration === added.configuration) continue;
      // Who has other entries than the committed ones leads nobody any more.
      if (commit > 0 && shadow.termAt(commit) !== this.committed[commit - 1].term) continue;
      if (quorumsMeet(members, decodeText(shadow.configuration!))) continue;
      const what = `entry ${added.lastChange} of node ${id}, ${shadow.lastChange} of ${other}`;
      this.violate("uncommitted quorums meet", what);
    }
  }

  // --- what a node says ------------------------------------------------------------------------

  sending(messages: readonly Message[]): void {
    for (const message of messages) {
      const broken = this.#claims.sending(message);
      if (broken !== undefined) this.violate(...broken);
      const problem = this.#revealed(message);
      if (problem === undefined) continue;
      const { from, to, type, term } = message;
      const what = `node ${from} sends ${to} ${type} of term ${term}: ${problem}`;
      this.violate("no message reveals what is not persisted", what);
    }
  }

  #revealed(message: Message): string | undefined {
    const shadow = this.shadow(message.from);
    const { term, votedFor } = shadow;
    if (message.type === "vote_response" && !message.preVote) {
      if (term < message.term) return `durable is term ${term}`;
      const isGranted = message.granted && term === message.term;
      return isGranted && votedFor !== message.to ? `durable is a vote for ${votedFor}` : undefined;
    }
    if (message.type === "vote" && !message.preVote) {
      const isMine = term > message.term || (term === message.term && votedFor === message.from);
      return isMine ? undefined : `durable is term ${term}, vote ${votedFor}`;
    }
    if (message.type === "append_response" || message.type === "heartbeat_response") {
      if (term < message.term) return `durable is term ${term}`;
    }
    if (message.type === "install_snapshot_response" && shadow.lastIndex < message.index) {
      return `durable is up to ${shadow.lastIndex}`;
    }
    if (message.type === "append_response" && message.success) {
      if (shadow.lastIndex < message.index) return `durable is up to ${shadow.lastIndex}`;
      // A leader's own disk is behind its log, but holds nothing else.
      const leader = this.shadow(message.to);
      const isLeader = this.#leaders.get(message.term) === message.to;
      const theirs = isLeader && leader.term === message.term && shadow.term === message.term
        ? leader.termAt(message.index)
        : undefined;
      const own = shadow.termAt(message.index);
      if (theirs !== undefined && own !== undefined && theirs !== own) {
        return `entry ${message.index} is not the leader's`;
      }
    }
    return undefined;
  }

  // --- where a node stands ---------------------------------------------------------------------

  /** Whether a node has been a leader in any term. */
  hasLed(id: NodeId): boolean {
    return [...this.#leaders.values()].includes(id);
  }

  /** `status` after something happened on a node. */
  look(status: RaftStatus): void {
    const { id, term, commit, applied, lastIndex } = status;
    let reached = this.#reached.get(id);
    if (reached === undefined) {
      this.#reached.set(id, reached = { term: 0, commit: 0, applied: 0 });
    }
    if (term < reached.term || commit < reached.commit || applied < reached.applied) {
      const were = `${reached.term}/${reached.commit}/${reached.applied}`;
      this.violate("nothing goes back", `node ${id}: ${were} -> ${term}/${commit}/${applied}`);
    }
    if (applied > commit || commit > lastIndex) {
      this.violate("applied <= commit <= last", `node ${id}: ${applied}, ${commit}, ${lastIndex}`);
    }
    if (status.role === "leader") this.#lead(status);
    while (this.commit < commit) this.#commitNext(status);
    if (applied > reached.applied) this.#checkApplied(status, reached.applied);
    const broken = this.#claims.looking(status);
    if (broken !== undefined) this.violate(...broken);
    reached.term = term;
    reached.commit = commit;
    reached.applied = applied;
  }

  /** A node's process ended: what it knew only in memory may be gone. */
  restarted(id: NodeId, applied: number, commit: number): void {
    const reached = this.#reached.get(id);
    if (reached === undefined) return;
    reached.applied = applied;
    reached.commit = commit;
    reached.term = this.shadow(id).term;
  }

  #lead(status: RaftStatus): void {
    const { id, term, commit, configuration } = status;
    if (
      !isVoter(configuration, id) && commit >= this.#changedAt && this.configuration &&
      configurationText(configuration) === configurationText(this.configuration)
    ) {
      this.violate("who was removed does not lead", `node ${id}, term ${term}, commit ${commit}`);
    }
    const open = this.#configurationIndexes.get(id)?.filter((index) => index > commit) ?? [];
    // It may have inherited two; it must not have added the second.
    if (open.length > 1 && this.shadow(id).termAt(open[open.length - 1]) === term) {
      this.violate("one change at a time", `node ${id} has both ${open[0]} and ${open[1]}`);
    }
    const leader = this.#leaders.get(term);
    if (leader === id) return;
    if (leader !== undefined) {
      this.violate("election safety", `nodes ${leader} and ${id} lead term ${term}`);
      return;
    }
    this.#leaders.set(term, id);
    this.counts.elections++;
    const problem = unelected(status, (voter) => this.shadow(voter));
    if (problem !== undefined) this.violate("a quorum votes for a leader", problem);
    const shadow = this.shadow(id);
    for (let index = shadow.snapshotIndex + 1; index <= this.commit; index++) {
      const known = this.committed[index - 1];
      // One that comes late to an old term leads nobody.
      if (known.by >= term || shadow.termAt(index) === known.term) continue;
      const what = `node ${id} leads term ${term} without entry ${index}`;
      this.violate("leader completeness", what);
      return;
    }
  }

  /** What was applied is durable here, and the same as everywhere. */
  #checkApplied({ id, applied }: RaftStatus, from: number): void {
    const shadow = this.shadow(id);
    for (let index = Math.max(from, shadow.snapshotIndex) + 1; index <= applied; index++) {
      const known = this.committed[index - 1];
      const isSame = known?.term === shadow.termAt(index) && known?.sum === shadow.sumAt(index);
      if (isSame) continue;
      this.violate("state machine safety", `node ${id} applies another entry ${index}`);
      return;
    }
  }

  #commitNext(status: RaftStatus): void {
    const index = this.commit + 1;
    const term = this.#termOf(status, index);
    const known = term === undefined ? undefined : this.#entries.get(index * TERMS + term);
    if (term === undefined || known === undefined) {
      // It is on no disk, so nobody can have committed it.
      const what = `entry ${index} is on no disk: ${this.#logs()}`;
      this.violate("committed means durable on a quorum", what);
      this.committed.push({ term: 0, sum: 0, by: status.term });
      return;
    }
    const { entry, sum } = known;
    this.configuration ??= status.configuration;
    this.committed.push({ term, sum, by: status.term });
    this.#checkQuorum(status, index, term);
    if (entry.kind === "configuration") this.#changeMembers(entry);
    this.reference.apply(entry);
  }

  /** Of an entry that a node has committed, here or on another disk. */
  #termOf({ id, persistedIndex, configuration }: RaftStatus, index: number): number | undefined {
    if (index <= persistedIndex) return this.shadow(id).termAt(index);
    const terms = new Map<number, number>();
    for (const voter of configuration.voters) {
      const term = this.shadow(voter).termAt(index);
      if (term !== undefined) terms.set(term, (terms.get(term) ?? 0) + 1);
    }
    return [...terms].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0]?.[0];
  }

  #checkQuorum({ id, configuration }: RaftStatus, index: number, term: number): void {
    const has = (node: NodeId) => this.shadow(node).termAt(index) === term;
    for (const voters of [configuration.voters, configuration.votersOutgoing]) {
      const count = voters.filter(has).length;
      if (voters.length === 0 || count > voters.length / 2) continue;
      const what = `node ${id} commits entry ${index}, durable on ${count} of ${voters.length}` +
        ` with term ${term}: ${this.#logs()}`;
      this.violate("committed means durable on a quorum", what);
    }
  }

  #logs(): string {
    return [...this.shadows].map(([id, shadow]) => `${id}: ${shadow}`).join(", ");
  }

  #changeMembers({ index, data }: Entry): void {
    const next = decodeConfiguration(data);
    const before = this.configuration!;
    for (const id of memberIds(before)) this.#addressOf.set(id, before.addresses[id]);
    const again = memberIds(next).find((id) =>
      this.#addressOf.has(id) && before.addresses[id] !== next.addresses[id]
    );
    if (again !== undefined) {
      const what = `entry ${index} gives ${again} to ${next.addresses[again]}, once it was ` +
        `that of ${this.#addressOf.get(again)}`;
      this.violate("an id is given once", what);
    }
    const isLeft = before.votersOutgoing.length > 0;
    if (isLeft && (next.votersOutgoing.length > 0 || next.voters.join() !== before.voters.join())) {
      const what = `entry ${index} has voters ${next.voters}, not ${before.voters}`;
      this.violate("joint consensus leads to the new voters", what);
    }
    this.configuration = next;
    this.#changedAt = index;
    this.counts.changes++;
    if (quorumsMeet(before, next)) return;
    this.violate("adjacent quorums meet", `entry ${index}`);
  }

  /** An entry was applied, by which the state has this digest. */
  applied(id: NodeId, index: number, digest: number): void {
    const known = this.#digests[index];
    if (known === undefined) this.#digests[index] = digest;
    else if (known !== digest) {
      this.violate("state machine safety", `node ${id} has another state at ${index}`);
    }
  }

  /** A machine takes an id for its own: nobody else may come by that. */
  joined(id: NodeId): void {
    if (this.configuration?.addresses[id] !== undefined || this.#addressOf.has(id)) return;
    this.violate("who joins is a member", `node ${id} is in no committed configuration`);
  }

  /** A learner becomes a voter, by an entry of this index. */
  promoted(id: NodeId, index: number): void {
    const { lastIndex } = this.shadow(id);
    if (lastIndex >= index - LAG_MAX) return;
    const what = `node ${id} has entries up to ${lastIndex}, and votes from ${index} on`;
    this.violate("who becomes a voter has caught up", what);
  }

  /** The log's start moves to `index`; `durable`: what its state.db surely holds. */
  purged(id: NodeId, index: number, durable: number, applied: number): void {
    this.counts.purges++;
    if (index <= durable && durable <= applied) return;
    const what = `node ${id} purges up to ${index}, durable ${durable}, applied ${applied}`;
    this.violate("purged <= durable applied <= applied", what);
  }
}

function decodeText(text: string): Configuration {
  return decodeConfiguration(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

/** Whether each majority of one has a node in common with each majority of the other. */
function quorumsMeet(a: Configuration, b: Configuration): boolean {
  const all = [...new Set([...a.voters, ...a.votersOutgoing, ...b.voters, ...b.votersOutgoing])];
  if (all.length > 14) return true;
  const isQuorum = (configuration: Configuration, set: number): boolean =>
    [configuration.voters, configuration.votersOutgoing].every((voters) =>
      voters.length === 0 ||
      voters.filter((id) => (set >> all.indexOf(id)) & 1).length > voters.length / 2
    );
  // A set and all others cannot both be quorums, one of each.
  for (let set = 0; set < 2 ** all.length; set++) {
    if (isQuorum(a, set) && isQuorum(b, 2 ** all.length - 1 - set)) return false;
  }
  return true;
}

function isSame(a: ShadowLog, b: ShadowLog): boolean {
  if (a.snapshotIndex !== b.snapshotIndex || a.lastIndex !== b.lastIndex) return false;
  if (a.term !== b.term || a.votedFor !== b.votedFor) return false;
  for (let index = a.snapshotIndex + 1; index <= a.lastIndex; index++) {
    if (a.termAt(index) !== b.termAt(index)) return false;
    if (a.sumAt(index) !== b.sumAt(index)) return false;
  }
  return true;
}
