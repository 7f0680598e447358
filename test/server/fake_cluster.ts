import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import type { Configuration } from "../../src/raft/types.ts";
import { Cluster, type ClusterOptions } from "../../src/server/cluster.ts";
import type { Server } from "../../src/server/server.ts";

export const MEMBERS: Configuration = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  addresses: { 1: "a:1", 2: "b:1", 3: "c:1" },
};

interface Around {
  readonly connected?: readonly number[];
  readonly nodeId?: number;
  readonly ask?: ClusterOptions["ask"];
}

/** What one node knows of its cluster, where `server` is a part of one. */
export function clusterWith(
  server: unknown,
  { connected = [2, 3], nodeId = 1, ask = notAsked }: Around = {},
): Cluster {
  return new Cluster({
    server: server as Server,
    clock: SYSTEM_CLOCK,
    identity: { clusterId: "", nodeId, incarnation: 1, runs: [] },
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    isConnected: (id) => connected.includes(id),
    ask,
    snapshot: notAsked,
    join: () => Promise.resolve({ ok: true }),
  });
}

function notAsked(): Promise<never> {
  return Promise.reject(new Error("not asked"));
}
