// Claims of "In Search of an Understandable Consensus Algorithm" (section numbers alone) and of
// Ongaro's thesis (marked so) about elections and terms.
import { describe, expect, test } from "bun:test";
import { entry, InHand, ofType } from "./in_hand.ts";

describe("terms", () => {
  for (const type of ["append", "vote", "heartbeat", "append_response"] as const) {
    test(`a larger term in a ${type} is adopted, and makes a leader a follower (5.1)`, () => {
      const node = new InHand();
      node.lead();
      const rest = { preVote: false, lastIndex: 0, lastTerm: 0, transfer: false, entries: [] };
      node.step({
        type,
        from: 3,
        term: 7,
        prevIndex: 0,
        prevTerm: 0,
        commit: 0,
        round: 0,
        ...rest,
      });
      expect(node.status).toMatchObject({ role: "follower", term: 7 });
      node.drain();
      expect(node.log.hardState.term).toBe(7);
    });
  }

  test("a request of a stale term is rejected, and told the term (5.1)", () => {
    const node = new InHand({ terms: [1, 2], term: 4 });
    node.append({ term: 3, prevIndex: 2, prevTerm: 2, entries: [entry(3, 3)] });
    node.vote({ term: 3, from: 3, lastIndex: 9, lastTerm: 3 });
    expect(node.status.lastIndex).toBe(2);
    const { messages } = node.drain();
    expect(messages).toMatchObject([
      { type: "append_response", to: 2, term: 4, success: false },
      { type: "vote_response", to: 3, term: 4, granted: false },
    ]);
  });

  test("term 0, and terms beyond counting, are nonsense and change nothing", () => {
    const node = new InHand({ term: 4 });
    for (const term of [0, -1, 2 ** 48 + 1]) {
      node.append({ term, entries: [entry(1, 1)] });
      node.vote({ term });
    }
    expect(node.status).toMatchObject({ term: 4, lastIndex: 0 });
    expect(node.drain().messages).toEqual([]);
  });

  test("messages to or from oneself or another are not taken", () => {
    const node = new InHand();
    node.raft.step({ type: "timeout_now", from: 2, to: 9, term: 5 });
    node.raft.step({ type: "timeout_now", from: 1, to: 1, term: 5 });
    expect(node.status.term).toBe(0);
  });
});

describe("leader election", () => {
  test("servers start as followers (5.2)", () => {
    expect(new InHand({ terms: [1], term: 3 }).status).toMatchObject({ role: "follower", term: 3 });
  });

  test("a follower stays one as long as it hears from a leader (5.2)", () => {
    const node = new InHand();
    for (let beat = 0; beat < 50; beat++) {
      node.step({ type: "heartbeat", from: 2, term: 1, commit: 0, round: 0 });
      node.wait(100);
    }
    expect(node.status).toMatchObject({ role: "follower", term: 1, leader: 2 });
  });

  test("without one it raises its term, votes for itself and asks the others (5.2)", () => {
    const node = new InHand({ terms: [1, 2] });
    node.wait(1550);
    expect(node.status).toMatchObject({ role: "candidate", term: 3, votedFor: 1 });
    expect(ofType(node.drain().messages, "vote")).toMatchObject([
      { to: 2, term: 3, lastIndex: 2, lastTerm: 2, preVote: false },
      { to: 3, term: 3, lastIndex: 2, lastTerm: 2, preVote: false },
    ]);
  });

  test("the timeout is drawn from [min, 2 * min) and drawn anew each time (5.2)", () => {
    for (const [random, firstMs] of [[0, 1000], [0.5, 1500], [0.95, 1950]]) {
      const node = new InHand({ random: () => random });
      node.wait(firstMs - 50);
      expect(node.status.term).toBe(0);
      node.wait(50);
      expect(node.status.term).toBe(1);
    }
    const drawn = [0.5, 0.1, 0.9];
    const node = new InHand({ random: () => drawn.shift() ?? 0 });
    node.wait(1500);
    expect(node.status.term).toBe(1);
    node.wait(1100);
    expect(node.status.term).toBe(2);
    node.wait(1850);
    expect(node.status.term).toBe(2);
    node.wait(50);
    expect(node.status.term).toBe(3);
  });

  test("votes of a majority make a leader, which sends appends at once (5.2)", () => {
    const node = new InHand({ voters: [1, 2, 3, 4, 5] });
    node.wait(2000);
    node.drain();
    const granted = { type: "vote_response", term: 1, preVote: false, granted: true } as const;
    node.step({ ...granted, from: 2 });
    node.step({ ...granted, from: 2 });
    expect(node.status.role).toBe("candidate");
    node.step({ ...granted, from: 3 });
    expect(node.status).toMatchObject({ role: "leader", leader: 1 });
    expect(ofType(node.drain().messages, "append").map(({ to }) => to)).toEqual([2, 3, 4, 5]);
  });

  test("requests that are not answered are repeated, answered ones are not (5.1)", () => {
    const node = new InHand();
    node.wait(1500);
    node.drain();
    node.step({ type: "vote_response", from: 2, term: 1, preVote: false, granted: false });
    node.wait(50);
    expect(node.drain().messages).toEqual([]);
    node.wait(50);
    expect(node.drain().messages).toMatchObject([{ type: "vote", to: 3, term: 1 }]);
  });

  test("refusals of a majority end the candidacy (5.2)", () => {
    const node = new InHand();
    node.wait(2000);
    node.drain();
    for (const from of [2, 3]) {
      node.step({ type: "vote_response", from, term: 1, preVote: false, granted: false });
    }
    expect(node.status).toMatchObject({ role: "follower", term: 1 });
  });

  test("the own vote counts when it is durable, not before (figure 2, persistent state)", () => {
    const node = new InHand();
    node.wait(1500);
    const ready = node.raft.ready()!;
    expect(ready.hardState).toMatchObject({ term: 1, votedFor: 1 });
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterPersist.length).toBe(2);
    node.step({ type: "vote_response", from: 2, term: 1, preVote: false, granted: true });
    expect(node.status.role).toBe("candidate");
    node.persist(ready);
    expect(node.status.role).toBe("leader");
  });

  test("the completion of an earlier write is not taken for that of the own vote", () => {
    const node = new InHand();
    node.append({ entries: [entry(1, 1)] });
    const first = node.raft.ready()!;
    node.wait(2100);
    const second = node.raft.ready()!;
    node.step({ type: "vote_response", from: 2, term: 2, preVote: false, granted: true });
    node.persist(first);
    expect(node.status).toMatchObject({ role: "candidate", term: 2 });
    node.persist(second);
    expect(node.status.role).toBe("leader");
  });

  test("who follows the leader of a term gives its vote of that term to nobody", () => {
    const node = new InHand();
    node.append({ from: 2, term: 1 });
    node.vote({ from: 3, term: 1, lastIndex: 9, lastTerm: 1 });
    expect(ofType(node.drain().messages, "vote_response")).toMatchObject([{ granted: false }]);
    expect(node.status.votedFor).toBe(0);
  });

  test("a server votes for one candidate in a term, first come first served (5.2)", () => {
    const node = new InHand();
    node.vote({ from: 2, term: 1 });
    node.vote({ from: 3, term: 1 });
    node.vote({ from: 2, term: 1 });
    const answers = ofType(node.drain().messages, "vote_response");
    expect(answers.map(({ to, granted }) => [to, granted])).toEqual([
      [2, true],
      [3, false],
      [2, true],
    ]);
    const restarted = new InHand({ term: 1, votedFor: node.log.hardState.votedFor });
    restarted.vote({ from: 3, term: 1 });
    expect(restarted.drain().messages).toMatchObject([{ granted: false }]);
  });

  test("a vote leaves only after it is durable (figure 2)", () => {
    const node = new InHand();
    node.vote({ from: 2, term: 1 });
    const ready = node.raft.ready()!;
    expect(ready.hardState).toMatchObject({ term: 1, votedFor: 2 });
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterPersist).toMatchObject([{ granted: true }]);
    // The same answer asked again meanwhile waits for the same write.
    node.vote({ from: 2, term: 1 });
    const second = node.raft.ready()!;
    expect(second.messages).toEqual([]);
    expect(second.persistToken).toBeDefined();
    expect(second.messagesAfterPersist).toMatchObject([{ granted: true }]);
  });

  test("a candidate follows a leader of its term, and not one of an earlier (5.2)", () => {
    const node = new InHand({ term: 4 });
    node.wait(2000);
    expect(node.status).toMatchObject({ role: "candidate", term: 5 });
    node.append({ from: 3, term: 4 });
    expect(node.status.role).toBe("candidate");
    node.append({ from: 3, term: 5 });
    expect(node.status).toMatchObject({ role: "follower", leader: 3, term: 5, votedFor: 1 });
  });

  test("a voter denies its vote when its own log is more up to date (5.4.1)", () => {
    const own = [1, 2, 2];
    const cases: [number, number, boolean][] = [
      [3, 2, true],
      [4, 2, true],
      [1, 3, true],
      [2, 2, false],
      [9, 1, false],
      [0, 0, false],
    ];
    for (const [lastIndex, lastTerm, granted] of cases) {
      const node = new InHand({ terms: own });
      node.vote({ term: 5, lastIndex, lastTerm });
      expect(node.drain().messages).toMatchObject([{ type: "vote_response", granted, term: 5 }]);
      expect(node.status.votedFor).toBe(granted ? 2 : 0);
    }
  });
});

describe("pre-vote (thesis, 9.6)", () => {
  test("asks for the next term without taking it, and with a majority stands", () => {
    const node = new InHand({ preVote: true });
    node.wait(1500);
    expect(node.status).toMatchObject({ role: "pre_candidate", term: 0, votedFor: 0 });
    expect(node.drain().messages).toMatchObject([{ preVote: true, term: 1 }, { preVote: true }]);
    node.step({ type: "vote_response", from: 2, term: 1, preVote: true, granted: true });
    expect(node.status).toMatchObject({ role: "candidate", term: 1, votedFor: 1 });
  });

  test("granting one binds to nothing", () => {
    const node = new InHand({ terms: [1] });
    node.vote({ from: 2, term: 2, lastIndex: 1, lastTerm: 1, preVote: true });
    node.vote({ from: 3, term: 2, lastIndex: 1, lastTerm: 1, preVote: true });
    const answers = ofType(node.drain().messages, "vote_response");
    expect(answers).toMatchObject([{ granted: true, term: 2 }, { granted: true, term: 2 }]);
    expect(node.status).toMatchObject({ term: 1, votedFor: 0 });
  });

  test("is refused, with the term, to a log that is behind", () => {
    const node = new InHand({ terms: [1, 3] });
    node.vote({ term: 4, lastIndex: 9, lastTerm: 1, preVote: true });
    expect(node.drain().messages).toMatchObject([{ granted: false, term: 3 }]);
  });

  test("an answer to a pre-vote is no vote, nor the other way", () => {
    const node = new InHand({ preVote: true });
    node.wait(2000);
    node.step({ type: "vote_response", from: 2, term: 1, preVote: true, granted: true });
    node.drain();
    node.step({ type: "vote_response", from: 3, term: 1, preVote: true, granted: true });
    expect(node.status.role).toBe("candidate");
  });
});

describe("disruptive servers (6; thesis, 4.2.3)", () => {
  const REQUEST = { from: 3, term: 9, lastIndex: 9, lastTerm: 9 };

  test("who heard from a leader within the shortest timeout ignores vote requests", () => {
    const node = new InHand({ checkQuorum: true });
    node.append({ from: 2, term: 1 });
    node.wait(1000);
    node.drain();
    node.vote(REQUEST);
    node.vote({ ...REQUEST, preVote: true });
    expect(node.raft.ready()).toBeUndefined();
    expect(node.status).toMatchObject({ term: 1, leader: 2 });
    node.wait(100);
    node.vote(REQUEST);
    expect(node.status).toMatchObject({ term: 9, votedFor: 3 });
  });

  test("a later term that an answer brings does not end that", () => {
    const node = new InHand({ checkQuorum: true });
    node.append({ from: 2, term: 1 });
    node.drain();
    node.step({ type: "vote_response", from: 3, term: 9, preVote: true, granted: false });
    node.drain();
    expect(node.status).toMatchObject({ term: 9, leader: 0 });
    node.vote(REQUEST);
    expect(node.raft.ready()).toBeUndefined();
    expect(node.status.votedFor).toBe(0);
    node.wait(1100);
    node.vote(REQUEST);
    expect(node.status).toMatchObject({ term: 9, votedFor: 3 });
  });

  test("a transfer of leadership is exempt", () => {
    const node = new InHand({ checkQuorum: true });
    node.append({ from: 2, term: 1 });
    node.vote({ ...REQUEST, transfer: true });
    expect(node.status).toMatchObject({ term: 9, votedFor: 3 });
  });

  test("a restarted node, which may have answered a leader just before, holds still as long", () => {
    const node = new InHand({ checkQuorum: true, terms: [1] });
    node.wait(950);
    node.vote(REQUEST);
    expect(node.status.term).toBe(1);
    node.wait(50);
    node.vote(REQUEST);
    expect(node.status.term).toBe(9);
    const fresh = new InHand({ checkQuorum: true });
    fresh.vote(REQUEST);
    expect(fresh.status.term).toBe(9);
  });
});

describe("learners (thesis, 4.2.1)", () => {
  test("do not stand for election", () => {
    const node = new InHand({ id: 4, learners: [4] });
    node.wait(10_000);
    node.step({ type: "timeout_now", from: 2, term: 1 });
    expect(node.status.role).toBe("follower");
  });

  test("answer vote requests: they may be voters in a configuration they have not seen", () => {
    const node = new InHand({ id: 4, learners: [4] });
    node.vote({ from: 2, term: 1 });
    expect(node.drain().messages).toMatchObject([{ granted: true, to: 2 }]);
  });

  test("their votes and matches do not count", () => {
    const node = new InHand({ learners: [4] });
    node.wait(2000);
    node.drain();
    node.step({ type: "vote_response", from: 4, term: 1, preVote: false, granted: true });
    expect(node.status.role).toBe("candidate");
    node.step({ type: "vote_response", from: 3, term: 1, preVote: false, granted: true });
    node.drain();
    node.matches(4, 1);
    expect(node.status).toMatchObject({ role: "leader", commit: 0 });
    node.matches(2, 1);
    expect(node.status.commit).toBe(1);
  });
});

describe("a node that slept", () => {
  test("as a follower restarts its timer instead of standing", () => {
    const node = new InHand();
    node.append({ from: 2, term: 1 });
    node.wait(100);
    node.raft.tick(600_000);
    expect(node.status).toMatchObject({ role: "follower", term: 1 });
    node.nowMs = 600_000;
    node.wait(1450);
    expect(node.status.role).toBe("follower");
    node.wait(100);
    expect(node.status.role).toBe("candidate");
  });

  test("as a leader has a heartbeat's time to hear its peers before it steps down", () => {
    const node = new InHand({ checkQuorum: true });
    node.lead();
    node.raft.tick(600_000);
    expect(node.status.role).toBe("leader");
    node.nowMs = 600_000;
    const round = ofType(node.drain().messages, "heartbeat")[0].round;
    node.step({ type: "heartbeat_response", from: 2, term: 1, round });
    node.wait(500);
    expect(node.status.role).toBe("leader");
    const other = new InHand({ checkQuorum: true });
    other.lead();
    other.raft.tick(600_000);
    other.raft.tick(600_100);
    expect(other.status.role).toBe("follower");
  });
});
