import { availableParallelism } from "node:os";
import process from "node:process";
import { type Flag, flagHelp, type FlagTable, parseCommandLine } from "./flags.ts";
import { UsageError } from "./usage_error.ts";
import * as kinds from "./value_kinds.ts";

const own = { notInEnvironment: true };
const SEED_MAX = 2 ** 31;

const SIM_FLAGS = {
  seed: {
    ...own,
    kind: kinds.integer("N", 0, SEED_MAX),
    defaultText: "by chance",
    help: "the first seed, or the only one",
  },
  seeds: {
    ...own,
    kind: kinds.integer("N", 1, 10_000_000),
    defaultText: "1 with --seed, else 20",
    help: "how many seeds, one after the other",
  },
  ticks: {
    ...own,
    kind: kinds.integer("N", 100, 100_000_000),
    default: 20_000,
    help: "virtual milliseconds of faults in each seed; then all heals",
  },
  nodes: {
    ...own,
    kind: kinds.integer("N", 3, 7),
    defaultText: "by the seed",
    help: "nodes that found the cluster: 3..7",
  },
  jobs: {
    ...own,
    kind: kinds.integer("N", 1, 256),
    default: availableParallelism(),
    defaultText: "one a core",
    help: "processes at a time",
  },
  trace: { ...own, kind: kinds.toggle(), default: false, help: "print all of what happens" },
  child: { ...own, kind: kinds.toggle(), default: false, help: "report to another sim, as JSON" },
} as const satisfies FlagTable & Record<string, Flag<unknown>>;

/** Time between two lines of progress. */
const PROGRESS_MS = 2000;

/** `balsa sim`. Returns the exit code: 1 when an invariant was violated. */
export async function sim(args: readonly string[]): Promise<number> {
  const { settings, positionals, help } = parseCommandLine(SIM_FLAGS, {
    args,
    environment: process.env,
  });
  if (help) {
    console.log(simHelp());
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`sim takes flags only: ${positionals[0]}`);
  const { ticks, nodes, jobs } = settings;
  const isOne = settings.seed !== undefined;
  const firstSeed = settings.seed ?? Math.floor(Math.random() * SEED_MAX / 2);
  const seeds = settings.seeds ?? (isOne ? 1 : 20);
  if (settings.trace) return await printTrace(firstSeed, ticks, nodes);
  const { runAsChild, runMany } = await import("../test/simulator/many.ts");
  if (settings.child) return await runAsChild({ firstSeed, seeds, ticks, nodes });
  const { summary } = await import("../test/simulator/report.ts");
  console.log(`seeds ${firstSeed}..${firstSeed + seeds - 1}, ${ticks} ticks each`);
  const startMs = performance.now();
  let printedMs = startMs;
  const result = await runMany({
    firstSeed,
    seeds,
    ticks,
    nodes,
    jobs,
    progress: (totals) => {
      if (performance.now() - printedMs < PROGRESS_MS) return;
      printedMs = performance.now();
      const seconds = Math.round((printedMs - startMs) / 1000);
      console.log(`${totals.seeds} of ${seeds} seeds, ${totals.ticks} ticks, ${seconds} s`);
    },
  });
  console.log(summary(result.totals));
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  if (result.failure !== undefined) {
    console.log(`\n${result.failure}`);
    console.log(`FAILED after ${seconds} s`);
    return 1;
  }
  console.log(`no violation, ${seconds} s`);
  return 0;
}

async function printTrace(seed: number, ticks: number, nodes: number | undefined) {
  const { traceSeed } = await import("../test/simulator/many.ts");
  const { trace, violation } = await traceSeed({ seed, ticks, nodes });
  console.log(trace.lines.join("\n"));
  console.log(`hash ${trace.hash.toString(16).padStart(8, "0")}`);
  if (violation === undefined) return 0;
  console.log(`${violation.invariant}: ${violation.detail}`);
  return 1;
}

/** The text of `balsa sim --help`. */
export function simHelp(): string {
  return [
    "Usage: balsa sim [--seed N] [--seeds N] [--ticks N] [--nodes 3..7]",
    "",
    "Runs clusters of this program in one process, in virtual time, on networks, disks and clocks",
    "that fail, and checks after every step that nothing is broken and nobody was told a lie.",
    "All of a run follows from its seed: the same seed does the same again.",
    "",
    "Exit code 0: no violation; 1: one, with its seed and the last part of its trace.",
    "",
    flagHelp(SIM_FLAGS),
  ].join("\n");
}
