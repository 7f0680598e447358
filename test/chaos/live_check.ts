import { spawn } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { Prng } from "../../src/base/prng.ts";
import { balsaCommand, cleanupAll, ROOT, sleep } from "../system/harness.ts";
import { type FaultName, FAULTS } from "./faults.ts";
import { World } from "./world.ts";

// `balsa check` beside faults: three nodes, one of which is killed or stopped every few seconds.
// Usage: bun test/chaos/live_check.ts [--seconds N] [--clients N] [--seed N] [--every SECONDS]
// Exit code 1 when what was seen is not linearizable.

const FAULTS_IN_TURN: readonly FaultName[] = ["kill", "pause"];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      clients: { type: "string", default: "64" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      every: { type: "string", default: "8" },
    },
  });
  const random = new Prng(Number(values.seed));
  const options = { nodes: 3, random, isWhole: false, runtimes: ["bun"] as const };
  const world = await World.start({ ...options, log: () => {} });
  try {
    const addresses = world.machines.map(({ node }) => `${node.host}:${node.port}`).join();
    const [program, ...words] = balsaCommand("bun")!;
    const args = ["check", "--addr", addresses, "--seconds", values.seconds];
    args.push("--clients", values.clients, "--seed", values.seed);
    const check = spawn(program, [...words, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "ignore"],
    });
    let code: number | undefined;
    check.on("close", (status) => code = status ?? 1);
    const times = new Map<FaultName, number>();
    const endMs = performance.now() + Number(values.seconds) * 1000;
    for (let i = 0; code === undefined; i++) {
      const isOver = performance.now() + Number(values.every) * 1000 > endMs;
      await sleep(isOver ? 100 : Number(values.every) * 1000);
      if (isOver) continue;
      const name = FAULTS_IN_TURN[i % FAULTS_IN_TURN.length];
      await FAULTS[name].run(world);
      times.set(name, (times.get(name) ?? 0) + 1);
    }
    console.log(`meanwhile         ${[...times].map(([name, n]) => `${n} ${name}`).join(", ")}`);
    return code;
  } finally {
    await world.close();
    cleanupAll();
  }
}

process.exit(await main());
