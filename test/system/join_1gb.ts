import { readFileSync } from "node:fs";
import { type ClusterNode, orThrow, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, residentBytes, sleep, until } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

// bun test/system/join_1gb.ts [MEGABYTES]: a node joins a cluster of three that holds so much.
const MEGABYTES = Number(process.argv[2] ?? 1000);
const VALUE_BYTES = 1000;
const DEPTH = 100;
const CONNECTIONS = 4;

/** What one node did to those who use it, and what it took, while it was watched. */
class Watch {
  readonly #pid: number;
  pingMsMax = 0;
  pingsOver20Ms = 0;
  #isStopped = false;

  constructor(node: ClusterNode) {
    this.#pid = node.pid;
    void this.#run(node.port);
  }

  stop(): string {
    this.#isStopped = true;
    const { pingMsMax, pingsOver20Ms } = this;
    const status = readFileSync(`/proc/${this.#pid}/status`, "latin1");
    const megabytes = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
    const longest = pingMsMax.toFixed(1);
    return `peak RSS of its life ${megabytes} MB, longest PING ${longest} ms, ${pingsOver20Ms} over 20 ms`;
  }

  async #run(port: number): Promise<void> {
    const client = await RespClient.open(port);
    while (!this.#isStopped) {
      const startMs = performance.now();
      await client.command("PING");
      const ms = performance.now() - startMs;
      this.pingMsMax = Math.max(this.pingMsMax, ms);
      if (ms > 20) this.pingsOver20Ms++;
      await sleep(2);
    }
    client.close();
  }
}

async function fill(port: number): Promise<void> {
  const count = MEGABYTES * 1e6 / VALUE_BYTES;
  const value = Array.from({ length: VALUE_BYTES }, (_, i) => String.fromCharCode(97 + i % 26));
  const write = async (id: number): Promise<void> => {
    const client = await RespClient.open(port);
    for (let i = 0; i < count / CONNECTIONS; i += DEPTH) {
      const commands = Array.from({ length: DEPTH }, (_, j) => {
        return ["SET", `key:${id}:${i + j}`, value.join("")];
      });
      (await client.pipeline(commands)).forEach(orThrow);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, id) => write(id)));
}

const startMs = performance.now();
const say = (text: string) =>
  console.log(`${((performance.now() - startMs) / 1000).toFixed(1)} s  ${text}`);
const cluster = await TestCluster.start();
say("cluster founded");
await fill((await cluster.leader()).port);
await cluster.converged(120_000);
say(`filled: ${await cluster.nodes[0].command("DBSIZE")} keys`);
await sleep(3000);
const leader = await cluster.leader();

const resident = Math.round(residentBytes(leader.pid) / 2 ** 20);
const onLeader = new Watch(leader);
let writes = 0;
let writeMsMax = 0;
let isWriting = true;
const writing = (async () => {
  for (; isWriting; writes++) {
    const beforeMs = performance.now();
    orThrow(await leader.command("SET", `meanwhile:${writes % 1000}`, "x".repeat(100)));
    writeMsMax = Math.max(writeMsMax, performance.now() - beforeMs);
    await sleep(5);
  }
})();
const joinMs = performance.now();
const term = (await leader.info())?.raft_term;
const node = await cluster.add();
await node.ready();
const onJoiner = new Watch(node);
await until(
  async () => (await leader.info())?.raft_voters === "4",
  "the node is a voter",
  300_000,
);
say(`joined and a voter after ${((performance.now() - joinMs) / 1000).toFixed(1)} s`);
isWriting = false;
await writing;
say(`leader: ${onLeader.stop()}; before: RSS ${resident} MB`);
say(`joiner: ${onJoiner.stop()}`);
say(`writes meanwhile: ${writes}, the longest ${writeMsMax.toFixed(1)} ms`);
await cluster.converged();
say(`equal, term ${term} -> ${(await leader.info())?.raft_term}`);
for (const each of [leader, node]) {
  const lines = each.output.split("\n");
  console.log(lines.filter((line) => /snapshot|role|error/.test(line)).join("\n"));
}
await cluster.kill();
cleanupAll();
