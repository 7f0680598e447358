import { expect, test } from "bun:test";
import { PeerMemory, type PeerRecordStore } from "../../src/node/peer_memory.ts";
import type { Message } from "../../src/raft/types.ts";
import type { PeerRecords } from "../../src/storage/raft_log_types.ts";
import { SqliteError } from "../../src/storage/sqlite_types.ts";
import type { PeerIdentity } from "../../src/transport/handshake.ts";

const CLUSTER = "00ff".repeat(8);

/** The durable part, in memory. */
class Store implements PeerRecordStore {
  identity = { clusterId: CLUSTER, nodeId: 1, incarnation: 1, runs: [1] };
  peerRecords: PeerRecords = { clusterId: "", nodes: {} };
  isFull = false;
  writes = 0;

  setPeerRecords(records: PeerRecords): void {
    if (this.isFull) throw new SqliteError("full", "SQLITE_FULL");
    this.writes++;
    this.peerRecords = JSON.parse(JSON.stringify(records));
  }
}

function node(runs: readonly number[], term = 5, lastIndex = 10): PeerIdentity {
  const incarnation = runs.length;
  return { clusterId: CLUSTER, nodeId: 2, incarnation, runs, term, lastIndex, address: "a:1" };
}

function acknowledges(term: number, index: number): Message {
  const answer = { hintIndex: 0, hintTerm: 0, round: 0 };
  return { type: "append_response", from: 2, to: 1, term, success: true, index, ...answer };
}

test("the next run of a node is let in, another first run is not", () => {
  const memory = new PeerMemory(new Store());
  memory.met(node([11]));
  expect(memory.refusal(node([11]), 0)).toBeUndefined();
  expect(memory.refusal(node([12, 11]), 0)).toBeUndefined();
  memory.met(node([12, 11]));
  expect(memory.refusal(node([13, 11]), 0)).toContain("has run since this copy");
  expect(memory.refusal(node([14, 13, 11]), 0)).toContain("has run since this copy");
  expect(memory.refusal(node([11]), 0)).toContain("has run since this copy");
  expect(memory.refusal(node([12, 11]), 3)).toContain("has run since this copy");
});

test("what it said in a term it must still have", () => {
  const memory = new PeerMemory(new Store());
  memory.met(node([11]));
  memory.heard(acknowledges(5, 20));
  expect(memory.refusal(node([12, 11], 5, 19), 0)).toContain("was at 20 of term 5");
  expect(memory.refusal(node([12, 11], 4, 30), 0)).toContain("is an old copy");
  expect(memory.refusal(node([12, 11], 5, 20), 0)).toBeUndefined();
  // Another leader may have truncated it since.
  expect(memory.refusal(node([12, 11], 6, 3), 0)).toBeUndefined();
  // Its greeting was under way while others heard more of it.
  expect(memory.refusal(node([11], 5, 19), 0)).toBeUndefined();
});

test("a pre-vote speaks of a term that may never be", () => {
  const memory = new PeerMemory(new Store());
  memory.met(node([11]));
  const vote = { from: 2, to: 1, lastIndex: 0, lastTerm: 0, transfer: false };
  memory.heard({ type: "vote", term: 9, preVote: true, ...vote });
  memory.heard({ type: "vote_response", from: 2, to: 1, term: 9, preVote: true, granted: true });
  expect(memory.refusal(node([12, 11], 5), 0)).toBeUndefined();
  memory.heard({ type: "vote", term: 6, preVote: false, ...vote });
  expect(memory.refusal(node([12, 11], 5), 0)).toContain("is an old copy");
});

test("a run is durable when it is met, what it said when it is lost", () => {
  const store = new Store();
  const memory = new PeerMemory(store);
  memory.met(node([11]));
  memory.met(node([11]));
  expect(store.writes).toBe(1);
  memory.heard(acknowledges(5, 20));
  expect(store.writes).toBe(1);
  memory.lost();
  memory.lost();
  expect(store.writes).toBe(2);
  const again = new PeerMemory(store);
  expect(again.refusal(node([12], 5, 20), 0)).toContain("has run since this copy");
  expect(again.refusal(node([12, 11], 5, 19), 0)).toContain("is an old copy");
  store.identity = { ...store.identity, clusterId: "ff00".repeat(8) };
  expect(new PeerMemory(store).refusal(node([12], 1, 0), 0)).toBeUndefined();
});

test("peers tell each other; what is no news, of no member or unreadable changes nothing", () => {
  const [one, two] = [new Store(), new Store()];
  const [teller, hearer] = [new PeerMemory(one), new PeerMemory(two)];
  teller.met(node([11]));
  teller.heard(acknowledges(5, 20));
  hearer.learn(teller.encode(), new Set([3]));
  expect(hearer.refusal(node([12, 11], 5, 19), 0)).toBeUndefined();
  hearer.learn(teller.encode(), new Set([2, 3]));
  expect(hearer.refusal(node([12, 11], 5, 19), 0)).toContain("is an old copy");
  expect(two.writes).toBe(1);
  hearer.learn(teller.encode(), new Set([2, 3]));
  for (const text of ["", "{", "[]", '{"2":7}', '{"2":{"incarnation":-1}}']) {
    hearer.learn(Buffer.from(text), new Set([2, 3]));
  }
  expect(two.writes).toBe(1);
});

test("a full disk does not keep it from remembering", () => {
  const store = new Store();
  const memory = new PeerMemory(store);
  store.isFull = true;
  memory.met(node([11]));
  expect(memory.refusal(node([12], 5), 0)).toContain("has run since this copy");
  store.isFull = false;
  memory.lost();
  expect(store.peerRecords.nodes["2"].run).toBe(11);
});
