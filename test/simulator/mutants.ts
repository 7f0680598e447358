import { spawnSync } from "node:child_process";
import process from "node:process";
import { patchesIn, ScratchCopy } from "./scratch_copy.ts";

// Applies each patch of mutants/ to a scratch copy of the program and shows the seed that finds
// it. Usage: bun run mutants [NAME…]. Exit code 1 when one lives, or does not apply.

const SEEDS_MAX = 200;
const TICKS = 8000;

interface Verdict {
  readonly name: string;
  /** How many seeds it took; 0: it lives. */
  readonly seeds: number;
  readonly invariant: string;
}

function judge(name: string, patch: string, copy: ScratchCopy): Verdict {
  const problem = copy.plant(patch);
  if (problem !== undefined) return { name, seeds: 0, invariant: `no patch: ${problem}` };
  const args = ["--seed", "1", "--seeds", String(SEEDS_MAX), "--ticks", String(TICKS)];
  const run = spawnSync(process.execPath, ["cli/main.ts", "sim", "--jobs", "1", ...args], {
    cwd: copy.path,
    encoding: "utf8",
    timeout: 1_200_000,
    maxBuffer: 1 << 28,
  });
  const found = /^seed (\d+): (.*)$/m.exec(run.stdout);
  if (found !== null) return { name, seeds: Number(found[1]), invariant: found[2] };
  if (run.signal !== null) return { name, seeds: 1, invariant: "it does not end" };
  const isDead = run.status !== 0 && !run.stdout.includes("no violation");
  const seconds = isDead ? run.stderr.split("\n").find((line) => line !== "") ?? "" : "";
  return { name, seeds: isDead ? 1 : 0, invariant: isDead ? `it dies: ${seconds}` : "LIVES" };
}

const copy = new ScratchCopy(["cli", "test/checker", "test/simulator"]);
let living = 0;
try {
  console.log("| mutant | seeds | found by |\n| --- | --- | --- |");
  for (const [name, patch] of patchesIn("test/simulator/mutants", process.argv.slice(2))) {
    const { seeds, invariant } = judge(name, patch, copy);
    if (seeds === 0) living++;
    console.log(`| ${name.replaceAll("_", " ")} | ${seeds || "-"} | ${invariant} |`);
  }
} finally {
  copy.remove();
}
console.log(living === 0 ? "\nall are found" : `\n${living} live`);
process.exitCode = living === 0 ? 0 : 1;
