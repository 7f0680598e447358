import { expect, test } from "bun:test";
import { RandomCluster } from "./random_cluster.ts";

const SEEDS = Number(process.env.SEEDS ?? 200);
const FIRST_SEED = Number(process.env.FIRST_SEED ?? 1);
const STEPS = Number(process.env.STEPS ?? 1500);
const TEST_TIMEOUT_MS = 600_000;

function run(seed: number, isTraced: boolean): RandomCluster {
  const cluster = new RandomCluster(seed, isTraced);
  try {
    for (let step = 0; step < STEPS; step++) cluster.step();
    cluster.settle();
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  }
  return cluster;
}

test("the safety properties of figure 3 hold through faults, and the cluster recovers", () => {
  const total = { commits: 0, leaders: 0, reads: 0, leases: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const { figures } = run(seed, false);
    total.commits += figures.commits;
    total.leaders += figures.leaders;
    total.reads += figures.reads;
    total.leases += figures.leases;
  }
  // The run means something only if much happened in it.
  expect(total.commits).toBeGreaterThan(SEEDS * 20);
  expect(total.leaders).toBeGreaterThan(SEEDS * 2);
  expect(total.reads).toBeGreaterThan(SEEDS * 5);
  expect(total.leases).toBeGreaterThan(SEEDS * 5);
  if (process.env.VERBOSE) console.log(total);
}, TEST_TIMEOUT_MS);

test("the same seed gives the same trace", () => {
  let lines = 0;
  for (const seed of [5, 6, 7, 8, 9]) {
    const [first, second] = [run(seed, true).trace, run(seed, true).trace];
    lines += first.length;
    expect(second.join("\n") === first.join("\n")).toBe(true);
  }
  expect(lines).toBeGreaterThan(1000);
}, TEST_TIMEOUT_MS);
