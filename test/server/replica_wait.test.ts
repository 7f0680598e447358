import { expect, test } from "bun:test";
import { fromUint8Array } from "../../src/base/bytes.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import type { ClusterView } from "../../src/commands/cluster_view.ts";
import { encodeConfiguration } from "../../src/raft/membership.ts";
import type { RaftStatus } from "../../src/raft/types.ts";
import { holdersHere, waitForReplicas } from "../../src/server/replica_wait.ts";
import type { Server } from "../../src/server/server.ts";
import { clusterWith, MEMBERS } from "./fake_cluster.ts";
import { FakeSession } from "./fakes.ts";

const STATUS = { configuration: MEMBERS, configurationIndex: 0, peers: [] };

function serverOf(id: number, status: Partial<RaftStatus>): Server {
  const server = {
    driver: { raft: { status: () => ({ ...STATUS, id, ...status }) } },
    leadership: { isLeader: id === 1, term: 1, leader: 1 },
    ops: { applied: { index: 7, configuration: "" } },
    monotonicMs: () => performance.now(),
  };
  return server as unknown as Server;
}

test("WAIT ends at its time-out also where the leader does not answer", async () => {
  const cluster: Partial<ClusterView> = { holders: () => new Promise(() => {}) };
  const startMs = performance.now();
  const options = {
    server: serverOf(2, {}),
    cluster: cluster as ClusterView,
    clock: SYSTEM_CLOCK,
  };
  expect(await waitForReplicas(options, new FakeSession(), 2, 120)).toBe(1);
  expect(performance.now() - startMs).toBeLessThan(5000);
});

test("voters that are not in force yet for what is applied are not counted on", () => {
  const configuration = { ...MEMBERS, voters: [1, 2, 3, 4], votersOutgoing: [1, 2, 3] };
  expect(holdersHere(serverOf(2, { configuration, configurationIndex: 8 }), 7)).toBe(1);
  const left = { ...configuration, votersOutgoing: [] };
  expect(holdersHere(serverOf(2, { configuration: left, configurationIndex: 8 }), 7)).toBe(0);
  expect(holdersHere(serverOf(2, { configuration: left, configurationIndex: 7 }), 7)).toBe(2);
});

test("of joint consensus the new voters have what is applied, the old ones may be left", () => {
  const joint = { ...MEMBERS, votersOutgoing: [1, 2, 3, 4] };
  const configuration = fromUint8Array(encodeConfiguration(joint));
  const server = serverOf(5, {}) as unknown as { ops: unknown };
  server.ops = { applied: { index: 7, configuration } };
  expect(holdersHere(server as Server, 7)).toBe(2);
});

test("a leader that lacks on its disk what others hold does not count itself", async () => {
  for (const [persistedIndex, holders] of [[7, 2], [6, 1]]) {
    const peers = [2, 3].map((id) => ({ id, match: 7 })) as unknown as RaftStatus["peers"];
    const cluster = clusterWith(serverOf(1, { peers, persistedIndex }));
    expect(await cluster.request({ kind: "holders", id: 7 })).toEqual({ ok: true, id: holders });
  }
});
