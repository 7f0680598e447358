import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startRedis } from "../../system/harness.ts";
import { cacheDirectory } from "./source.ts";
import { runUnit, suiteName } from "./unit.ts";

/** What redis-server itself does with a unit here. */
export interface UnitBaseline {
  /** What passes, with the milliseconds that it takes. */
  readonly tests: Readonly<Record<string, number>>;
  /** What fails, or is left out for its slowness. */
  readonly skip: readonly string[];
}

/** --fast leaves out what takes longer than this on redis-server. */
const SLOW_MS = 250;
/** Leaving tests out may fail others: so often they are looked for. */
const PASSES = 4;

/** The baseline of a unit, measured at the first time and kept. */
export async function baselineOf(
  suite: string,
  unit: string,
  isFast: boolean,
): Promise<UnitBaseline> {
  const path = join(cacheDirectory(), isFast ? "baseline-fast.json" : "baseline.json");
  const kept: Record<string, UnitBaseline> = existsSync(path)
    ? JSON.parse(readFileSync(path, "utf8"))
    : {};
  if (kept[unit] !== undefined) return kept[unit];
  const measured = await measure(suite, unit, isFast);
  const now = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  writeFileSync(path, JSON.stringify({ ...now, [unit]: measured }, undefined, 1));
  return measured;
}

async function measure(suite: string, unit: string, isFast: boolean): Promise<UnitBaseline> {
  const skip = new Set<string>();
  for (let pass = 1;; pass++) {
    const redis = await startRedis(["--enable-debug-command", "yes"]);
    const outcome = await runUnit({
      suite,
      unit,
      port: redis.port,
      skip: [...skip],
      expectedMs: new Map(),
    });
    await redis.stop();
    const left = outcome.tests.filter((test) => !test.passed || (isFast && test.ms > SLOW_MS));
    const known = skip.size;
    for (const { name } of left) skip.add(suiteName(name));
    if (pass < PASSES && skip.size > known) continue;
    const passed = outcome.tests.filter((test) => test.passed && !skip.has(suiteName(test.name)));
    return {
      tests: Object.fromEntries(passed.map((test) => [test.name, test.ms])),
      skip: [...skip].sort(),
    };
  }
}
