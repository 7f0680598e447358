import { afterAll, expect, test } from "bun:test";
import { CheckClients } from "../../cli/check_clients.ts";
import { Endpoint } from "../../cli/check_endpoint.ts";
import { type ClusterNode, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, until } from "./harness.ts";
import { explain } from "../checker/check.ts";
import { RespClient } from "./resp_client.ts";

const LONG = 90_000;

afterAll(cleanupAll);

const idOf = async (node: ClusterNode): Promise<string> => (await node.info())?.raft_node_id ?? "";

/** Waits until a leader counts so many voters and nothing is under way. */
async function votersBecome(cluster: TestCluster, count: number): Promise<void> {
  let seen = "";
  await until(async () => {
    const info = await (await cluster.findLeader())?.info();
    seen = `${info?.raft_voters} voters, ${info?.raft_learners} learners`;
    return info?.raft_voters === String(count) && info.raft_learners === "0";
  }, `${count} voters (${seen})`);
}

/** RAFT.NODE REMOVE at a node that stays. */
async function remove(at: ClusterNode, gone: ClusterNode, id: string): Promise<void> {
  const client = await RespClient.open(at.port);
  expect(await client.command("RAFT.NODE", "REMOVE", id)).toBe("OK");
  client.close();
  await gone.stop();
}

test(
  "3 -> 5 -> 3 nodes under load, the leader removed too: the history is linearizable",
  async () => {
    const cluster = await TestCluster.start();
    const [first] = cluster.nodes;
    const endpoints = [new Endpoint({ host: first.host, port: first.port })];
    const clients = new CheckClients({
      endpoints: () => endpoints,
      clients: 3,
      depth: 2,
      seed: 11,
      prefix: "",
      lists: false,
      timeoutMs: 15_000,
    });
    clients.start();
    await cluster.add();
    await cluster.add();
    await votersBecome(cluster, 5);

    const leader = await cluster.leader();
    const second = cluster.nodes.find((node) => node !== leader && node !== first)!;
    const gone = leader === first ? [cluster.nodes[1], second] : [leader, second];
    for (const node of new Set(gone)) {
      await remove(first, node, await idOf(node));
    }
    while (cluster.nodes.filter(({ isRunning }) => isRunning).length > 3) {
      const node = cluster.nodes.find((each) => each.isRunning && each !== first)!;
      await remove(first, node, await idOf(node));
    }
    await votersBecome(cluster, 3);
    await clients.stop();
    expect(await clients.readAll()).toBe(0);
    await clients.close();
    const { recorder, complaints } = clients;
    expect(complaints).toEqual([]);
    expect(explain(recorder.check())).toBeUndefined();
    expect(recorder.counts.writes).toBeGreaterThan(20);
    await cluster.converged();
    await cluster.stop();
  },
  LONG,
);

test("the leader removes itself, and is told so", async () => {
  const cluster = await TestCluster.start();
  const leader = await cluster.leader();
  const client = await RespClient.open(leader.port);
  expect(await client.command("RAFT.NODE", "REMOVE", await idOf(leader))).toBe("OK");
  await until(() => leader.output.includes("removed from its cluster"), "its log line");
  const rest = cluster.nodes.filter((node) => node !== leader);
  await until(async () => {
    const infos = await Promise.all(rest.map((node) => node.info()));
    return infos.some((info) => info?.raft_role === "leader" && info.raft_voters === "2");
  }, "another leader");
  const other = await RespClient.open(rest[0].port);
  expect(await other.command("SET", "key", "value")).toBe("OK");
  await cluster.stop();
}, LONG);

test("two lost nodes of five are replaced", async () => {
  const cluster = await TestCluster.start({ nodes: 5 });
  const leader = await cluster.leader();
  const client = await RespClient.open(leader.port);
  expect(await client.command("SET", "key", "value")).toBe("OK");
  const lost = cluster.nodes.filter((node) => node !== leader).slice(0, 2);
  const ids = await Promise.all(lost.map(idOf));
  await Promise.all(lost.map((node) => node.kill9()));
  const fresh = [await cluster.add(), await cluster.add()];
  await votersBecome(cluster, 7);
  for (const id of ids) expect(await client.command("RAFT.NODE", "REMOVE", id)).toBe("OK");
  await votersBecome(cluster, 5);
  for (const node of fresh) {
    const reader = await RespClient.open(node.port);
    expect(await reader.command("GET", "key")).toBe("value");
    reader.close();
  }
  await cluster.converged();
  await cluster.stop();
}, LONG);

test("a wiped node joins as a new one", async () => {
  const cluster = await TestCluster.start();
  const [wiped] = await cluster.followers();
  const id = await idOf(wiped);
  const [other] = (await cluster.followers()).filter((node) => node !== wiped);
  const client = await RespClient.open(other.port);
  expect(await client.command("SET", "key", "value")).toBe("OK");
  await wiped.wipe();
  wiped.start();
  await until(async () => {
    const info = await wiped.info();
    return info !== undefined && info.raft_node_id !== id && Number(info.raft_applied) > 0;
  }, "a new identity");
  // Its old identity gives up its vote: nothing can answer for it any more.
  await until(async () => {
    const info = await (await cluster.findLeader())?.info();
    return info !== undefined && info[`raft_peer_${id}`] === undefined;
  }, "the old identity to be removed");
  await votersBecome(cluster, 3);
  await cluster.converged();
  await cluster.stop();
}, LONG);
