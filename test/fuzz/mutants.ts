import { spawnSync } from "node:child_process";
import process from "node:process";
import { patchesIn, ScratchCopy } from "../simulator/scratch_copy.ts";

// Plants each bug of mutants/ in what reads bytes of others, and shows the property that fails.
// Usage: bun run fuzz-mutants [NAME…]. Exit code 1 when one lives, or does not apply.

const FILES = ["wire", "storage", "http"].map((name) => `test/fuzz/${name}.test.ts`);

const copy = new ScratchCopy(["cli", "test"]);
let living = 0;
try {
  console.log("| mutant | found by |\n| --- | --- |");
  for (const [name, patch] of patchesIn("test/fuzz/mutants", process.argv.slice(2))) {
    const problem = copy.plant(patch);
    let found = problem === undefined ? "LIVES" : `no patch: ${problem}`;
    if (problem === undefined) {
      const run = spawnSync(process.execPath, ["test", "--timeout", "60000", ...FILES], {
        cwd: copy.path,
        encoding: "utf8",
        timeout: 300_000,
        maxBuffer: 1 << 28,
      });
      const failed = /^\(fail\) (.*?)(?: \[.*\])?$/m.exec(run.stdout + run.stderr);
      if (failed !== null) found = failed[1];
      else if (run.signal !== null) found = "it does not end";
    }
    if (found === "LIVES" || problem !== undefined) living++;
    console.log(`| ${name.replaceAll("_", " ")} | ${found} |`);
  }
} finally {
  copy.remove();
}
console.log(living === 0 ? "\nall are found" : `\n${living} live`);
process.exitCode = living === 0 ? 0 : 1;
