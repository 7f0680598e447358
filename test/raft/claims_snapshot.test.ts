// Claims of "In Search of an Understandable Consensus Algorithm" (section numbers alone) and of
// Ongaro's thesis on snapshots.
import { describe, expect, test } from "bun:test";
import { encodeConfiguration } from "../../src/raft/membership.ts";
import { configurationOf } from "./cluster.ts";
import { entry, InHand, ofType } from "./in_hand.ts";

const DATA = new Uint8Array([1, 2, 3]);

describe("snapshots (7)", () => {
  const META = { index: 5, term: 2, configuration: configurationOf([1, 2, 3, 4]) };

  test("one beyond the log replaces it, with its configuration; nothing else goes out before", () => {
    const node = new InHand({ terms: [1, 1] });
    node.step({ type: "install_snapshot", from: 2, term: 2, snapshot: META });
    const ready = node.raft.ready()!;
    expect(ready.installSnapshot).toEqual(META);
    expect(ready.messages.length + ready.messagesAfterPersist.length).toBe(0);
    node.persist(ready);
    node.append({ term: 2, prevIndex: 5, prevTerm: 2, entries: [entry(6, 2)], commit: 6 });
    node.wait(5000);
    expect(node.status.role).toBe("follower");
    expect(node.raft.ready()).toBeUndefined();
    node.log.reset(META);
    node.raft.snapshotInstalled(5);
    const { messages, committed } = node.drain();
    expect(ofType(messages, "install_snapshot_response")).toMatchObject([{ index: 5, to: 2 }]);
    expect(committed.map(({ index }) => index)).toEqual([6]);
    expect(node.status.configuration.voters).toEqual([1, 2, 3, 4]);
  });

  test("of the answers that wait for an installation the latest are kept", () => {
    const node = new InHand();
    node.step({ type: "install_snapshot", from: 2, term: 2, snapshot: META });
    node.persist(node.raft.ready()!);
    const rounds = 5000;
    for (let round = 1; round <= rounds; round++) {
      node.step({ type: "heartbeat", from: 2, term: 2, commit: 0, round });
    }
    // Those in a term that is not durable yet wait for that too.
    for (let round = 1; round <= rounds; round++) {
      node.step({ type: "heartbeat", from: 3, term: 3, commit: 0, round });
    }
    expect(node.drain().messages).toEqual([]);
    node.log.reset(META);
    node.raft.snapshotInstalled(5);
    const { messages } = node.drain();
    const answers = ofType(messages, "heartbeat_response");
    expect(answers.length).toBeLessThan(rounds / 2);
    expect(answers.findLast(({ to }) => to === 2)).toMatchObject({ round: rounds, term: 2 });
    expect(answers.findLast(({ to }) => to === 3)).toMatchObject({ round: rounds, term: 3 });
    expect(ofType(messages, "install_snapshot_response")).toMatchObject([{ index: 5, to: 2 }]);
  });

  test("a second one is not taken before the first is installed", () => {
    const node = new InHand();
    node.step({ type: "install_snapshot", from: 2, term: 2, snapshot: META });
    node.raft.ready();
    const later = { ...META, index: 9 };
    node.step({ type: "install_snapshot", from: 2, term: 2, snapshot: later });
    expect(node.raft.ready()).toBeUndefined();
    node.log.reset(META);
    node.raft.snapshotInstalled(5);
    expect(node.status).toMatchObject({ applied: 5, lastIndex: 5 });
  });

  test("one of a term later than its leader's is nonsense", () => {
    const node = new InHand();
    node.step({ type: "install_snapshot", from: 2, term: 1, snapshot: META });
    expect(node.status).toMatchObject({ commit: 0, lastIndex: 0 });
  });

  test("writes under way are not credited to the log that a snapshot brought", () => {
    const node = new InHand();
    const entries = Array.from({ length: 8 }, (_, at) => entry(at + 1, 1));
    node.append({ entries });
    const write = node.raft.ready()!;
    node.step({ type: "install_snapshot", from: 3, term: 2, snapshot: META });
    node.raft.ready();
    node.append({ from: 3, term: 2, prevIndex: 5, prevTerm: 2, entries: [entry(6, 2)], commit: 6 });
    node.persist(write);
    expect(node.status).toMatchObject({ persistedIndex: 5, lastIndex: 6 });
  });

  test("what a snapshot cut off may be in it: such entries come with the installation", () => {
    const node = new InHand();
    node.lead();
    node.raft.propose(DATA, "mine");
    node.step({ type: "install_snapshot", from: 3, term: 2, snapshot: META });
    const ready = node.raft.ready()!;
    expect(ready.installSnapshot).toEqual(META);
    expect(ready.dropped.map(({ local }) => local)).toEqual(["mine"]);
  });

  test("one is not asked for a peer that is silent", () => {
    const node = new InHand({ terms: [1, 1, 1, 1] });
    node.lead();
    node.matches(2, 5);
    node.drain();
    node.log.compact({ index: 4, term: 1, configuration: node.log.snapshot.configuration });
    node.wait(1100);
    node.raft.reportUnreachable(3);
    const refusal = { type: "append_response", from: 3, term: 2, success: false } as const;
    node.step({ ...refusal, index: 4, hintIndex: 0, hintTerm: 0, round: 0 });
    expect(node.drain().snapshotsNeeded).toEqual([3]);
    node.raft.reportSnapshot(3, false);
    node.wait(1100);
    expect(node.drain().snapshotsNeeded).toEqual([]);
    node.step({ type: "heartbeat_response", from: 3, term: 2, round: 1 });
    expect(node.drain().snapshotsNeeded).toEqual([3]);
  });

  test("one that is behind is answered with the commit index", () => {
    const node = new InHand({ terms: [1, 1, 1, 1, 1, 1] });
    node.append({ prevIndex: 6, prevTerm: 1, commit: 6 });
    node.drain();
    node.step({ type: "install_snapshot", from: 2, term: 2, snapshot: META });
    const { messages } = node.drain();
    expect(messages).toMatchObject([{ type: "install_snapshot_response", index: 6 }]);
  });

  test("one that describes a prefix of the log keeps what follows", () => {
    const node = new InHand({ terms: [1, 1, 1, 1, 2, 2] });
    node.step({ type: "install_snapshot", from: 2, term: 2, snapshot: META });
    const { messages, committed } = node.drain();
    expect(messages).toMatchObject([{ type: "install_snapshot_response", index: 5 }]);
    expect(committed.length).toBe(5);
    expect(node.status.lastIndex).toBe(6);
  });

  test("one is asked for when the follower needs what was compacted", () => {
    const node = new InHand({ terms: [1, 1, 1, 1] });
    node.lead();
    node.matches(2, 5);
    node.drain();
    const { configuration } = node.log.snapshot;
    node.log.compact({ index: 4, term: 1, configuration });
    const refusal = { type: "append_response", from: 3, term: 2, success: false } as const;
    node.step({ ...refusal, index: 4, hintIndex: 1, hintTerm: 1, round: 0 });
    expect(node.drain().snapshotsNeeded).toEqual([3]);
    const peer = () => node.status.peers[1];
    expect(peer().state).toBe("snapshot");
    node.raft.propose(DATA);
    expect(ofType(node.drain().messages, "append").map(({ to }) => to)).toEqual([2]);
    node.raft.reportSnapshot(3, true);
    node.step({ type: "install_snapshot_response", from: 3, term: 2, index: 5 });
    expect(ofType(node.drain().messages, "append")).toMatchObject([{ to: 3, prevIndex: 5 }]);
    expect(peer()).toMatchObject({ state: "probe", match: 5 });
  });

  test("an answer beyond the leader's log is not believed", () => {
    const node = new InHand({ terms: [1, 1, 1, 1] });
    node.lead();
    node.step({ type: "install_snapshot_response", from: 3, term: 2, index: 99 });
    expect(node.status.peers[1].match).toBe(0);
  });

  test("one whose answer was lost does not leave the follower waiting for ever", () => {
    const node = new InHand({ terms: [1, 1, 1, 1] });
    node.lead();
    node.matches(2, 5);
    node.drain();
    node.log.compact({ index: 4, term: 1, configuration: node.log.snapshot.configuration });
    const refusal = { type: "append_response", from: 3, term: 2, success: false } as const;
    node.step({ ...refusal, index: 4, hintIndex: 1, hintTerm: 1, round: 0 });
    node.drain();
    node.raft.reportSnapshot(3, true);
    node.wait(100);
    const [beat] = ofType(node.drain().messages, "heartbeat").filter(({ to }) => to === 3);
    node.step({ type: "heartbeat_response", from: 3, term: 2, round: beat.round });
    expect(ofType(node.drain().messages, "append")).toMatchObject([{ to: 3, prevIndex: 4 }]);
  });

  test("one that covers all there is leaves a follower that is sent to ahead again", () => {
    const node = new InHand({ terms: [1, 1, 1, 1] });
    node.lead();
    node.matches(2, 5);
    node.drain();
    node.log.compact({ index: 5, term: 2, configuration: node.log.snapshot.configuration });
    const refusal = { type: "append_response", from: 3, term: 2, success: false } as const;
    node.step({ ...refusal, index: 4, hintIndex: 1, hintTerm: 1, round: 0 });
    node.drain();
    node.raft.reportSnapshot(3, true);
    node.step({ type: "install_snapshot_response", from: 3, term: 2, index: 5 });
    node.wait(100);
    const [beat] = ofType(node.drain().messages, "heartbeat").filter(({ to }) => to === 3);
    node.step({ type: "heartbeat_response", from: 3, term: 2, round: beat.round });
    expect(ofType(node.drain().messages, "append")).toMatchObject([{ to: 3, prevIndex: 5 }]);
    node.matches(3, 5);
    expect(node.status.peers[1]).toMatchObject({ state: "replicate", match: 5 });
  });

  test("a restart finds the configurations that follow the snapshot", () => {
    const first = new InHand();
    const data = encodeConfiguration(configurationOf([1, 2, 3, 4]));
    first.append({ entries: [{ index: 1, term: 1, kind: "configuration", data }, entry(2, 1)] });
    first.drain();
    const second = new InHand({ log: first.log, hardState: first.log.hardState });
    expect(second.status.configuration.voters).toEqual([1, 2, 3, 4]);
    second.append({ from: 3, term: 2, entries: [entry(1, 2)] });
    expect(second.status.configuration.voters).toEqual([1, 2, 3]);
  });
});
