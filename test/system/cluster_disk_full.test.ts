import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type ClusterNode, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, scratchDirectory, sleep, until } from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";

const DISK_MIB = 64;
const mounts = new Map<string, string>();

function unmountAll(): void {
  for (const mount of mounts.values()) spawnSync("umount", ["-l", mount]);
  mounts.clear();
}

process.on("exit", unmountAll);
afterAll(() => {
  unmountAll();
  cleanupAll();
});

/** A data directory on a small file system; undefined where mounting is forbidden. */
function smallDisk(): string | undefined {
  const path = scratchDirectory();
  const words = ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", path];
  if (spawnSync("mount", words).status !== 0) return undefined;
  const data = join(path, "data");
  mounts.set(data, path);
  return data;
}

const filler = (node: ClusterNode): string => join(mounts.get(node.data) ?? "", "filler");

function fill(node: ClusterNode): void {
  spawnSync("dd", ["if=/dev/zero", `of=${filler(node)}`, "bs=64k"]);
}

test("full disks in a cluster: another node leads, nothing acknowledged is lost", async () => {
  const data = [smallDisk(), smallDisk(), smallDisk()];
  if (data.some((path) => path === undefined)) {
    console.log("disk full: skipped, cannot mount a small file system here");
    return;
  }
  const cluster = await TestCluster.start({
    data: data as string[],
    args: ["--request-timeout", "2s"],
  });
  const { nodes } = cluster;
  const clients = await Promise.all(nodes.map(({ port }) => RespClient.open(port)));
  const acknowledged = new Set<string>();
  /** What a large write at each node comes to. */
  const write = async (name: string): Promise<boolean[]> => {
    const done: boolean[] = [];
    for (const [i, client] of clients.entries()) {
      const key = `${name}:${i}`;
      const reply = await client.command("SET", key, key.padEnd(100_000, "x"));
      if (reply === "OK") acknowledged.add(key);
      else {expect(reply instanceof RespError && reply.text).toMatch(
          /^(MISCONF|UNKNOWN|CLUSTERDOWN)/,
        );}
      done.push(reply === "OK");
    }
    return done;
  };
  expect(await write("before")).toEqual([true, true, true]);

  const leader = await cluster.leader();
  fill(leader);
  await until(async () => {
    const now = await cluster.findLeader();
    return now !== undefined && now !== leader;
  }, "another node to lead");
  const others = (await write("without")).filter((_, i) => nodes[i] !== leader);
  expect(others).toEqual([true, true]);

  // A node without room says so to its first write: it could not tell what became of it.
  const [without] = nodes.filter((node) => node !== leader);
  fill(without);
  await sleep(150);
  const refused = await clients[nodes.indexOf(without)].command("SET", "at a full node", "1");
  expect(refused instanceof RespError && refused.text).toMatch(/^MISCONF/);

  for (const node of nodes) if (node !== leader) fill(node);
  for (let i = 0; i < 20; i++) await write(`full:${i}`);
  for (const node of nodes) rmSync(filler(node), { force: true });
  await until(async () => (await write("after")).every(Boolean), "writes once there is room");
  await cluster.converged();
  for (const client of clients) {
    for (const key of acknowledged) {
      const value = await client.command("GET", key);
      const found = value instanceof RespError ? value.text : String(value).slice(0, key.length);
      if (found !== key) throw new Error(`${key}: ${found}\n${cluster.output}`);
    }
    client.close();
  }
  expect(cluster.output).toMatch(/disk full: (log\.db|state\.db) cannot be written/);
  await cluster.stop();
}, 90_000);
