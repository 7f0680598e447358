// Claims of "In Search of an Understandable Consensus Algorithm" (section numbers alone) and of
// Ongaro's thesis (marked so) about the log, its replication, snapshots and bounds.
import { describe, expect, test } from "bun:test";
import type { Entry } from "../../src/raft/types.ts";
import { entry, InHand, ofType } from "./in_hand.ts";

const DATA = new Uint8Array([1, 2, 3]);

function terms(node: InHand): number[] {
  return node.log.entriesStored.map((stored) => stored.term);
}

describe("a follower's log", () => {
  test("refuses entries behind an entry it does not have (5.3, consistency check)", () => {
    const node = new InHand({ terms: [1, 2] });
    node.append({ term: 3, prevIndex: 3, prevTerm: 3, entries: [entry(4, 3)] });
    node.append({ term: 3, prevIndex: 2, prevTerm: 3, entries: [entry(3, 3)] });
    const answers = ofType(node.drain().messages, "append_response");
    expect(answers.map(({ success, index }) => [success, index])).toEqual([[false, 3], [false, 2]]);
    expect(terms(node)).toEqual([1, 2]);
  });

  test("tells in a refusal where the logs may meet, a term at a time (5.3)", () => {
    const node = new InHand({ terms: [1, 1, 4, 4, 4, 4] });
    node.append({ term: 9, prevIndex: 6, prevTerm: 3 });
    node.append({ term: 9, prevIndex: 20, prevTerm: 8 });
    expect(ofType(node.drain().messages, "append_response")).toMatchObject([
      { index: 6, hintIndex: 2, hintTerm: 1 },
      { index: 20, hintIndex: 6, hintTerm: 4 },
    ]);
  });

  test("deletes a conflicting entry and all that follow it (5.3)", () => {
    const node = new InHand({ terms: [1, 2, 2, 2] });
    node.append({ term: 3, prevIndex: 1, prevTerm: 1, entries: [entry(2, 3)] });
    node.drain();
    expect(terms(node)).toEqual([1, 3]);
  });

  test("keeps what matches: a late or repeated append cuts nothing off (5.5, idempotent)", () => {
    const node = new InHand({ terms: [1, 1, 1] });
    node.append({ prevIndex: 0, prevTerm: 0, entries: [entry(1, 1), entry(2, 1)] });
    const answers = ofType(node.drain().messages, "append_response");
    expect(answers).toMatchObject([{ success: true, index: 2 }]);
    expect(terms(node)).toEqual([1, 1, 1]);
  });

  test("commits what the leader says, but not beyond the last new entry (figure 2)", () => {
    const node = new InHand({ terms: [1, 1, 1] });
    node.append({ prevIndex: 0, prevTerm: 0, entries: [entry(1, 1)], commit: 3 });
    expect(node.status.commit).toBe(1);
    node.step({ type: "heartbeat", from: 2, term: 1, commit: 99, round: 0 });
    expect(node.status.commit).toBe(3);
  });

  test("does not acknowledge what was cut off before it was written (5.3)", () => {
    const node = new InHand({ terms: [1] });
    node.append({ term: 2, prevIndex: 1, prevTerm: 1, entries: [entry(2, 2), entry(3, 2)] });
    node.append({ term: 3, prevIndex: 1, prevTerm: 1, entries: [entry(2, 3)] });
    const answers = ofType(node.drain().messages, "append_response");
    expect(answers.map(({ term, index }) => [term, index])).toEqual([[3, 2]]);
    expect(terms(node)).toEqual([1, 3]);
  });

  test("answers an append only when its entries are durable (5.3; thesis, 10.2.1)", () => {
    const node = new InHand();
    node.append({ entries: [entry(1, 1)], commit: 1 });
    const ready = node.raft.ready()!;
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterPersist).toMatchObject([{ type: "append_response", index: 1 }]);
    expect(ready.committed).toEqual([]);
    // A repetition has nothing to write, yet its answer waits for the same write.
    node.append({ entries: [entry(1, 1)], commit: 1 });
    const second = node.raft.ready()!;
    expect(second).toMatchObject({ entries: [], hardState: undefined, messages: [] });
    expect(second.messagesAfterPersist).toMatchObject([{ index: 1 }]);
    node.persist(ready);
    node.persist(second);
    expect(node.raft.ready()!.committed.map(({ index }) => index)).toEqual([1]);
  });

  test("answers a heartbeat at once, but for the first of a term, which tells the term", () => {
    const node = new InHand();
    const heartbeat = { type: "heartbeat", from: 2, term: 1, commit: 0, round: 3 } as const;
    node.step(heartbeat);
    const ready = node.raft.ready()!;
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterPersist).toMatchObject([{ type: "heartbeat_response", round: 3 }]);
    node.persist(ready);
    node.append({ entries: [entry(1, 1)] });
    node.step(heartbeat);
    const second = node.raft.ready()!;
    expect(second.messages).toMatchObject([{ type: "heartbeat_response" }]);
    expect(second.messagesAfterPersist).toMatchObject([{ type: "append_response" }]);
  });

  test("never gives up what is committed, whatever it is sent", () => {
    const node = new InHand({ terms: [1, 1] });
    node.append({ prevIndex: 2, prevTerm: 1, commit: 2 });
    node.append({ term: 2, prevIndex: 0, prevTerm: 0, entries: [entry(1, 2), entry(2, 2)] });
    node.append({ term: 2, prevIndex: 0, entries: [entry(1, 2), entry(2, 2), entry(3, 2)] });
    node.drain();
    expect(terms(node)).toEqual([1, 1]);
  });

  test("holds what is not applied, however much before it was", () => {
    const node = new InHand({ appendBytesMax: 1024 * 1024 });
    const count = 3000;
    const entries = Array.from({ length: count }, (_, at) => entry(at + 1, 1));
    node.append({ entries, commit: 2000 });
    expect(node.drain().committed.at(-1)?.index).toBe(2000);
    node.append({ prevIndex: count, prevTerm: 1, entries: [], commit: count });
    const indices = node.drain().committed.map(({ index }) => index);
    expect(indices).toEqual(Array.from({ length: count - 2000 }, (_, at) => 2001 + at));
  });

  test("takes no entries with gaps, falling terms, or a broken configuration", () => {
    const node = new InHand({ terms: [1] });
    const broken: Entry = { index: 2, term: 2, kind: "configuration", data: DATA };
    const lists = [[entry(3, 1)], [entry(2, 2), entry(3, 1)], [entry(2, 3)], [broken]];
    for (const entries of lists) node.append({ term: 2, prevIndex: 1, prevTerm: 1, entries });
    expect(node.status.lastIndex).toBe(1);
  });

  test("tells which entries of its own never take effect, when others are committed there", () => {
    const node = new InHand();
    node.lead();
    node.raft.propose(DATA, "mine");
    node.raft.propose(DATA);
    node.drain();
    node.append({ term: 2, entries: [entry(1, 2), entry(2, 2)], commit: 1 });
    expect(node.drain().dropped).toEqual([]);
    node.step({ type: "heartbeat", from: 2, term: 2, commit: 2, round: 0 });
    expect(node.drain().dropped.map(({ index, local }) => [index, local])).toEqual([[2, "mine"]]);
  });

  test("an entry of its own that was cut off and comes back has its local (figure 8)", () => {
    const node = new InHand();
    node.lead();
    node.raft.propose(DATA, "mine");
    node.drain();
    const mine = node.log.entriesStored.slice(0, 2);
    node.append({ term: 2, entries: [entry(1, 2)] });
    node.drain();
    node.append({ from: 3, term: 3, entries: [...mine, entry(3, 3)], commit: 3 });
    const { committed, dropped } = node.drain();
    expect(committed.map(({ local }) => local)).toEqual([undefined, "mine", undefined]);
    expect(dropped).toEqual([]);
  });
});

describe("a leader", () => {
  test("appends a no-op of its term, which commits what came before (5.4.2, 8)", () => {
    const node = new InHand({ terms: [1, 2] });
    const { messages } = node.lead();
    expect(node.log.entriesStored[2]).toMatchObject({ index: 3, term: 3, kind: "noop" });
    expect(ofType(messages, "append")[0]).toMatchObject({ prevIndex: 2, prevTerm: 2, commit: 0 });
    node.matches(2, 3);
    expect(node.status.commit).toBe(3);
    expect(node.drain().committed.map(({ index }) => index)).toEqual([1, 2, 3]);
  });

  test("does not commit entries of earlier terms by counting (5.4.2, figure 8)", () => {
    const node = new InHand({ terms: [1, 2] });
    node.lead();
    node.matches(2, 2);
    node.matches(3, 2);
    expect(node.status.commit).toBe(0);
  });

  test("commits an entry when a majority has it, and tells in what follows (5.3)", () => {
    const node = new InHand({ voters: [1, 2, 3, 4, 5] });
    node.lead();
    for (const from of [2, 3]) node.matches(from, 1);
    node.drain();
    node.raft.propose(DATA);
    node.drain();
    node.matches(2, 2);
    expect(node.status.commit).toBe(1);
    node.matches(3, 2);
    expect(node.status.commit).toBe(2);
    const appends = ofType(node.drain().messages, "append");
    expect(appends.filter(({ to }) => to === 2)).toMatchObject([{ entries: [], commit: 2 }]);
  });

  test("tells a commit with the next append, or a heartbeat, when it is asked to", () => {
    const node = new InHand();
    node.lead();
    for (const from of [2, 3]) node.matches(from, 1);
    node.drain();
    node.raft.holdsCommitNotice = true;
    node.raft.propose(DATA);
    node.drain();
    node.matches(2, 2);
    expect(node.status.commit).toBe(2);
    expect(ofType(node.drain().messages, "append")).toEqual([]);
    node.raft.propose(DATA);
    const [next] = ofType(node.drain().messages, "append");
    expect(next).toMatchObject({ commit: 2, entries: [{ index: 3 }] });
    node.matches(2, 3);
    node.wait(100);
    const beats = ofType(node.drain().messages, "heartbeat");
    expect(beats.find(({ to }) => to === 2)).toMatchObject({ commit: 3 });
    node.raft.holdsCommitNotice = false;
    const told = ofType(node.drain().messages, "append");
    expect(told.map(({ entries, commit }) => [entries.length, commit])).toEqual([[0, 3], [0, 3]]);
  });

  test("sends appends beside its own write, and counts itself when that is done (10.2.1)", () => {
    const node = new InHand();
    node.lead();
    node.matches(2, 1);
    node.drain();
    node.raft.propose(DATA);
    const ready = node.raft.ready()!;
    expect(ready.messages.some(({ type, to }) => type === "append" && to === 2)).toBe(true);
    node.matches(2, 2);
    expect(node.status.commit).toBe(1);
    node.persist(ready);
    expect(node.status.commit).toBe(2);
  });

  test("may commit by others alone, but applies only what is durable here", () => {
    const node = new InHand();
    node.lead();
    node.matches(2, 1);
    node.matches(3, 1);
    node.drain();
    node.raft.propose(DATA);
    const ready = node.raft.ready()!;
    node.matches(2, 2);
    node.matches(3, 2);
    expect(node.status.commit).toBe(2);
    expect(node.raft.ready()!.committed).toEqual([]);
    node.persist(ready);
    expect(node.raft.ready()!.committed.map(({ index }) => index)).toEqual([2]);
  });

  test("never overwrites or deletes entries of its own log (5.3, leader append-only)", () => {
    const node = new InHand({ terms: [1] });
    node.lead();
    node.append({ term: 2, from: 3, prevIndex: 0, entries: [entry(1, 2)] });
    expect(node.status).toMatchObject({ role: "leader", lastIndex: 2 });
    node.drain();
    expect(terms(node)).toEqual([1, 2]);
  });

  test("goes back by a whole term at a refusal (5.3, fast backtracking)", () => {
    const node = new InHand({ terms: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6] });
    node.lead();
    const refusal = { type: "append_response", from: 2, term: 7, success: false } as const;
    node.step({ ...refusal, index: 10, hintIndex: 10, hintTerm: 3, round: 0 });
    expect(ofType(node.drain().messages, "append")[0]).toMatchObject({
      to: 2,
      prevIndex: 3,
      prevTerm: 1,
    });
  });

  test("retries without end, with heartbeats, until the follower has all (5.3)", () => {
    const node = new InHand();
    node.lead();
    for (let beat = 0; beat < 3; beat++) {
      node.wait(100);
      const beats = ofType(node.drain().messages, "heartbeat").filter(({ to }) => to === 2);
      expect(beats.length).toBe(1);
      node.step({ type: "heartbeat_response", from: 2, term: 1, round: beats[0].round });
      expect(ofType(node.drain().messages, "append")).toMatchObject([
        { to: 2, prevIndex: 0, entries: [{ index: 1 }] },
      ]);
    }
  });

  test("heartbeats carry a commit index no larger than what matches there", () => {
    const node = new InHand();
    node.lead();
    node.raft.propose(DATA);
    node.drain();
    node.matches(2, 2);
    node.drain();
    node.wait(100);
    const beats = ofType(node.drain().messages, "heartbeat");
    expect(beats.map(({ to, commit }) => [to, commit])).toEqual([[2, 2], [3, 0]]);
  });

  test("takes no match beyond its log, and nothing from strangers", () => {
    const node = new InHand();
    node.lead();
    node.matches(2, 9);
    node.matches(8, 1);
    expect(node.status.commit).toBe(0);
    expect(node.status.peers.map(({ match }) => match)).toEqual([0, 0]);
  });

  test("a refusal that is older than what matches changes nothing", () => {
    const node = new InHand();
    node.lead();
    node.matches(2, 1);
    node.drain();
    const refusal = { type: "append_response", from: 2, term: 1, success: false } as const;
    node.step({ ...refusal, index: 0, hintIndex: 0, hintTerm: 0, round: 0 });
    expect(node.status.peers[0]).toMatchObject({ state: "replicate", match: 1, next: 2 });
  });
});

describe("bounds", () => {
  test("appends under way to one peer are limited in number and size", () => {
    const node = new InHand({ inflightMax: 2, appendBytesMax: 10 });
    node.lead();
    node.matches(2, 1);
    node.drain();
    for (let count = 0; count < 9; count++) node.raft.propose(new Uint8Array(4));
    const appends = ofType(node.drain().messages, "append").filter(({ to }) => to === 2);
    const indexes = appends.map(({ entries }) => entries.map(({ index }) => index));
    expect(indexes).toEqual([[2, 3], [4, 5]]);
    node.matches(2, 3);
    const [next] = ofType(node.drain().messages, "append").filter(({ to }) => to === 2);
    expect(next).toMatchObject({ prevIndex: 5, entries: [{ index: 6 }, { index: 7 }] });
  });

  test("a full window is not overrun, but found out when what filled it was lost", () => {
    const node = new InHand({ inflightMax: 2, appendBytesMax: 4 });
    node.lead();
    node.matches(2, 1);
    node.drain();
    for (let count = 0; count < 9; count++) node.raft.propose(new Uint8Array(4));
    node.drain();
    node.step({ type: "heartbeat_response", from: 2, term: 1, round: 1 });
    const [append] = ofType(node.drain().messages, "append").filter(({ to }) => to === 2);
    expect(append).toMatchObject({ prevIndex: 3, entries: [] });
    expect(node.status.peers[0]).toMatchObject({ next: 4, inflight: 2 });
    const refusal = { type: "append_response", from: 2, term: 1, success: false } as const;
    node.step({ ...refusal, index: 3, hintIndex: 1, hintTerm: 1, round: 0 });
    const [again] = ofType(node.drain().messages, "append").filter(({ to }) => to === 2);
    expect(again).toMatchObject({ prevIndex: 1, entries: [{ index: 2 }] });
  });

  test("an entry larger than an append goes alone", () => {
    const node = new InHand({ appendBytesMax: 10 });
    node.lead();
    node.matches(2, 1);
    node.drain();
    for (const size of [4, 500, 4]) node.raft.propose(new Uint8Array(size));
    const appends = ofType(node.drain().messages, "append").filter(({ to }) => to === 2);
    expect(appends.map(({ entries }) => entries.length)).toEqual([1, 1, 1]);
  });

  test("proposals beyond the window are refused, one alone never is", () => {
    const node = new InHand({ uncommittedBytesMax: 10 });
    node.lead();
    node.matches(2, 1);
    expect(node.raft.propose(new Uint8Array(500))).toMatchObject({ ok: true, index: 2 });
    expect(node.raft.propose(DATA)).toEqual({ ok: false, reason: "window_full" });
    node.drain();
    node.matches(2, 2);
    expect(node.raft.propose(new Uint8Array(5))).toMatchObject({ ok: true, index: 3 });
    expect(node.raft.propose(new Uint8Array(5))).toMatchObject({ ok: true, index: 4 });
    expect(node.raft.propose(DATA)).toEqual({ ok: false, reason: "window_full" });
  });

  test("a follower takes no proposals", () => {
    expect(new InHand().raft.propose(DATA)).toEqual({ ok: false, reason: "not_leader" });
  });

  test("entries to apply are handed out in portions", () => {
    const node = new InHand({ terms: [1, 1, 1, 1, 1, 1], appendBytesMax: 1, voters: [1] });
    node.wait(50);
    const portions: number[] = [];
    for (let ready = node.raft.ready(); ready !== undefined; ready = node.raft.ready()) {
      node.persist(ready);
      if (ready.committed.length > 0) portions.push(ready.committed.length);
    }
    expect(portions).toEqual([4, 2, 1]);
  });
});

describe("asynchronous writes", () => {
  test("a completion is not credited to entries that replaced those it wrote", () => {
    const node = new InHand();
    node.append({ from: 2, term: 1, entries: [entry(1, 1), entry(2, 1)] });
    const first = node.raft.ready()!;
    node.append({ from: 3, term: 2, prevIndex: 1, prevTerm: 1, entries: [entry(2, 2)] });
    const second = node.raft.ready()!;
    node.append({ from: 2, term: 3, prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)] });
    const third = node.raft.ready()!;
    node.persist(first);
    expect(node.status.persistedIndex).toBe(1);
    node.persist(second);
    expect(node.status.persistedIndex).toBe(1);
    node.persist(third);
    expect(node.status.persistedIndex).toBe(2);
    node.raft.persisted(first.persistToken!);
    expect(node.status.persistedIndex).toBe(2);
  });
});
