import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { CheckClients } from "../../cli/check_clients.ts";
import { Endpoint } from "../../cli/check_endpoint.ts";
import {
  bunPath,
  cleanupAll,
  freePort,
  launch,
  type Launched,
  ROOT,
  scratchDirectory,
  until,
} from "../system/harness.ts";
import { Disks } from "./disks.ts";
import { runChaos } from "./chaos.ts";
import { KINDS } from "./faults.ts";

afterAll(cleanupAll);

const log = (text: string): void => console.log(`chaos: ${text}`);

test("nodes killed, paused and stopped under load: the history is linearizable", async () => {
  const faults = ["kill", "pause", "stop", "kill_two", "transfer"] as const;
  const isWhole = false;
  const nodes = 3;
  const result = await runChaos({
    nodes,
    durationMs: 9000,
    seed: 20260101,
    faults,
    runtimes: ["bun"],
    isWhole,
    log,
  });
  expect(result.counts.reads + result.counts.writes).toBeGreaterThan(50);
  expect(result.faults.size).toBeGreaterThan(0);
}, 300_000);

test("nodes cut off, without power and without room: the history is linearizable", async () => {
  const faults = [...KINDS["partitions"], ...KINDS["power losses"], "disk_full", "kill"] as const;
  const options = { nodes: 3, durationMs: 10_000, seed: 20260102, faults, isWhole: true, log };
  const result = await runChaos({ ...options, runtimes: ["bun", "deno"] });
  expect(result.counts.reads + result.counts.writes).toBeGreaterThan(50);
}, 300_000);

test("a fresh seed: the history is linearizable", async () => {
  const seed = Math.floor(Math.random() * 1_000_000);
  const faults = ["kill", "pause", "isolate", "isolate_in", "isolate_out", "transfer"] as const;
  const again = `bun run chaos --seed ${seed} --nodes 3 --runtimes bun --faults ${faults}`;
  log(`a fresh seed, ${seed}: ${again}`);
  const options = { nodes: 3, durationMs: 7000, seed, faults, isWhole: true, log };
  try {
    const result = await runChaos({ ...options, runtimes: ["bun"] });
    expect(result.counts.reads + result.counts.writes).toBeGreaterThan(20);
  } catch (error) {
    throw new Error(`Again, as far as the machine's timing goes: ${again}`, { cause: error });
  }
}, 300_000);

test("nodes on Bun, on Deno and of the compiled binary form one cluster", async () => {
  const binary = join(scratchDirectory(), "balsa");
  const words = ["build", "--compile", "--external", "better-sqlite3", `--outfile=${binary}`];
  const storage = readdirSync(join(ROOT, "src/storage")).filter((name) => /_worker.ts$/.test(name));
  const workers = ["cli/main.ts", ...storage.map((name) => `src/storage/${name}`)];
  const built = spawnSync(bunPath(), [...words, ...workers], { cwd: ROOT, encoding: "utf8" });
  if (built.status !== 0) throw new Error(built.stderr);
  process.env.BALSA_BINARY = binary;
  const options = { nodes: 3, durationMs: 5000, seed: 7, isWhole: false, log };
  const faults = ["kill", "stop"] as const;
  const result = await runChaos({ ...options, faults, runtimes: ["bun", "deno", "binary"] });
  expect([...result.runs.keys()].sort()).toEqual(["binary", "bun", "deno"]);
  expect(result.counts.reads + result.counts.writes).toBeGreaterThan(20);
}, 300_000);

test("partitions by proxies: the history is linearizable", async () => {
  const options = { nodes: 3, durationMs: 7000, seed: 20260103, isWhole: true, log };
  const faults = KINDS["partitions"];
  await runChaos({ ...options, faults, useProxies: true, runtimes: ["bun"] });
}, 300_000);

test("a power loss shows what kill -9 does not: redis-server without fsync", async () => {
  const disks = new Disks(log);
  const disk = disks.make();
  if (!disk.canLosePower) return disks.close();
  const port = await freePort();
  const words = ["redis-server", "--port", `${port}`, "--dir", disk.data, "--save", ""];
  words.push("--appendonly", "yes", "--appendfsync", "no");
  const start = async (): Promise<Launched> => {
    const redis = launch(words, disk.data, {});
    await redis.waitFor(/Ready to accept connections/);
    return redis;
  };
  let redis = await start();
  const endpoint = new Endpoint({ host: "127.0.0.1", port });
  const clients = new CheckClients({
    endpoints: () => [endpoint],
    clients: 4,
    depth: 1,
    seed: 3,
    prefix: "",
    lists: true,
    timeoutMs: 3000,
  });
  clients.start();
  const { recorder } = clients;
  await until(() => recorder.counts.writes > 300, "some writes");
  await redis.server.kill9();
  redis = await start();
  const before = recorder.counts.writes;
  await until(() => recorder.counts.writes > before + 300, "more writes");
  expect(recorder.check().kind).toBe("linearizable");
  disk.cutPower();
  await redis.server.kill9();
  disk.restorePower();
  redis = await start();
  await clients.stop();
  expect(await clients.readAll()).toBe(0);
  expect(recorder.check().kind).toBe("violation");
  await clients.close();
  await redis.server.kill9();
  disks.close();
}, 300_000);
