import { afterAll, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { flipByte } from "../storage/raft_log_fixture.ts";
import { type ClusterNode, equalStates, orThrow, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, sleep, until } from "./harness.ts";
import { type Decoded, RespError } from "./resp_client.ts";

afterAll(cleanupAll);

/** A log of 256 KiB is purged, one of 1 MiB even while a follower needs it. */
const ENV = { BALSA_TEST_LOG_BYTES: String(256 * 1024) };
const VALUE = "x".repeat(8000);
const DEPTH = 25;

/** Writes to one node until it is told to stop; remembers what was acknowledged. */
class Load {
  readonly acknowledged = new Map<string, string>();
  readonly #node: ClusterNode;
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(node: ClusterNode) {
    this.#node = node;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    for (let i = 0; !this.#isStopped; i++) {
      const [key, value] = [`load:${i % 200}`, `${i}`];
      if (await this.#node.command("SET", key, value) === "OK") this.acknowledged.set(key, value);
      await sleep(2);
    }
  }
}

/** Writes so much through a node that the log of every node is purged. */
async function fill(node: ClusterNode, megabytes = 6): Promise<void> {
  const client = await node.client();
  const before = Number((await node.info())?.raft_applied);
  for (let i = 0; i < megabytes * 125; i += DEPTH) {
    const commands = Array.from({ length: DEPTH }, (_, j) => ["SET", `fill:${i + j}`, VALUE + i]);
    (await client.pipeline(commands)).forEach(orThrow);
  }
  await until(async () => await snapshotIndex(node) > before, "the log is purged");
}

async function snapshotIndex(node: ClusterNode): Promise<number> {
  return Number((await node.info())?.raft_snapshot_index);
}

/** Three nodes: who leads, and the others. */
async function three(env: Readonly<Record<string, string>>) {
  const cluster = await TestCluster.start({ env });
  const leader = await cluster.leader();
  const [follower, other] = await cluster.followers();
  return { cluster, leader, follower, other };
}

async function installed(node: ClusterNode): Promise<void> {
  await until(() => /snapshot installed/.test(node.output), "a snapshot is installed");
}

/** All nodes reach the same state, in memory and, once stopped, on disk. */
async function expectEqual(cluster: TestCluster): Promise<void> {
  await cluster.converged();
  await Promise.all(cluster.nodes.map((node) => node.kill9WhenDurable()));
  expect(equalStates(cluster.nodes).rows).toBeGreaterThan(0);
}

/** Adds to a stream, with a group of its own: entries come and go, some are pending. */
async function fillStream(node: ClusterNode, group: string): Promise<void> {
  const client = await node.client();
  const commands = [
    ...Array.from({ length: 300 }, (_, i) => ["XADD", "stream", "*", `field ${i >> 7}`, `${i}`]),
    ["XADD", "stream", "MAXLEN", "~", "350", "*", "field", "last"],
    ["XGROUP", "CREATE", "stream", group, "0"],
    ["XREADGROUP", "GROUP", group, "ann", "COUNT", "150", "STREAMS", "stream", ">"],
    ["XAUTOCLAIM", "stream", group, "bob", "0", "-", "COUNT", "30", "JUSTID"],
    ["XTRIM", "stream", "MAXLEN", "290"],
  ];
  (await client.pipeline(commands)).forEach(orThrow);
  const [[id]] = await client.command("XRANGE", "stream", "-", "+", "COUNT", "1") as string[][];
  expect(await client.command("XACK", "stream", group, id)).toBe(1);
  expect(await client.command("XDEL", "stream", id)).toBe(1);
}

async function expectAcknowledged(cluster: TestCluster, load: Load): Promise<void> {
  for (const node of cluster.nodes) {
    const keys = [...load.acknowledged.keys()];
    expect(await node.command("MGET", ...keys)).toEqual([...load.acknowledged.values()]);
  }
}

test("a follower that was away past the purge catches up, and a new node joins", async () => {
  const { cluster, leader, follower } = await three(ENV);
  await fillStream(leader, "before");
  await follower.kill9();
  await fillStream(leader, "meanwhile");
  await fill(leader);
  const load = new Load(leader);
  follower.start();
  await installed(follower);
  const fourth = await cluster.add();
  await installed(fourth);
  await until(async () => (await leader.info())?.raft_voters === "4", "a voter");
  await load.stop();
  await cluster.converged();
  await expectAcknowledged(cluster, load);
  expect(await fourth.command("SET", "through", "the new node")).toBe("OK");
  await fillStream(follower, "after");
  const streams = await Promise.all(
    cluster.nodes.map((node) => node.command("XINFO", "STREAM", "stream", "FULL", "COUNT", "0")),
  );
  for (const stream of streams) expect(stream).toEqual(streams[0]);
  await expectEqual(cluster);
}, 180_000);

test("RAFT.SNAPSHOT takes one now and purges the log up to it", async () => {
  const cluster = await TestCluster.start({ nodes: 1 });
  const [node] = cluster.nodes;
  for (let i = 0; i < 20; i++) await node.command("SET", `key:${i}`, VALUE);
  const before = Number((await node.info())?.raft_applied);
  const index = await node.command("RAFT.SNAPSHOT");
  expect(index).toBeGreaterThanOrEqual(before);
  expect(await snapshotIndex(node)).toBe(index as number);
  await node.kill9();
  node.start();
  await node.ready();
  expect(await node.command("GET", "key:19")).toBe(VALUE);
  await cluster.stop();
}, 180_000);

test("senders that are killed amid a transfer lose nothing", async () => {
  const { cluster, leader, follower } = await three({ ...ENV, BALSA_TEST_CRASH: "send_half" });
  await follower.kill9();
  await fill(leader);
  await leader.command("SET", "last", "acknowledged");
  follower.start();
  await until(() => !leader.isRunning, "the leader dies");
  expect(leader.lastExit?.signal).toBe("SIGKILL");
  await cluster.kill();
  for (const node of cluster.nodes) node.start({ BALSA_TEST_CRASH: "" });
  await cluster.leader();
  await cluster.converged();
  expect(await follower.command("GET", "last")).toBe("acknowledged");
  await expectEqual(cluster);
}, 180_000);

test("a snapshot that is damaged where it was made is made anew", async () => {
  const { cluster, leader, follower, other } = await three(ENV);
  await follower.kill9();
  await fill(leader);
  // Either may lead later.
  for (const node of [leader, other]) {
    expect(await node.command("RAFT.SNAPSHOT")).toBeGreaterThan(0);
    const snapshots = join(node.data, "snapshots");
    const file = join(snapshots, readdirSync(snapshots).find((name) => name.endsWith(".db"))!);
    flipByte(file, statSync(file).size >> 1);
  }
  follower.start();
  await installed(follower);
  expect(follower.output).toContain("a received snapshot is damaged");
  expect(leader.output + other.output).toContain("a snapshot is damaged, it is made anew");
  await expectEqual(cluster);
}, 180_000);

test("commands on their way when a snapshot covers them are answered as unknown", async () => {
  const { cluster, leader, follower } = await three(ENV);
  const client = await follower.client();
  const sends = Array.from({ length: 400 }, () => client.command("INCR", "counter"));
  await sleep(5);
  follower.signal("SIGSTOP");
  await fill(leader);
  follower.signal("SIGCONT");
  const replies = await Promise.all(sends);
  const unknown = replies.filter((reply) => isError(reply, "UNKNOWN"));
  const undone = replies.filter((reply) => isError(reply, "CLUSTERDOWN"));
  const counts = replies.filter((reply) => typeof reply === "number");
  expect(unknown.length + undone.length + counts.length).toBe(sends.length);
  expect(new Set(counts).size).toBe(counts.length);
  await cluster.converged();
  const counter = Number(await leader.command("GET", "counter"));
  expect(counter).toBeGreaterThanOrEqual(counts.length);
  expect(counter).toBeLessThanOrEqual(counts.length + unknown.length);
  await follower.command("INCR", "counter");
  await expectEqual(cluster);
}, 180_000);

function isError(reply: Decoded, code: string): boolean {
  return reply instanceof RespError && reply.text.startsWith(`${code} `);
}
