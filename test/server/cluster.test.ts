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

test("one that asks again to join has the id it was given, and another from who leads next", async () => {
  const { server, status, changes } = leading(MEMBERS);
  const changeMembership = ({ id, address }: { id: number; address: string }) => {
    changes.push(id);
    const index = ++status.lastIndex;
    const { learners, addresses } = status.configuration;
    status.configuration = {
      ...MEMBERS,
      learners: [...learners, id],
      addresses: { ...addresses, [id]: address },
    };
    return { ok: true, index, term: status.term };
  };
  const cluster = clusterWith({
    ...server,
    changeMembership,
    monotonicMs: () => performance.now(),
  });
  const join = async (nonce?: string, address = "d:1") => {
    const answer = await cluster.request({ kind: "join", address, nonce });
    return answer.ok ? answer.id : answer.error;
  };
  expect([await join("n"), await join("n"), await join("m", "e:1"), await join("n")])
    .toEqual([1011, 1011, 1012, 1011]);
  // Nobody knows whether it is another one.
  expect([await join(), await join()]).toEqual([1013, 1014]);
  status.configuration = MEMBERS;
  expect([await join("n"), await join("n")]).toEqual([1015, 1015]);
  status.term++;
  expect([await join("n"), await join("n")]).toEqual([1016, 1016]);
  expect(changes).toEqual([1011, 1012, 1013, 1014, 1015, 1016]);
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

/** A leader of these members, whose changes are kept in `changes`. */
function leading(configuration: Configuration) {
  const changes: unknown[] = [];
  const status = {
    configuration,
    configurationIndex: 1,
    lastIndex: 10,
    applied: 99,
    term: 1,
    peers: [] as unknown[],
  };
  const server = {
    driver: { raft: { status: () => status } },
    leadership: { isLeader: true, term: 1, leader: 1 },
    changeMembership(change: unknown) {
      changes.push(change);
      return { ok: true, index: 11, term: 1 };
    },
  };
  return { server, status, changes };
}

test("who replaced a member removes it, as the leader too", () => {
  const { server, changes } = leading({
    ...MEMBERS,
    voters: [1, 2, 1007],
    addresses: { 1: "a:1", 2: "b:1", 1007: "a:1" },
  });
  clusterWith(server, { connected: [2], nodeId: 1007 }).tick(1000);
  expect(changes).toEqual([{ kind: "remove", id: 1 }]);
});

// Node 2 was wiped and is 1007 now, but the connection to what it was has not ended yet.
test("who has joined is not taken for gone while its predecessor only seems to be there", () => {
  const learners = [1007];
  const addresses = { ...MEMBERS.addresses, 1007: "b:1" };
  const { server, status, changes } = leading({ ...MEMBERS, learners, addresses });
  const cluster = clusterWith(server, { connected: [2, 3] });
  const peer = { id: 2, state: "replicate", match: 10, active: true, heardMs: 900 };
  for (let ms = 1000; ms <= 10_000; ms += 500) {
    // The last that it sent comes late.
    status.peers = [{ ...peer, heardMs: ms < 2000 ? 900 : 1900 }];
    cluster.tick(ms);
  }
  status.peers = [{ ...peer, state: "probe", heardMs: 10_400 }];
  cluster.tick(10_500);
  expect(changes).toEqual([]);
});

test("an id that nobody took goes when its node is heard under the one it has", () => {
  const { server, status, changes } = leading({
    ...MEMBERS,
    voters: [1, 2, 3, 1005],
    learners: [1007],
    addresses: { ...MEMBERS.addresses, 1005: "d:1", 1007: "d:1" },
  });
  const cluster = clusterWith(server, { connected: [2, 3, 1005] });
  for (let ms = 1000; ms <= 3000; ms += 500) {
    status.peers = [{ id: 1005, state: "replicate", match: 0, active: true, heardMs: ms - 10 }];
    cluster.tick(ms);
  }
  expect(changes).toEqual([]);
  status.peers = [{ id: 1005, state: "replicate", match: 0, active: true, heardMs: 3490 }];
  cluster.tick(3500);
  expect(changes).toEqual([{ kind: "remove", id: 1007 }]);
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
