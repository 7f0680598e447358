import { afterAll, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { ClusterNode, equalStates, TestCluster } from "./cluster_harness.ts";
import {
  cleanupAll,
  DEFAULT_RUNTIME,
  freePort,
  scratchDirectory,
  sleep,
  until,
} from "./harness.ts";
import { type Decoded, RespClient, RespError } from "./resp_client.ts";

const LONG = 180_000;
/** How long the leader stands still beyond the election of its successor. */
const PAUSE_MS = Number(process.env.BALSA_PAUSE_MS ?? "0");

afterAll(cleanupAll);

const textOf = (reply: Decoded): string => reply instanceof RespError ? reply.text : String(reply);

test("all nodes killed at once: everything acknowledged is there", async () => {
  const cluster = await TestCluster.start();
  const client = await RespClient.open(cluster.nodes[1].port);
  const acknowledged: number[] = [];
  const writing = (async () => {
    for (let i = 0;; i++) {
      if (await client.command("SET", `key:${i}`, String(i)) === "OK") acknowledged.push(i);
    }
  })().catch(() => {});
  await until(() => acknowledged.length > 200, "some writes");
  await cluster.kill();
  await writing;
  for (const node of cluster.nodes) node.start();
  await cluster.leader();
  const digest = await cluster.converged();
  for (const node of cluster.nodes) {
    const reader = await RespClient.open(node.port);
    const values = await reader.pipeline(acknowledged.map((i) => ["GET", `key:${i}`]));
    expect(values).toEqual(acknowledged.map(String));
    reader.close();
  }
  expect(digest).not.toBe("");
  await cluster.stop();
  expect(equalStates(cluster.nodes).rows).toBeGreaterThanOrEqual(acknowledged.length);
}, LONG);

test(
  "SIGSTOP of the leader: it neither serves old data nor keeps what it did not commit",
  async () => {
    const cluster = await TestCluster.start();
    const leader = await cluster.leader();
    const [follower] = await cluster.followers();
    const [old, other] = await Promise.all(
      [leader, follower].map((node) => RespClient.open(node.port)),
    );
    expect(await old.command("SET", "key", "before")).toBe("OK");
    leader.signal("SIGSTOP");
    // They lie in the socket of the leader, which reads them before it hears of its successor.
    const read = old.command("GET", "key");
    const write = old.command("SETNX", "late", "1");
    expect(await other.command("SET", "key", "after")).toBe("OK");
    await sleep(PAUSE_MS);
    leader.signal("SIGCONT");
    expect(await read).toBe("after");
    expect(await write).toBe(1);
    expect(await other.command("GET", "late")).toBe("1");
    await cluster.converged();
    await cluster.stop();
  },
  LONG,
);

test("SIGTERM of the leader hands over", async () => {
  const cluster = await TestCluster.start();
  const leader = await cluster.leader();
  const [follower] = await cluster.followers();
  const client = await RespClient.open(follower.port);
  let longestMs = 0;
  let count = 0;
  let isDone = false;
  const writing = (async () => {
    let lastMs = performance.now();
    while (!isDone) {
      expect(await client.command("INCR", "counter")).toBe(++count);
      const nowMs = performance.now();
      longestMs = Math.max(longestMs, nowMs - lastMs);
      lastMs = nowMs;
    }
  })();
  await until(() => count > 50, "some writes");
  expect(await leader.stop()).toBe(0);
  const atStop = count;
  await until(() => count > atStop + 50, "writes to go on");
  isDone = true;
  await writing;
  console.log(`hand-over by SIGTERM: writes paused ${Math.round(longestMs)} ms at most`);
  expect(leader.output).toContain("stopped");
  await cluster.stop();
}, LONG);

test("a key that expires is gone on every node, and stays gone after a failover", async () => {
  const cluster = await TestCluster.start();
  const leader = await cluster.leader();
  const clients = await Promise.all(cluster.nodes.map(({ port }) => RespClient.open(port)));
  const [first] = clients;
  await first.command("SET", "short", "1", "PX", "300");
  await first.command("SET", "long", "1", "PX", "600000");
  for (const client of clients) expect(await client.command("EXISTS", "long")).toBe(1);
  await until(async () => await first.command("EXISTS", "short") === 0, "the key to expire");
  for (const client of clients) {
    expect(await client.command("EXISTS", "short")).toBe(0);
    client.close();
  }
  await leader.kill9();
  await cluster.leader();
  for (const node of cluster.nodes.filter(({ isRunning }) => isRunning)) {
    const client = await RespClient.open(node.port);
    expect(await client.command("EXISTS", "short")).toBe(0);
    expect(await client.command("DBSIZE")).toBe(1);
    expect(Number(await client.command("PTTL", "long"))).toBeGreaterThan(1000);
    client.close();
  }
  leader.start();
  await cluster.converged();
  await cluster.stop();
}, LONG);

test("with two of three nodes down only stale reads are served", async () => {
  const cluster = await TestCluster.start({ args: ["--request-timeout", "1s"] });
  const leader = await cluster.leader();
  const [survivor, other] = await cluster.followers();
  const client = await RespClient.open(survivor.port);
  expect(await client.command("SET", "key", "value")).toBe("OK");
  await Promise.all([leader.kill9(), other.kill9()]);
  expect(textOf(await client.command("SET", "key", "other"))).toMatch(/^(CLUSTERDOWN|UNKNOWN) /);
  expect(textOf(await client.command("GET", "key"))).toMatch(/^CLUSTERDOWN /);
  const stale = await RespClient.open(survivor.port);
  expect(await stale.command("CLIENT", "CONSISTENCY", "stale")).toBe("OK");
  expect(await stale.command("GET", "key")).toBe("value");
  leader.start();
  await cluster.leader();
  expect(await client.command("SET", "key", "again")).toBe("OK");
  expect(await stale.command("CLIENT", "CONSISTENCY", "linearizable")).toBe("OK");
  expect(await stale.command("GET", "key")).toBe("again");
  await cluster.stop();
}, LONG);

// --- strangers on the peer port ----------------------------------------------------------------

/** Sends bytes to a port and waits for its end. */
function sendBytes(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => socket.end(bytes));
    socket.on("data", () => {});
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
  });
}

test(
  "strangers on the peer port are refused with a reason, and the cluster serves on",
  async () => {
    const secret = ["--cluster-secret", "of this test"];
    const cluster = await TestCluster.start({ args: secret });
    const leader = await cluster.leader();
    const [follower] = await cluster.followers();
    const client = await RespClient.open(follower.port);
    const serves = async (): Promise<void> => {
      expect(await client.command("SET", "key", "value")).toBe("OK");
      expect((await leader.info())?.raft_role).toBe("leader");
    };
    await serves();
    const output = (): string => cluster.nodes.map((node) => node.output).join();

    for (const text of ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\x05\x01abcd", "\xff".repeat(5000), "x"]) {
      await sendBytes(leader.peerPort, Buffer.from(text, "latin1"));
    }
    await until(() => /peer refused.*a frame of \d+ bytes/.test(output()), "garbage to be refused");
    await serves();

    const start = async (data: string, args: readonly string[]): Promise<ClusterNode> => {
      const [port, peerPort] = [await freePort(), await freePort()];
      const node = new ClusterNode({ port, peerPort, data, runtime: DEFAULT_RUNTIME, args });
      node.start();
      return node;
    };
    const peers = cluster.nodes.map(({ address }) => address).join();
    const stranger = await start(join(scratchDirectory(), "data"), [
      "--cluster-secret",
      "another",
      "--join",
      peers,
    ]);
    await until(() => /peer refused.*secret/.test(output()), "a wrong secret to be refused");
    await stranger.kill9();
    await serves();

    // A copy that was made while its original ran, and one that has fallen behind it.
    const copy = join(scratchDirectory(), "copy");
    cpSync(follower.data, copy, { recursive: true });
    const twin = await start(copy, secret);
    await until(
      () => /is connected already|copy of/.test(output() + twin.output),
      "the copy to be refused",
    );
    await serves();
    await twin.kill9();
    await follower.stop();
    follower.start();
    await cluster.converged();
    await follower.stop();
    follower.start();
    await cluster.converged();
    const older = await start(copy, secret);
    await until(
      () => /has run since this copy|is connected already/.test(output()),
      "the older copy to be refused",
    );
    await older.kill9();
    expect((await cluster.converged()).length).toBe(8);
    await cluster.stop();
  },
  LONG,
);

test("a node of another cluster is refused", async () => {
  const [one, two] = await Promise.all([TestCluster.start(), TestCluster.start()]);
  await two.stop();
  // A node of the second at the address of a node of the first.
  const [lost] = await one.followers();
  await lost.kill9();
  const moved = new ClusterNode({
    port: lost.port,
    peerPort: lost.peerPort,
    data: two.nodes[0].data,
    runtime: DEFAULT_RUNTIME,
    args: [],
  });
  moved.start();
  const output = (): string => one.nodes.map((node) => node.output).join() + moved.output;
  await until(() => /another cluster/.test(output()), "the other cluster's node to be refused");
  const survivor = one.nodes.find((node) => node.isRunning);
  const client = await RespClient.open(survivor?.port ?? 0);
  expect(await client.command("SET", "key", "value")).toBe("OK");
  await moved.kill9();
  lost.start();
  await one.converged();
  await one.stop();
}, LONG);
