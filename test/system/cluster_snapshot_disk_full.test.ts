import { afterAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { orThrow, TestCluster } from "./cluster.ts";
import { cleanupAll, until } from "./harness.ts";
import { RespError } from "./resp_client.ts";
import { MIB, smallDisk, unmountAll } from "./small_disk.ts";

afterAll(() => {
  cleanupAll();
  unmountAll();
});

const VALUE = "x".repeat(8000);
const KEYS = 2500;

async function fill(cluster: TestCluster): Promise<void> {
  const client = await cluster.client(0);
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
  const cluster = await TestCluster.found(1, { env: { BALSA_TEST_LOG_BYTES: String(MIB) } });
  await fill(cluster);
  await cluster.command(0, "RAFT.SNAPSHOT");
  const node = await cluster.prepare(join(disk, "data"));
  const started = cluster.start(node);
  await until(() => /no room on the disk/.test(cluster.server(0).output()), "the refusal");
  rmSync(filler);
  await started;
  await until(() => cluster.areEqual([0, node]), "both are equal");
  expect(await cluster.command(node, "DBSIZE")).toBe(KEYS);
  for (const each of [0, node]) await cluster.kill9(each);
}, 180_000);

test("RAFT.SNAPSHOT without room for it fails, and succeeds once there is some", async () => {
  const disk = smallDisk();
  if (disk === undefined) return;
  const cluster = new TestCluster();
  await cluster.prepare(join(disk, "data"));
  await cluster.start(0);
  const filler = join(disk, "filler");
  for (let i = 0; i < 20; i++) await cluster.command(0, "SET", `key:${i}`, "x".repeat(MIB / 2));
  writeFileSync(filler, Buffer.alloc(22 * MIB));
  const refusal = await cluster.command(0, "RAFT.SNAPSHOT");
  expect(refusal).toBeInstanceOf(RespError);
  expect(String((refusal as RespError).text)).toContain("disk full");
  expect(await cluster.command(0, "DBSIZE")).toBe(20);
  rmSync(filler);
  expect(await cluster.command(0, "RAFT.SNAPSHOT")).toBeGreaterThan(20);
  await cluster.kill9(0);
}, 180_000);
