import { type ClusterNode, TestCluster } from "../../system/cluster_harness.ts";
import { sleep, startBalsa } from "../../system/harness.ts";
import { RespClient } from "../../system/resp_client.ts";

/** What the suite is run against. */
export const TARGETS = ["node", "follower"] as const;
export type Target = typeof TARGETS[number];

export interface TestedServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** A fresh node, or a follower of a fresh cluster of three. */
export async function startTarget(target: Target): Promise<TestedServer> {
  if (target === "node") {
    const balsa = await startBalsa({ http: false });
    return { port: balsa.port, stop: () => balsa.kill9() };
  }
  const cluster = await TestCluster.start();
  const { port } = await followerOf(cluster);
  return { port, stop: () => cluster.kill() };
}

async function followerOf({ nodes }: TestCluster): Promise<ClusterNode> {
  for (;;) {
    for (const node of nodes) {
      // A connection of its own: some tests count on theirs being the only ones.
      const client = await RespClient.open(node.port);
      const role = await client.command("ROLE");
      client.close();
      if (Array.isArray(role) && role[0] === "slave" && role[3] === "connected") return node;
    }
    await sleep(100);
  }
}
