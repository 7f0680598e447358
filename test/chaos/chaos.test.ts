import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { bunPath, cleanupAll, ROOT, scratchDirectory } from "../system/harness.ts";
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
  expect(result.counts.reads + result.counts.writes).toBeGreaterThan(500);
  expect(result.faults.size).toBeGreaterThan(2);
}, 90_000);

test("nodes cut off, without power and without room: the history is linearizable", async () => {
  const faults = [...KINDS["partitions"], ...KINDS["power losses"], "disk_full", "kill"] as const;
  const options = { nodes: 3, durationMs: 10_000, seed: 20260102, faults, isWhole: true, log };
  const result = await runChaos({ ...options, runtimes: ["bun", "deno"] });
  expect(result.counts.reads + result.counts.writes).toBeGreaterThan(500);
}, 90_000);

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
  expect(result.counts.reads + result.counts.writes).toBeGreaterThan(100);
}, 90_000);
