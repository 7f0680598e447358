import { afterAll, beforeAll, expect, test } from "bun:test";
import { CheckClients } from "../../cli/check_clients.ts";
import { Endpoint } from "../../cli/check_endpoint.ts";
import { CRASH_POINTS, type CrashPoint } from "../../src/storage/crash_point.ts";
import { explain } from "../checker/check.ts";
import { type ClusterNode, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, sleep, until } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

const LONG = 180_000;
/** A log of so many bytes is purged. */
const LOG_BYTES = 128 * 1024;
const VALUE = "x".repeat(8000);
const FILL_WRITES = 250;
/** Passes of a point that load brings about: the process dies amid it. */
const PASSES = 25;

let cluster: TestCluster;
let clients: CheckClients;

afterAll(cleanupAll);

beforeAll(async () => {
  process.env.BALSA_TEST_LOG_BYTES = String(LOG_BYTES);
  cluster = await TestCluster.start({ args: ["--request-timeout", "3s"] });
  const endpoints = cluster.nodes.map(({ host, port }) => new Endpoint({ host, port }));
  clients = new CheckClients({
    endpoints: () => endpoints,
    clients: 6,
    depth: 2,
    seed: 5,
    prefix: "",
    lists: true,
    timeoutMs: 5000,
    pauseMs: 2,
  });
  clients.start();
}, LONG);

/** Sends a command until there is an answer that is none of an election. */
async function ask(node: ClusterNode, ...argv: string[]): Promise<void> {
  const client = await RespClient.open(node.port).catch(() => undefined);
  await client?.command(...argv).catch(() => {});
  client?.close();
}

/** Writes so much that no running node, whichever will lead, has the entries to `index`. */
async function fill(node: ClusterNode, index = 0): Promise<void> {
  const client = await RespClient.open(node.port);
  const commands = Array.from({ length: FILL_WRITES }, (_, i) => ["SET", `fill:${i}`, VALUE]);
  for (let i = 0; i < commands.length; i += 10) await client.pipeline(commands.slice(i, i + 10));
  client.close();
  await until(async () => {
    const running = cluster.nodes.filter(({ isRunning }) => isRunning);
    const infos = await Promise.all(running.map((each) => each.info()));
    const purged = infos.map((info) => Number(info?.raft_snapshot_index));
    if (Math.min(...purged) > index) return true;
    // A leader keeps what a node needs that it takes for alive.
    for (const each of running) await ask(each, "RAFT.SNAPSHOT");
    return false;
  }, `all logs to be purged past ${index}`);
}

/** The node, whose log `writer` writes, dies at the point, while the others serve. */
async function crash(point: CrashPoint, writer: string): Promise<ClusterNode> {
  const leader = await cluster.leader();
  const node = cluster.nodes.find((each) => each !== leader)!;
  const other = cluster.nodes.find((each) => each !== leader && each !== node)!;
  const victim = point === "send_half" ? leader : node;
  const env = {
    BALSA_LOG_WRITER: writer,
    BALSA_TEST_CRASH: /^(append_(be|af)|apply)/.test(point) ? `${point}:${PASSES}` : point,
  };
  await node.kill9();
  // It has no entry past the leader's last.
  let last = 0;
  await until(async () => {
    last = Number((await leader.info())?.raft_last_index);
    return last > 0;
  }, "the leader's last entry");
  if (/^(receive|install)/.test(point)) await fill(leader, last);
  if (point === "send_half") {
    // Whoever leads then has the point set: all are started with it, but the one that is behind.
    await fill(leader, last);
    for (const each of [other, leader]) {
      await each.kill9();
      each.start(env);
    }
    await sleep(0);
  }
  node.start(point === "send_half" ? {} : env);
  const dead = (): ClusterNode | undefined => cluster.nodes.find(({ isRunning }) => !isRunning);
  await until(async () => {
    if (dead() !== undefined) return true;
    if (point.startsWith("vote")) await ask(other, "RAFT.TRANSFER_LEADER");
    if (/^(flush|snapshot|purge)/.test(point)) await ask(victim, "RAFT.SNAPSHOT");
    if (point === "append_in_transaction") await fill(other).catch(() => {});
    return false;
  }, `a crash at ${point}`);
  return dead()!;
}

const INLINE = CRASH_POINTS.map((point) => [point, "inline"] as const);
const ON_WORKER = CRASH_POINTS.filter((point) => point.startsWith("append"))
  .map((point) => [point, "worker"] as const);

for (const [point, writer] of [...INLINE, ...ON_WORKER]) {
  test(`kill -9 at ${point} (${writer}): starts clean, catches up`, async () => {
    const node = await crash(point, writer);
    expect(node.lastExit?.signal).toBe("SIGKILL");
    for (const each of cluster.nodes) {
      // Those of "send_half" have the point set still.
      if (point === "send_half") await each.kill9();
      if (!each.isRunning) each.start();
    }
    // Half a snapshot that a node was sent would be what the next crash begins with.
    await until(async () => {
      const infos = await Promise.all(cluster.nodes.map((each) => each.info()));
      const applied = infos.map((info) => Number(info?.raft_applied));
      return Math.min(...applied) >= Math.max(...applied) - 200;
    }, `all nodes to catch up after ${point}`);
    expect(node.output).not.toMatch(/corrupt|assert/i);
    expect(explain(clients.recorder.verdict)).toBeUndefined();
  }, LONG);
}

test("nothing acknowledged was lost through all of them", async () => {
  await clients.stop();
  expect(await clients.readAll()).toBe(0);
  await clients.close();
  expect(explain(clients.recorder.check())).toBeUndefined();
  expect(clients.complaints).toEqual([]);
  expect(clients.recorder.counts.writes).toBeGreaterThan(200);
  await cluster.converged();
  await cluster.stop();
}, LONG);
