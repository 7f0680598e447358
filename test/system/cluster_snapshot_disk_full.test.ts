import { afterAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ClusterNode, orThrow, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, until } from "./harness.ts";
import { RespError } from "./resp_client.ts";
import { MIB, smallDisk, unmountAll } from "./small_disk.ts";

afterAll(() => {
  cleanupAll();
  unmountAll();
});

const VALUE = "x".repeat(8000);
const KEYS = 2500;

async function fill(node: ClusterNode): Promise<void> {
  const client = await node.client();
  for (let i = 0; i < KEYS; i += 50) {
    const commands = Array.from({ length: 50 }, (_, j) => ["SET", `fill:${i + j}`, VALUE + i]);
    (await client.pipeline(commands)).forEach(orThrow);
  }
}

test("a node without room for the snapshot joins once there is some", async () => {
  const disk = smallDisk();
  if (disk === undefined) return;
  const filler = join(disk, "filler");
  writeFileSync(filler, Buffer.alloc(44 * MIB));
  const env = { BALSA_TEST_LOG_BYTES: String(MIB) };
  const cluster = await TestCluster.start({ nodes: 1, env });
  const [founder] = cluster.nodes;
  await fill(founder);
  orThrow(await founder.command("RAFT.SNAPSHOT"));
  const node = await cluster.add([], join(disk, "data"));
  await until(() => /no room on the disk/.test(founder.output), "the refusal");
  rmSync(filler);
  await node.ready();
  await cluster.converged();
  expect(await node.command("DBSIZE")).toBe(KEYS);
  await cluster.kill();
}, 180_000);

test("RAFT.SNAPSHOT without room for it fails, and succeeds once there is some", async () => {
  const disk = smallDisk();
  if (disk === undefined) return;
  const cluster = await TestCluster.start({ nodes: 1, data: [join(disk, "data")] });
  const [node] = cluster.nodes;
  const filler = join(disk, "filler");
  for (let i = 0; i < 20; i++) await node.command("SET", `key:${i}`, "x".repeat(MIB / 2));
  writeFileSync(filler, Buffer.alloc(22 * MIB));
  const refusal = await node.command("RAFT.SNAPSHOT");
  expect(refusal).toBeInstanceOf(RespError);
  expect(String((refusal as RespError).text)).toContain("disk full");
  expect(await node.command("DBSIZE")).toBe(20);
  rmSync(filler);
  expect(await node.command("RAFT.SNAPSHOT")).toBeGreaterThan(20);
  await cluster.kill();
}, 180_000);
