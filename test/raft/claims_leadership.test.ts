// Claims of Ongaro's thesis about membership, transfer of leadership, reads and leases.
import { describe, expect, test } from "bun:test";
import { decodeConfiguration } from "../../src/raft/membership.ts";
import { entry, InHand, type InHandOptions, ofType } from "./in_hand.ts";

const DATA = new Uint8Array([1]);

/** A leader of term 1 whose no-op is committed and applied. */
function leader(options: InHandOptions = {}): InHand {
  const node = new InHand(options);
  node.lead();
  for (const from of [2, 3]) node.matches(from, 1);
  node.drain();
  return node;
}

function configurations(node: InHand): [number[], number[]][] {
  return node.log.entriesStored.filter(({ kind }) => kind === "configuration").map(({ data }) => {
    const { voters, votersOutgoing } = decodeConfiguration(data);
    return [[...voters], [...votersOutgoing]];
  });
}

describe("membership (4)", () => {
  test("a change is refused before an entry of the own term is committed (4.1, erratum)", () => {
    const node = new InHand();
    node.lead();
    const change = { kind: "add_learner", id: 4, address: "d" } as const;
    expect(node.raft.changeMembership(change)).toEqual({
      ok: false,
      reason: "no_own_term_commit",
    });
    expect(new InHand().raft.changeMembership(change)).toEqual({ ok: false, reason: "not_leader" });
  });

  test("one change at a time, until it is applied (4.1)", () => {
    const node = leader();
    const add = (id: number) =>
      node.raft.changeMembership({ kind: "add_learner", id, address: "x" });
    expect(add(4)).toMatchObject({ ok: true, index: 2 });
    expect(add(5)).toEqual({ ok: false, reason: "change_pending" });
    const ready = node.raft.ready()!;
    node.persist(ready);
    node.matches(2, 2);
    expect(node.status.commit).toBe(2);
    expect(add(5)).toEqual({ ok: false, reason: "change_pending" });
    node.drain();
    expect(add(5)).toMatchObject({ ok: true });
    expect(add(5)).toEqual({ ok: false, reason: "change_pending" });
  });

  test("a change that makes no sense is invalid, and nothing is appended", () => {
    const node = leader();
    expect(node.raft.changeMembership({ kind: "promote", id: 9 })).toEqual({
      ok: false,
      reason: "invalid",
    });
    expect(node.status.lastIndex).toBe(1);
  });

  test("a configuration is in effect as soon as it is appended, and a newcomer is served (4.1)", () => {
    const node = leader();
    node.raft.changeMembership({ kind: "add_learner", id: 4, address: "d" });
    expect(node.status.configuration).toMatchObject({ learners: [4], addresses: { 4: "d" } });
    const appends = ofType(node.drain().messages, "append").filter(({ to }) => to === 4);
    expect(appends).toMatchObject([{ prevIndex: 1, entries: [{ kind: "configuration" }] }]);
  });

  test("a joint configuration needs both majorities to commit, and is left by itself (4.3)", () => {
    const node = leader({ learners: [4] });
    node.raft.changeMembership({ kind: "promote", id: 4 });
    node.drain();
    node.matches(2, 2);
    expect(node.status.commit).toBe(1);
    node.matches(4, 2);
    expect(node.status.commit).toBe(2);
    node.drain();
    expect(configurations(node)).toEqual([[[1, 2, 3, 4], [1, 2, 3]], [[1, 2, 3, 4], []]]);
    const other = leader({ learners: [4] });
    other.raft.changeMembership({ kind: "remove", id: 3 });
    other.drain();
    other.matches(4, 2);
    other.matches(3, 2);
    // 1 and 3 are a majority of the old three, 1 alone is none of the new two.
    expect(other.status.commit).toBe(1);
    other.matches(2, 2);
    expect(other.status.commit).toBe(2);
  });

  test("the old majority alone can hold a joint configuration up, for reads too (4.3)", () => {
    const node = leader({ voters: [1, 2, 3, 4] });
    node.raft.changeMembership({ kind: "remove", id: 4 });
    node.drain();
    node.matches(2, 2);
    node.raft.readIndex(7);
    const [beat] = ofType(node.drain().messages, "heartbeat");
    node.step({ type: "heartbeat_response", from: 2, term: 1, round: beat.round });
    // 1 and 2 are a majority of the new three, and half of the old four.
    expect(node.status.commit).toBe(1);
    expect(node.drain().readIds).toEqual([]);
    node.step({ type: "heartbeat_response", from: 4, term: 1, round: beat.round });
    expect(node.drain().readIds).toEqual([7]);
    node.matches(4, 2);
    expect(node.status.commit).toBe(2);
  });

  test("who is alone in an uncommitted configuration does not stand against its leader", () => {
    const first = leader({ voters: [1, 2] });
    first.raft.changeMembership({ kind: "remove", id: 1 });
    first.drain();
    first.matches(2, 2);
    first.drain();
    const node = new InHand({ id: 2, voters: [1, 2], checkQuorum: true });
    node.append({ from: 1, entries: first.log.entriesStored, commit: 2 });
    node.drain();
    expect(node.status.configuration).toMatchObject({ voters: [2], votersOutgoing: [] });
    node.wait(500);
    expect(node.status).toMatchObject({ role: "follower", leader: 1 });
    node.step({ type: "heartbeat", from: 1, term: 1, commit: 3, round: 0 });
    node.wait(50);
    node.drain();
    expect(node.status).toMatchObject({ role: "leader", term: 2 });
  });

  test("a new leader leaves a joint configuration that it inherits (4.3)", () => {
    const first = leader({ learners: [4] });
    first.raft.changeMembership({ kind: "promote", id: 4 });
    first.drain();
    const joint = first.log.entriesStored[1];
    const node = new InHand({ learners: [4] });
    node.append({ entries: [entry(1, 1, "noop"), joint], commit: 1 });
    node.drain();
    node.lead();
    expect(node.status).toMatchObject({ role: "leader", commit: 1, lastIndex: 3 });
    expect(node.raft.changeMembership({ kind: "remove", id: 2 })).toMatchObject({
      reason: "no_own_term_commit",
    });
    node.matches(2, 3);
    node.matches(4, 3);
    expect(node.raft.changeMembership({ kind: "remove", id: 2 })).toMatchObject({
      reason: "change_pending",
    });
    node.drain();
    expect(configurations(node).at(-1)).toEqual([[1, 2, 3, 4], []]);
  });

  test("a configuration that is cut off is rolled back (4.1)", () => {
    const node = leader({ learners: [4] });
    node.raft.changeMembership({ kind: "promote", id: 4 });
    node.drain();
    expect(node.status.configuration.voters).toEqual([1, 2, 3, 4]);
    node.append({ term: 2, prevIndex: 1, prevTerm: 1, entries: [entry(2, 2)] });
    expect(node.status.configuration).toMatchObject({ voters: [1, 2, 3], learners: [4] });
  });

  test("a leader that is removed leads until that is committed, not counting itself (4.2.2)", () => {
    const node = leader();
    node.raft.changeMembership({ kind: "remove", id: 1 });
    node.drain();
    node.matches(2, 2);
    expect(node.status.commit).toBe(1);
    node.matches(3, 2);
    node.drain();
    node.matches(2, 3);
    expect(node.status).toMatchObject({ role: "leader", commit: 2 });
    node.matches(3, 3);
    expect(node.status).toMatchObject({ role: "follower", leader: 0, commit: 3 });
    expect(ofType(node.drain().messages, "timeout_now")).toMatchObject([{ to: 2 }]);
    node.wait(10_000);
    expect(node.status).toMatchObject({ role: "follower", term: 1 });
  });

  test("a node stands as long as the configuration that removes it is not committed (4.2.2)", () => {
    const node = leader();
    node.raft.changeMembership({ kind: "remove", id: 1 });
    node.drain();
    for (const from of [2, 3]) node.matches(from, 2);
    node.drain();
    expect(node.status).toMatchObject({ commit: 2, lastIndex: 3 });
    node.step({ type: "heartbeat_response", from: 2, term: 5, round: 0 });
    node.wait(2000);
    expect(node.status.role).toBe("candidate");
    node.drain();
    const { term } = node.status;
    const granted = { type: "vote_response", term, preVote: false, granted: true } as const;
    node.step({ ...granted, from: 2 });
    expect(node.status.role).toBe("candidate");
    node.step({ ...granted, from: 3 });
    expect(node.status.role).toBe("leader");
  });
});

describe("transfer of leadership (3.10)", () => {
  test("waits until the target has the whole log; proposals are refused meanwhile", () => {
    const node = leader();
    node.raft.propose(DATA);
    expect(node.raft.transferLeader(3)).toBeUndefined();
    expect(node.raft.propose(DATA)).toEqual({ ok: false, reason: "transferring" });
    const change = node.raft.changeMembership({ kind: "remove", id: 2 });
    expect(change).toEqual({ ok: false, reason: "transferring" });
    expect(ofType(node.drain().messages, "timeout_now")).toEqual([]);
    node.matches(2, 2);
    expect(ofType(node.drain().messages, "timeout_now")).toEqual([]);
    node.matches(3, 2);
    expect(ofType(node.drain().messages, "timeout_now")).toMatchObject([{ to: 3, term: 1 }]);
  });

  test("goes to the most advanced voter when none is named", () => {
    const node = leader({ learners: [4] });
    node.raft.propose(DATA);
    node.drain();
    node.matches(4, 2);
    node.matches(3, 2);
    node.raft.transferLeader(0);
    expect(node.status.transferTarget).toBe(3);
    expect(ofType(node.drain().messages, "timeout_now")).toMatchObject([{ to: 3 }]);
  });

  test("goes to no learner and to no silent voter when none is named", () => {
    const node = leader({ learners: [4] });
    node.raft.propose(DATA);
    node.drain();
    node.matches(4, 2);
    node.matches(2, 2);
    node.waitHeard(1500, 3);
    node.raft.transferLeader(0);
    expect(node.status.transferTarget).toBe(3);
  });

  test("goes to voters only, and is a leader's to begin", () => {
    const node = leader({ learners: [4] });
    for (const to of [1, 4, 9]) expect(node.raft.transferLeader(to)).toBe("invalid");
    expect(new InHand().raft.transferLeader(2)).toBe("not_leader");
  });

  test("is given up after an election timeout", () => {
    const node = leader();
    node.raft.propose(DATA);
    node.raft.transferLeader(3);
    node.wait(950);
    expect(node.status.transferTarget).toBe(3);
    node.wait(50);
    expect(node.status.transferTarget).toBe(0);
    expect(node.raft.propose(DATA)).toMatchObject({ ok: true });
  });

  test("adds no entry that the target would lack: joint consensus is left behind it", () => {
    const node = leader({ learners: [4] });
    node.raft.changeMembership({ kind: "promote", id: 4 });
    node.drain();
    node.raft.transferLeader(3);
    node.matches(3, 2);
    node.matches(2, 2);
    expect(ofType(node.drain().messages, "timeout_now")).toMatchObject([{ to: 3 }]);
    expect(node.status).toMatchObject({ commit: 2, lastIndex: 2 });
    node.wait(1000);
    node.drain();
    expect(node.status).toMatchObject({ transferTarget: 0, lastIndex: 3 });
    expect(node.status.configuration.votersOutgoing).toEqual([]);
  });

  test("makes the target stand at once, without a pre-vote, and says so in its requests", () => {
    const node = new InHand({ preVote: true });
    node.append({ term: 1 });
    node.drain();
    node.step({ type: "timeout_now", from: 2, term: 1 });
    const votes = ofType(node.drain().messages, "vote");
    expect(votes).toMatchObject([{ preVote: false, transfer: true, term: 2 }, { to: 3 }]);
  });
});

describe("check-quorum (6.2)", () => {
  test("a leader that hears from no majority for an election timeout steps down", () => {
    const node = leader({ checkQuorum: true });
    node.waitHeard(3000, 2);
    expect(node.status).toMatchObject({ role: "leader" });
    expect(node.status.peers.map(({ active }) => active)).toEqual([true, false]);
    node.wait(1050);
    expect(node.status).toMatchObject({ role: "follower", term: 1, leader: 0 });
  });

  test("a joint configuration needs both majorities to be heard from", () => {
    const node = leader({ checkQuorum: true, voters: [1, 2, 3, 4] });
    node.raft.changeMembership({ kind: "remove", id: 4 });
    node.waitHeard(1050, 2);
    expect(node.status.role).toBe("follower");
  });

  test("learners do not keep a leader in office", () => {
    const node = leader({ checkQuorum: true, learners: [4] });
    node.waitHeard(1050, 4);
    expect(node.status.role).toBe("follower");
  });
});

describe("read index (6.4)", () => {
  function answer(node: InHand, from: number, round: number): void {
    node.step({ type: "heartbeat_response", from, term: node.status.term, round });
  }

  test("reads wait until an entry of the leader's term is committed", () => {
    const node = new InHand({ terms: [1] });
    node.lead();
    expect(node.raft.readIndex(7)).toBeUndefined();
    expect(ofType(node.drain().messages, "heartbeat")).toEqual([]);
    node.matches(2, 2);
    const [beat] = ofType(node.drain().messages, "heartbeat");
    answer(node, 2, beat.round);
    expect(node.raft.ready()!.readStates).toEqual([{ id: 7, index: 2 }]);
  });

  test("all reads that wait share a round, answered by a majority", () => {
    const node = leader({ voters: [1, 2, 3, 4, 5] });
    for (const id of [7, 8, 9]) node.raft.readIndex(id);
    const beats = ofType(node.drain().messages, "heartbeat");
    expect(new Set(beats.map(({ round }) => round)).size).toBe(1);
    expect(beats.map(({ to }) => to)).toEqual([2, 3, 4, 5]);
    answer(node, 2, beats[0].round);
    answer(node, 2, beats[0].round);
    expect(node.drain().readIds).toEqual([]);
    answer(node, 5, beats[0].round);
    expect(node.drain().readIds).toEqual([7, 8, 9]);
  });

  test("an answer to an earlier round does not confirm a later read; appends confirm as well", () => {
    const node = leader();
    node.raft.readIndex(7);
    const [first] = ofType(node.drain().messages, "heartbeat");
    node.raft.propose(DATA);
    node.raft.readIndex(8);
    const [second] = ofType(node.drain().messages, "heartbeat");
    answer(node, 2, first.round);
    expect(node.drain().readIds).toEqual([7]);
    node.matches(3, 2, second.round);
    expect(node.drain().readIds).toEqual([8]);
  });

  test("an answer to a later round confirms all reads before it", () => {
    const node = leader();
    node.raft.readIndex(7);
    node.drain();
    node.raft.readIndex(8);
    const [beat] = ofType(node.drain().messages, "heartbeat");
    answer(node, 3, beat.round);
    expect(node.drain().readIds).toEqual([7, 8]);
  });

  test("an answer to a round that was never begun confirms nothing", () => {
    const node = leader();
    node.raft.readIndex(7);
    node.drain();
    answer(node, 2, 999);
    answer(node, 3, 999);
    expect(node.drain().readIds).toEqual([]);
  });

  test("rounds under way are limited, and the next one takes all that waited", () => {
    const node = leader();
    const rounds: number[] = [];
    for (let id = 1; id <= 20; id++) {
      node.raft.readIndex(id);
      for (const { to, round } of ofType(node.drain().messages, "heartbeat")) {
        if (to === 2) rounds.push(round);
      }
    }
    expect(rounds.length).toBe(8);
    answer(node, 2, rounds[0]);
    const { readIds, messages } = node.drain();
    expect(readIds).toEqual([1]);
    const [last] = ofType(messages, "heartbeat");
    answer(node, 3, last.round);
    expect(node.drain().readIds).toEqual(Array.from({ length: 19 }, (_, at) => at + 2));
  });

  test("the index is sampled when the round starts", () => {
    const node = leader();
    node.raft.propose(DATA);
    node.drain();
    node.raft.readIndex(7);
    node.matches(2, 2);
    const [beat] = ofType(node.drain().messages, "heartbeat");
    answer(node, 2, beat.round);
    expect(node.raft.ready()!.readStates).toEqual([{ id: 7, index: 2 }]);
  });

  test("reads fail when leadership is lost, and are a leader's to answer", () => {
    const node = leader();
    node.raft.readIndex(7);
    node.drain();
    node.raft.readIndex(8);
    node.append({ from: 2, term: 2 });
    expect(node.drain().readsFailed).toEqual([7, 8]);
    expect(node.raft.readIndex(9)).toBe("not_leader");
  });

  test("learners' answers do not count", () => {
    const node = leader({ learners: [4] });
    node.raft.readIndex(7);
    const [beat] = ofType(node.drain().messages, "heartbeat");
    answer(node, 4, beat.round);
    expect(node.drain().readIds).toEqual([]);
  });
});

describe("lease (6.4.1)", () => {
  test("runs from when a round was sent, not from when its answers came", () => {
    const node = leader({ checkQuorum: true });
    node.wait(100);
    const [beat] = ofType(node.drain().messages, "heartbeat");
    node.wait(700);
    node.drain();
    node.step({ type: "heartbeat_response", from: 2, term: 1, round: beat.round });
    expect(node.status.leaseValid).toBe(true);
    node.wait(150);
    expect(node.status.leaseValid).toBe(true);
    node.wait(50);
    expect(node.status).toMatchObject({ role: "leader", leaseValid: false });
  });

  test("needs check-quorum, and an own-term commit", () => {
    const without = leader();
    without.matches(2, 1, 1);
    expect(without.status.leaseValid).toBe(false);
    const node = new InHand({ checkQuorum: true, terms: [1] });
    node.lead();
    node.matches(2, 1, 1);
    expect(node.status.leaseValid).toBe(false);
    node.matches(2, 2, 1);
    expect(node.status.leaseValid).toBe(true);
  });

  test("ends when a transfer begins; for the whole term once the target was told to stand", () => {
    const node = leader({ checkQuorum: true });
    node.waitHeard(200, 2);
    expect(node.status.leaseValid).toBe(true);
    node.raft.propose(DATA);
    node.drain();
    node.raft.transferLeader(3);
    expect(node.status.leaseValid).toBe(false);
    node.waitHeard(1000, 2);
    expect(node.status).toMatchObject({ transferTarget: 0, leaseValid: true });
    node.matches(3, 2);
    node.raft.transferLeader(3);
    node.waitHeard(1500, 2);
    expect(node.status).toMatchObject({ role: "leader", transferTarget: 0, leaseValid: false });
  });
});
