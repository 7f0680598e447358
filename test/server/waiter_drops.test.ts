import { expect, test } from "bun:test";
import type { RaftCore, RaftStatus } from "../../src/raft/types.ts";
import { WaiterDrops } from "../../src/server/waiter_drops.ts";
import { Waiters } from "../../src/server/waiters.ts";
import type { Writes } from "../../src/server/writes.ts";

test("a new leader drops what all have but members that are there, applied or not", () => {
  const configuration = {
    voters: [1, 2, 3],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    addresses: {},
  };
  const status = { configuration, applied: 5, lastIndex: 8 } as Partial<RaftStatus> as RaftStatus;
  let dropped: (readonly [number, number])[] = [];
  const drops = new WaiterDrops({
    raft: { status: () => status } as Partial<RaftCore> as RaftCore,
    writes: {
      proposeDrop: (before) => {
        dropped = [...before];
        return true;
      },
      peerGone() {},
    } as Partial<Writes> as Writes,
    identity: { clusterId: "", nodeId: 1, incarnation: 7, runs: [] },
  }, new Waiters(() => {}));
  drops.connected(2, 3);
  // It was removed, and its connection has not ended yet.
  drops.connected(4, 2);
  drops.roleChanged(true);
  expect(drops.propose()).toBe(true);
  expect(dropped).toEqual([[2, 3], [1, 7], [0, Infinity]]);
  drops.disconnected(2, true);
  expect(drops.propose()).toBe(true);
  expect(dropped).toEqual([[2, Infinity]]);
});
