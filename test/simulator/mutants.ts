import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { patchesIn, ROOT, ScratchCopy } from "./scratch_copy.ts";

// Applies each patch of mutants/ to a scratch copy of the program and shows the seed that finds
// it; as many at a time as there are processors. First the same seeds run without a bug, as a seed
// that fails then would find each of them. Usage: bun run mutants [NAME…]. Exit code 1 when one
// lives, or does not apply.

const SEEDS_MAX = 200;
const TICKS = 8000;
/** A mutant that keeps the simulator from ending. */
const TIME_OUT_MS = 1_200_000;

interface Verdict {
  /** How many seeds it took; 0: it lives. */
  readonly seeds: number;
  readonly invariant: string;
}

interface Run {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

async function simulate(path: string, jobs: number): Promise<Run> {
  const args = ["--seed", "1", "--seeds", String(SEEDS_MAX), "--ticks", String(TICKS)];
  const child = spawn(process.execPath, ["cli/main.ts", "sim", "--jobs", String(jobs), ...args], {
    cwd: path,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIME_OUT_MS,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { stdout, stderr, status };
}

async function judge(patch: string, copy: ScratchCopy): Promise<Verdict> {
  const problem = copy.plant(patch);
  if (problem !== undefined) return { seeds: 0, invariant: `no patch: ${problem}` };
  const { stdout, stderr, status } = await simulate(copy.path, 1);
  const found = /^seed (\d+): (.*)$/m.exec(stdout);
  if (found !== null) return { seeds: Number(found[1]), invariant: found[2] };
  if (status === null) return { seeds: 1, invariant: "it does not end" };
  if (status === 0 || stdout.includes("no violation")) return { seeds: 0, invariant: "LIVES" };
  const why = stderr.split("\n").find((line) => line !== "") ?? "";
  return { seeds: 1, invariant: `it dies: ${why}` };
}

const wanted = process.argv.slice(2);
const left = patchesIn("test/simulator/mutants", wanted);
let living = 0;

/** Takes one patch after the other until there is none left. */
async function work(): Promise<void> {
  const copy = new ScratchCopy(["cli", "test/checker", "test/simulator"]);
  try {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [name, patch] = next;
      const { seeds, invariant } = await judge(patch, copy);
      if (seeds === 0) living++;
      console.log(`| ${name.replaceAll("_", " ")} | ${seeds || "-"} | ${invariant} |`);
    }
  } finally {
    copy.remove();
  }
}

if (left.length < wanted.length) throw new Error("There is no patch of such a name");
const sound = await simulate(ROOT, availableParallelism());
if (sound.status !== 0) throw new Error(`It fails without a bug:\n${sound.stdout.slice(-2000)}`);
console.log("| mutant | seeds | found by |\n| --- | --- | --- |");
await Promise.all(Array.from({ length: availableParallelism() }, work));
console.log(living === 0 ? "\nall are found" : `\n${living} live`);
process.exitCode = living === 0 ? 0 : 1;
