import { afterAll, expect, test } from "bun:test";
import { type ClusterNode, equalStates, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, until } from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";

const LONG = 120_000;
const MEBIBYTE = 1024 * 1024;

afterAll(cleanupAll);

/** Different bytes in each place, NUL and beyond ASCII among them. */
const large = (bytes: number, seed: number) =>
  Array.from({ length: 256 }, (_, i) => String.fromCharCode((i * 7 + seed) & 255)).join("")
    .repeat(bytes / 256);

/** INCRs through a node until it is told to stop; resolves to how many were acknowledged. */
function counting(node: ClusterNode, key: string): { stop(): Promise<number>; count: number } {
  let stopped = false;
  const state = {
    count: 0,
    async stop() {
      stopped = true;
      await run;
      return state.count;
    },
  };
  const run = (async () => {
    const client = await RespClient.open(node.port);
    while (!stopped) if (await client.command("INCR", key) === ++state.count) continue;
    client.close();
  })();
  return state;
}

test("large values through the leader and a follower, small commands beside them", async () => {
  const cluster = await TestCluster.start({ runtimes: ["bun", "bun", "deno"] });
  const leader = await cluster.leader();
  const [follower, other] = await cluster.followers();
  const beside = [counting(leader, "a"), counting(follower, "b")];
  const values = [large(6 * MEBIBYTE, 1), large(4 * MEBIBYTE, 2)];
  for (const [i, node] of [leader, follower].entries()) {
    const client = await RespClient.open(node.port);
    const before = beside.map(({ count }) => count);
    // In order on its connection, whatever overtakes it elsewhere.
    const replies = client.pipeline([
      ["SET", "order", "before"],
      ["SET", `large:${i}`, values[i]],
      ["SET", "order", "behind", "GET"],
    ]);
    await until(() => beside.every(({ count }, at) => count > before[at] + 5), "small ones", LONG);
    expect(await replies).toEqual(["OK", "OK", "before"]);
    client.close();
  }
  const client = await RespClient.open(other.port);
  const transaction = await client.pipeline([
    ["MULTI"],
    ["SET", "large:2", values[1]],
    ["APPEND", "large:2", values[1]],
    ["EXEC"],
  ]);
  expect(transaction[3]).toEqual(["OK", 2 * values[1].length]);
  for (const { stop } of beside) await stop();
  expect(await client.command("GET", "large:0") === values[0]).toBe(true);
  expect(await client.command("GET", "large:1") === values[1]).toBe(true);
  expect(await client.command("GETRANGE", "large:2", "-256", "-1")).toBe(large(256, 2));
  client.close();
  await cluster.converged(LONG);
  await cluster.stop();
  expect(equalStates(cluster.nodes).rows).toBeGreaterThan(0);
}, LONG);

test("the leader dies amid a large value: it is there, or its client was told so", async () => {
  const cluster = await TestCluster.start();
  const leader = await cluster.leader();
  const [follower] = await cluster.followers();
  const value = large(8 * MEBIBYTE, 3);
  const client = await RespClient.open(follower.port);
  const before = Number((await follower.info())?.raft_applied);
  const reply = client.command("SET", "large", value);
  await until(
    async () => Number((await follower.info())?.raft_applied) > before + 4,
    "some of it in the log",
    LONG,
  );
  await leader.kill9();
  const answer = await reply;
  const found = await client.command("GET", "large");
  client.close();
  if (answer === "OK") expect(found === value).toBe(true);
  else {
    const { text } = answer as RespError;
    expect(text).toMatch(/^(CLUSTERDOWN|UNKNOWN) /);
    if (text.startsWith("CLUSTERDOWN")) expect(found).toBeNull();
  }
  leader.start();
  await cluster.converged(LONG);
  await cluster.stop();
  expect(equalStates(cluster.nodes).rows).toBeGreaterThan(0);
}, LONG);
