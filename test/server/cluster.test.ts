import { expect, test } from "bun:test";
import { sleep, SYSTEM_CLOCK } from "../../src/base/clock.ts";
import type { ClusterAnswer } from "../../src/commands/cluster_view.ts";
import type { Configuration, RaftCore, RaftStatus } from "../../src/raft/types.ts";
import { clusterWith, MEMBERS } from "./fake_cluster.ts";

const STATUS: Partial<RaftStatus> = {
  applied: 10,
  lastIndex: 10,
  configuration: MEMBERS,
  configurationIndex: 1,
  peers: [],
};

test("a change whose place in the log was taken by another entry is not confirmed", async () => {
  let status = STATUS;
  const raft: Partial<RaftCore> = { status: () => status as RaftStatus };
  const server = {
    driver: { raft },
    leadership: { isLeader: true, term: 1, leader: 1 },
    monotonicMs: () => performance.now(),
    changeMembership() {
      // Another leader's entry comes in its place before this node looks again.
      status = { ...status, applied: 11, lastIndex: 11 };
      server.leadership = { isLeader: false, term: 2, leader: 2 };
      return { ok: true, index: 11, term: 1 };
    },
  };
  const cluster = clusterWith(server);
  const answer = await cluster.request({ kind: "join", address: "d:1" });
  expect(answer).toEqual({
    ok: false,
    error: "not confirmed in time: it may still take effect",
  });
});

test("a removal is confirmed when the end of joint consensus is committed", async () => {
  const end: Configuration = { ...MEMBERS, voters: [1, 2], addresses: { 1: "a:1", 2: "b:1" } };
  let status = STATUS;
  const raft: Partial<RaftCore> = { status: () => status as RaftStatus };
  const server = {
    driver: { raft },
    leadership: { isLeader: true, term: 1, leader: 1 },
    monotonicMs: () => performance.now(),
    changeMembership() {
      // The joint members are committed, those of the end stand in this leader's log only.
      status = {
        ...status,
        applied: 11,
        lastIndex: 12,
        configuration: end,
        configurationIndex: 12,
      };
      return { ok: true, index: 11, term: 1 };
    },
  };
  const cluster = clusterWith(server);
  let isAnswered = false;
  const answer = cluster.request({ kind: "remove", id: 3 }).finally(() => isAnswered = true);
  await sleep(SYSTEM_CLOCK, 50);
  expect(isAnswered).toBe(false);
  status = { ...status, applied: 12 };
  expect(await answer).toEqual({ ok: true, id: 3 });
});

test("who replaced a member removes it, as the leader too", () => {
  const configuration: Configuration = {
    ...MEMBERS,
    voters: [1, 2, 1007],
    addresses: { 1: "a:1", 2: "b:1", 1007: "a:1" },
  };
  const changes: unknown[] = [];
  const status = { configuration, lastIndex: 10, peers: [] } as Partial<RaftStatus>;
  const server = {
    driver: { raft: { status: () => status } },
    leadership: { isLeader: true, term: 1, leader: 1007 },
    changeMembership(change: unknown) {
      changes.push(change);
      return { ok: true, index: 11, term: 1 };
    },
  };
  clusterWith(server, { connected: [2], nodeId: 1007 }).tick(1000);
  expect(changes).toEqual([{ kind: "remove", id: 1 }]);
});

test("a leader that is deposed amid a removal asks its successor what became of it", async () => {
  const server = {
    driver: { raft: { status: () => STATUS } },
    leadership: { isLeader: true, term: 1, leader: 1 },
    monotonicMs: () => performance.now(),
    changeMembership() {
      server.leadership = { isLeader: false, term: 2, leader: 2 };
      return { ok: true, index: 11, term: 1 };
    },
  };
  const asked: number[] = [];
  const ask = (leader: number) => {
    asked.push(leader);
    return Promise.resolve<ClusterAnswer>({ ok: false, error: "node 3 is no member" });
  };
  const answer = await clusterWith(server, { ask }).request({ kind: "remove", id: 3 });
  expect(answer).toEqual({ ok: true, id: 3 });
  expect(asked).toEqual([2]);
});
