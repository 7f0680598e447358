import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

// Applies each patch of mutants/ to a scratch copy of the program and shows the seed that finds
// it. Usage: bun run mutants [NAME…]. Exit code 1 when one lives, or does not apply.

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);
const PATCHES = join(ROOT, "test/simulator/mutants");
const SEEDS_MAX = 200;
const TICKS = 8000;

interface Verdict {
  readonly name: string;
  /** How many seeds it took; 0: it lives. */
  readonly seeds: number;
  readonly invariant: string;
}

function judge(name: string, copy: string): Verdict {
  rmSync(join(copy, "src"), { recursive: true, force: true });
  cpSync(join(ROOT, "src"), join(copy, "src"), { recursive: true });
  const patch = join(PATCHES, `${name}.patch`);
  const applied = spawnSync("git", ["apply", patch], { cwd: copy, encoding: "utf8" });
  if (applied.status !== 0) return { name, seeds: 0, invariant: `no patch: ${applied.stderr}` };
  const args = ["--seed", "1", "--seeds", String(SEEDS_MAX), "--ticks", String(TICKS)];
  const run = spawnSync(process.execPath, ["cli/main.ts", "sim", "--jobs", "1", ...args], {
    cwd: copy,
    encoding: "utf8",
    timeout: 300_000,
    maxBuffer: 1 << 28,
  });
  const found = /^seed (\d+): (.*)$/m.exec(run.stdout);
  if (found !== null) return { name, seeds: Number(found[1]), invariant: found[2] };
  if (run.signal !== null) return { name, seeds: 1, invariant: "it does not end" };
  const isDead = run.status !== 0 && !run.stdout.includes("no violation");
  const seconds = isDead ? run.stderr.split("\n").find((line) => line !== "") ?? "" : "";
  return { name, seeds: isDead ? 1 : 0, invariant: isDead ? `it dies: ${seconds}` : "LIVES" };
}

const names = readdirSync(PATCHES).filter((file) => file.endsWith(".patch"))
  .map((file) => file.replace(".patch", "")).sort();
const wanted = process.argv.slice(2);
const copy = mkdtempSync(join(tmpdir(), "balsa-mutants-"));
let living = 0;
try {
  mkdirSync(join(copy, "test"));
  for (const folder of ["cli", "test/checker", "test/simulator"]) {
    cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
  }
  cpSync(join(ROOT, "package.json"), join(copy, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  // A repository of its own, so that patches apply to the copy and to nothing else.
  spawnSync("git", ["init", "--quiet"], { cwd: copy });
  console.log("| mutant | seeds | found by |\n| --- | --- | --- |");
  for (const name of names) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const { seeds, invariant } = judge(name, copy);
    if (seeds === 0) living++;
    console.log(`| ${name.replaceAll("_", " ")} | ${seeds || "-"} | ${invariant} |`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(living === 0 ? "\nall are found" : `\n${living} live`);
process.exitCode = living === 0 ? 0 : 1;
