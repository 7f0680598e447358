import { afterAll, beforeAll } from "bun:test";
import { TestCluster } from "./cluster_harness.ts";
import { allConnected } from "./conversation.ts";
import { cleanupAll, type Server, startBalsa, startRedis } from "./harness.ts";

/** What a file's tests compare: a node, a redis-server, and a cluster of three. */
export class Trio {
  balsa!: Server;
  redis!: Server;
  cluster!: TestCluster;

  /** Starts them before the calling file's first test and ends them after its last. */
  constructor() {
    beforeAll(async () => {
      [this.balsa, this.redis, this.cluster] = await Promise.all([
        startBalsa(),
        startRedis(),
        TestCluster.start(),
      ]);
      await allConnected(this.ports);
    });
    afterAll(async () => {
      await this.cluster.kill();
      await cleanupAll();
    }, END_MS);
  }

  /** Those of the cluster's nodes. */
  get ports(): number[] {
    return this.cluster.nodes.map(({ port }) => port);
  }
}

/** For a machine that does much else. */
const END_MS = 180_000;
