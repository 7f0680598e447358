import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { selfCommand } from "../../src/runtime/self_command.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { addResult, addTotals, failure, noTotals, type Totals } from "./report.ts";
import { simulate, type SimulationOptions, type SimulationResult } from "./simulation.ts";

export interface ManyOptions {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly ticks: number;
  readonly nodes: number | undefined;
  /** Processes at a time. */
  readonly jobs: number;
  /** Called after some seeds each. */
  readonly progress: (totals: Totals) => void;
}

export interface ManyResult {
  readonly totals: Totals;
  /** What went wrong, to print; undefined: nothing. */
  readonly failure: string | undefined;
}

/** Seeds that a process runs on behalf of another between two reports. */
const SEEDS_PER_REPORT = 5;

/** Runs one seed and keeps all of its trace. */
export async function traceSeed(
  options: Pick<SimulationOptions, "seed" | "ticks" | "nodes">,
): Promise<SimulationResult> {
  return await simulate({ ...options, real: await loadSqlite(), isTraced: true });
}

/** Runs seeds in this process, up to the first that fails. */
export async function runSeeds(options: ManyOptions): Promise<ManyResult> {
  const { firstSeed, seeds, ticks, nodes, progress } = options;
  const real = await loadSqlite();
  const totals = noTotals();
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const result = await simulate({ seed, ticks, nodes, real }).catch((error) => {
      throw new Error(`Seed ${seed}: the simulator itself fails`, { cause: error });
    });
    addResult(totals, result);
    if (result.violation !== undefined) {
      // Once more, with each message in the trace.
      const again = await simulate({ seed, ticks, nodes, real, isTraced: true });
      return { totals, failure: failure(again, ticks, nodes) };
    }
    progress(totals);
  }
  return { totals, failure: undefined };
}

/** One line of a child's report. */
type Report = { readonly totals: Totals } | { readonly failure: string };

/** Runs a share of the seeds as the child of `runMany`: reports go to stdout as lines of JSON. */
export async function runAsChild(options: Omit<ManyOptions, "progress" | "jobs">): Promise<number> {
  const end = options.firstSeed + options.seeds;
  // It ends with its parent.
  process.stdin.on("end", () => process.exit(1)).resume();
  try {
    for (let firstSeed = options.firstSeed; firstSeed < end; firstSeed += SEEDS_PER_REPORT) {
      const seeds = Math.min(SEEDS_PER_REPORT, end - firstSeed);
      const result = await runSeeds({ ...options, firstSeed, seeds, jobs: 1, progress: () => {} });
      console.log(JSON.stringify({ totals: result.totals }));
      await new Promise((turn) => setImmediate(turn));
      if (result.failure === undefined) continue;
      console.log(JSON.stringify({ failure: result.failure }));
      return 1;
    }
    return 0;
  } finally {
    process.stdin.destroy();
  }
}

/** Runs seeds in several processes, up to the first that fails. */
export async function runMany(options: ManyOptions): Promise<ManyResult> {
  const jobs = Math.min(options.jobs, options.seeds);
  if (jobs <= 1) return await runSeeds(options);
  const totals = noTotals();
  const share = Math.ceil(options.seeds / jobs);
  let failed: string | undefined;
  const children = Array.from({ length: jobs }, (_, i) => {
    const firstSeed = options.firstSeed + i * share;
    const seeds = Math.min(share, options.firstSeed + options.seeds - firstSeed);
    return seeds <= 0 ? undefined : startChild({ ...options, firstSeed, seeds }, (report) => {
      if ("failure" in report) {
        failed ??= report.failure;
        for (const child of children) child?.stop();
      } else {
        addTotals(totals, report.totals);
        options.progress(totals);
      }
    });
  });
  await Promise.all(children.map((child) => child?.ended));
  return { totals, failure: failed };
}

function startChild(
  { firstSeed, seeds, ticks, nodes }: ManyOptions,
  report: (report: Report) => void,
): { readonly ended: Promise<void>; stop(): void } {
  const { program, args } = selfCommand();
  const own = ["sim", "--child", "--seed", String(firstSeed), "--seeds", String(seeds)];
  own.push("--ticks", String(ticks));
  if (nodes !== undefined) own.push("--nodes", String(nodes));
  const child = spawn(program, [...args, ...own], { stdio: ["pipe", "pipe", "inherit"] });
  let isDone = false;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const read = JSON.parse(line) as Report;
    if ("failure" in read) isDone = true;
    report(read);
  });
  const ended = new Promise<void>((resolve) => {
    child.on("close", (code) => {
      if (code !== 0 && !isDone) {
        report({ failure: `seeds ${firstSeed} and on: the process ended with ${code}` });
      }
      resolve();
    });
  });
  return {
    ended,
    stop: () => {
      isDone = true;
      child.kill();
    },
  };
}
