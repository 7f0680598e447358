import { afterAll, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { flipByte } from "../storage/raft_log_fixture.ts";
import { orThrow, TestCluster } from "./cluster.ts";
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
  readonly #cluster: TestCluster;
  readonly #node: number;
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(cluster: TestCluster, node: number) {
    this.#cluster = cluster;
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
      if (await this.#cluster.command(this.#node, "SET", key, value) === "OK") {
        this.acknowledged.set(key, value);
      }
      await sleep(2);
    }
  }
}

/** Writes so much through a node that the log of every node is purged. */
async function fill(cluster: TestCluster, node: number, megabytes = 6): Promise<void> {
  const client = await cluster.client(node);
  const before = Number((await cluster.raft(node))?.get("raft_applied"));
  for (let i = 0; i < megabytes * 125; i += DEPTH) {
    const commands = Array.from({ length: DEPTH }, (_, j) => ["SET", `fill:${i + j}`, VALUE + i]);
    (await client.pipeline(commands)).forEach(orThrow);
  }
  await until(async () => await snapshotIndex(cluster, node) > before, "the log is purged");
}

async function snapshotIndex(cluster: TestCluster, node: number): Promise<number> {
  return Number((await cluster.raft(node))?.get("raft_snapshot_index"));
}

async function leaderOf(cluster: TestCluster): Promise<number> {
  let leader: number | undefined;
  await until(async () => (leader = await cluster.leader()) !== undefined, "a leader");
  return leader!;
}

/** All nodes reach the same state, in memory and, once stopped, on disk. */
async function expectEqual(cluster: TestCluster): Promise<void> {
  const nodes = [...cluster.members.keys()];
  await until(() => cluster.areEqual(nodes), "all nodes are equal");
  await Promise.all(nodes.map((node) => cluster.kill9WhenDurable(node)));
  const contents = nodes.map((node) => cluster.contents(node));
  for (const content of contents) expect(content === contents[0]).toBe(true);
}

/** Adds to a stream, with a group of its own: entries come and go, some are pending. */
async function fillStream(cluster: TestCluster, node: number, group: string): Promise<void> {
  const client = await cluster.client(node);
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
  for (const node of cluster.members.keys()) {
    const keys = [...load.acknowledged.keys()];
    expect(await cluster.command(node, "MGET", ...keys)).toEqual([...load.acknowledged.values()]);
  }
}

test("a follower that was away past the purge catches up, and a new node joins", async () => {
  const cluster = await TestCluster.found(3, { env: ENV });
  const leader = await leaderOf(cluster);
  const follower = (leader + 1) % 3;
  await fillStream(cluster, leader, "before");
  await cluster.kill9(follower);
  await fillStream(cluster, leader, "meanwhile");
  await fill(cluster, leader);
  const load = new Load(cluster, leader);
  await cluster.start(follower);
  await until(() => /snapshot installed/.test(cluster.server(follower).output()), "an install");
  const fourth = await cluster.add();
  await until(() => /snapshot installed/.test(cluster.server(fourth).output()), "a join");
  await until(async () => (await cluster.raft(leader))?.get("raft_voters") === "4", "a voter");
  await load.stop();
  await until(() => cluster.areEqual([0, 1, 2, 3]), "all nodes are equal");
  await expectAcknowledged(cluster, load);
  expect(await cluster.command(fourth, "SET", "through", "the new node")).toBe("OK");
  await fillStream(cluster, follower, "after");
  const streams = await Promise.all(
    [0, 1, 2, 3].map((node) =>
      cluster.command(node, "XINFO", "STREAM", "stream", "FULL", "COUNT", "0")
    ),
  );
  for (const stream of streams) expect(stream).toEqual(streams[0]);
  await expectEqual(cluster);
}, 180_000);

test("RAFT.SNAPSHOT takes one now and purges the log up to it", async () => {
  const cluster = await TestCluster.found(1, { env: {} });
  for (let i = 0; i < 20; i++) await cluster.command(0, "SET", `key:${i}`, VALUE);
  const before = Number((await cluster.raft(0))?.get("raft_applied"));
  const index = await cluster.command(0, "RAFT.SNAPSHOT");
  expect(index).toBeGreaterThanOrEqual(before);
  expect(await snapshotIndex(cluster, 0)).toBe(index as number);
  await cluster.kill9(0);
  await cluster.start(0);
  expect(await cluster.command(0, "GET", "key:19")).toBe(VALUE);
  await cluster.stopAll();
}, 180_000);

test("senders that are killed amid a transfer lose nothing", async () => {
  const env = { ...ENV, BALSA_TEST_CRASH: "send_half" };
  const cluster = await TestCluster.found(3, { env });
  const leader = await leaderOf(cluster);
  const [follower, other] = [(leader + 1) % 3, (leader + 2) % 3];
  await cluster.kill9(follower);
  await fill(cluster, leader);
  await cluster.command(leader, "SET", "last", "acknowledged");
  const { exited } = cluster.server(leader);
  await cluster.start(follower).catch(() => {});
  expect((await exited).signal).toBe("SIGKILL");
  await cluster.kill9(other);
  for (const node of [leader, other, follower]) await cluster.kill9(node);
  const sound = { env: { BALSA_TEST_CRASH: "" } };
  await Promise.all([0, 1, 2].map((node) => cluster.start(node, sound)));
  await until(() => cluster.areEqual([0, 1, 2]), "all nodes are equal");
  expect(await cluster.command(follower, "GET", "last")).toBe("acknowledged");
  await expectEqual(cluster);
}, 180_000);

test("a snapshot that is damaged where it was made is made anew", async () => {
  const cluster = await TestCluster.found(3, { env: ENV });
  const leader = await leaderOf(cluster);
  const [follower, other] = [(leader + 1) % 3, (leader + 2) % 3];
  await cluster.kill9(follower);
  await fill(cluster, leader);
  // Either may lead later.
  for (const node of [leader, other]) {
    expect(await cluster.command(node, "RAFT.SNAPSHOT")).toBeGreaterThan(0);
    const snapshots = join(cluster.members[node].data, "snapshots");
    const file = join(snapshots, readdirSync(snapshots).find((name) => name.endsWith(".db"))!);
    flipByte(file, statSync(file).size >> 1);
  }
  await cluster.start(follower);
  await until(() => /snapshot installed/.test(cluster.server(follower).output()), "an install");
  expect(cluster.server(follower).output()).toContain("a received snapshot is damaged");
  const outputs = [leader, other].map((node) => cluster.server(node).output()).join("");
  expect(outputs).toContain("a snapshot is damaged, it is made anew");
  await expectEqual(cluster);
}, 180_000);

test("commands on their way when a snapshot covers them are answered as unknown", async () => {
  const cluster = await TestCluster.found(3, { env: ENV });
  const leader = await leaderOf(cluster);
  const follower = (leader + 1) % 3;
  // Another connection: the pause stops the whole process.
  const client = await cluster.client(follower);
  const sends = Array.from({ length: 400 }, () => client.command("INCR", "counter"));
  await sleep(5);
  const { pid } = cluster.server(follower);
  process.kill(pid, "SIGSTOP");
  await fill(cluster, leader);
  process.kill(pid, "SIGCONT");
  const replies = await Promise.all(sends);
  const unknown = replies.filter((reply) => isError(reply, "UNKNOWN"));
  const undone = replies.filter((reply) => isError(reply, "CLUSTERDOWN"));
  const counts = replies.filter((reply) => typeof reply === "number");
  expect(unknown.length + undone.length + counts.length).toBe(sends.length);
  expect(new Set(counts).size).toBe(counts.length);
  await until(() => cluster.areEqual([0, 1, 2]), "all nodes are equal");
  const counter = Number(await cluster.command(leader, "GET", "counter"));
  expect(counter).toBeGreaterThanOrEqual(counts.length);
  expect(counter).toBeLessThanOrEqual(counts.length + unknown.length);
  await cluster.command(follower, "INCR", "counter");
  await expectEqual(cluster);
}, 180_000);

function isError(reply: Decoded, code: string): boolean {
  return reply instanceof RespError && reply.text.startsWith(`${code} `);
}
