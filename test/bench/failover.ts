import { type ClusterNode, TestCluster } from "../system/cluster_harness.ts";
import { sleep, until } from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { median } from "./load.ts";

/** How the leader ends. */
export type End = "SIGKILL" | "SIGTERM";

export interface FailoverRow {
  readonly end: End;
  /** For each leader ended: the longest time that a client elsewhere had no write acknowledged. */
  readonly pausesMs: readonly number[];
}

const LOAD_CLIENTS = 16;
/** The load before and after an end. */
const SETTLE_MS = 700;

/** One client that writes as fast as it is answered, and remembers its longest wait. */
class Writer {
  longestMs = 0;
  writes = 0;
  #stopping = false;
  readonly #done: Promise<void>;

  constructor(node: ClusterNode) {
    this.#done = this.#run(node);
  }

  stop(): Promise<void> {
    this.#stopping = true;
    return this.#done;
  }

  async #run(node: ClusterNode): Promise<void> {
    const client = await RespClient.open(node.port);
    let lastMs = performance.now();
    while (!this.#stopping && !client.closed) {
      const reply = await client.command("SET", `failover:${this.writes % 1000}`, "x".repeat(64))
        .catch(() => null);
      if (reply !== "OK") continue;
      const nowMs = performance.now();
      this.longestMs = Math.max(this.longestMs, nowMs - lastMs);
      lastMs = nowMs;
      this.writes++;
    }
    client.close();
  }
}

/** Ends `count` leaders, one after the other, under load at all nodes. */
export async function measureFailover(
  cluster: TestCluster,
  end: End,
  count: number,
): Promise<FailoverRow> {
  const pausesMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const leader = await cluster.leader();
    const others = cluster.nodes.filter((node) => node !== leader);
    const load = Array.from(
      { length: LOAD_CLIENTS },
      (_, n) => new Writer(cluster.nodes[n % cluster.nodes.length]),
    );
    const probes = others.map((node) => new Writer(node));
    await until(() => probes.every(({ writes }) => writes > 20), "the load to run");
    await sleep(SETTLE_MS);
    for (const probe of probes) probe.longestMs = 0;
    const before = probes.map(({ writes }) => writes);
    if (end === "SIGKILL") await leader.kill9();
    else await leader.stop();
    await until(() => probes.every(({ writes }, n) => writes > before[n] + 20), "writes to go on");
    await sleep(SETTLE_MS);
    pausesMs.push(Math.round(Math.max(...probes.map(({ longestMs }) => longestMs))));
    await Promise.all([...load, ...probes].map((writer) => writer.stop()));
    leader.start();
    await cluster.converged();
    console.log(`${end} ${i + 1}/${count}: ${pausesMs.at(-1)} ms`);
  }
  return { end, pausesMs };
}

/** The rows as Markdown. */
export function renderFailover(rows: readonly FailoverRow[]): string {
  const lines = rows.map(({ end, pausesMs }) =>
    `| leader ended by ${end} | ${pausesMs.length} | ${median(pausesMs)} | ${
      Math.max(...pausesMs)
    } |`
  );
  return ["| writes pause, ms | times | median | worst |", "| --- | ---: | ---: | ---: |", ...lines]
    .join("\n");
}
