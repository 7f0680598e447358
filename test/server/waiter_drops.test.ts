import { expect, test } from "bun:test";
import type { RaftCore, RaftStatus } from "../../src/raft/types.ts";
import { WaiterDrops } from "../../src/server/waiter_drops.ts";
import { Waiters } from "../../src/server/waiters.ts";
import type { Writes } from "../../src/server/writes.ts";
import { ModelRedisOperations } from "../storage/model_redis_operations.ts";

test("a new leader drops what one that has left may have in entries not yet applied", () => {
  const ops = new ModelRedisOperations();
  ops.setApplied({
    ...ops.applied,
    index: 5,
    origins: [{ node: 0, incarnation: 1, sequence: 1 }, { node: 4, incarnation: 2, sequence: 9 }],
  });
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
    ops,
    writes: {
      proposeDrop: (before) => {
        dropped = [...before];
        return true;
      },
    } as Partial<Writes> as Writes,
    identity: { clusterId: "", nodeId: 1, incarnation: 7, runs: [] },
  }, new Waiters(() => {}));
  drops.connected(2, 3);
  drops.roleChanged(true);
  expect(drops.propose()).toBe(true);
  expect(dropped).toEqual([[1, 7], [2, 3], [3, Infinity], [4, Infinity]]);
});
