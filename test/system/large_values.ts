import { type ClusterNode, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, sleep } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

// bun test/system/large_values.ts [MEBIBYTES…]: values set at the leader and at a follower of three
// nodes, small commands beside them, and whether that cost an election.
const SIZES = process.argv.slice(2).map(Number);

/** Sends one command again and again; the times of its answers. */
class Beside {
  readonly #times: number[] = [];
  #isStopped = false;
  readonly #run: Promise<void>;

  constructor(node: ClusterNode, argv: readonly string[]) {
    this.#run = this.#send(node, argv);
  }

  async stop(): Promise<string> {
    this.#isStopped = true;
    await this.#run;
    const sorted = this.#times.sort((a, b) => a - b);
    const [median, worst] = [sorted[sorted.length >> 1], sorted[sorted.length - 1]];
    return `${sorted.length}, median ${median.toFixed(1)} ms, worst ${worst.toFixed(0)} ms`;
  }

  async #send(node: ClusterNode, argv: readonly string[]): Promise<void> {
    const client = await RespClient.open(node.port);
    while (!this.#isStopped) {
      const startMs = performance.now();
      const reply = await client.command(...argv);
      if (typeof reply === "object") throw new Error(`${argv.join(" ")}: ${JSON.stringify(reply)}`);
      this.#times.push(performance.now() - startMs);
      await sleep(5);
    }
    client.close();
  }
}

const cluster = await TestCluster.start();
const leader = await cluster.leader();
const [follower] = await cluster.followers();
const termOf = async () => (await leader.info())?.raft_term;
for (const mebibytes of SIZES.length > 0 ? SIZES : [64, 200]) {
  for (const [name, node] of [["leader", leader], ["follower", follower]] as const) {
    const value = "\xe9".repeat(mebibytes * 1024 * 1024);
    const client = await RespClient.open(node.port);
    const before = await termOf();
    const beside = {
      "SET at the leader": new Beside(leader, ["SET", "a", "v"]),
      "SET at the follower": new Beside(follower, ["SET", "b", "v"]),
      "PING at the leader": new Beside(leader, ["PING"]),
    };
    const startMs = performance.now();
    const reply = await client.command("SET", `large:${name}`, value);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    await sleep(1000);
    console.log(
      `${mebibytes} MiB at the ${name}: ${reply} after ${seconds} s, term ${before} -> ${await termOf()}`,
    );
    for (const [what, each] of Object.entries(beside)) {
      console.log(`  ${what}: ${await each.stop()}`);
    }
    client.close();
  }
}
await cluster.kill();
cleanupAll();
