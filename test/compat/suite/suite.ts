import { parseArgs } from "node:util";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { baselineOf, type UnitBaseline } from "./baseline.ts";
import { knownReason } from "./known_failures.ts";
import { startTarget, type Target, TARGETS } from "./servers.ts";
import { suiteDirectory } from "./source.ts";
import { runUnit } from "./unit.ts";
import { hasProgram } from "../../system/harness.ts";

/** The units that can run against a server which they have not started. */
const UNITS = [
  ...["string", "incr", "hash", "list", "list-2", "list-3", "set", "zset", "stream"].map((name) =>
    `type/${name}`
  ),
  ...["type/stream-cgroups", "keyspace", "expire", "scan", "sort", "multi", "pubsub"],
  ...["pubsubshard", "bitops", "bitfield", "hyperloglog", "geo", "scripting", "functions"],
  ...["dump", "auth", "acl", "acl-v2", "info", "info-command", "introspection"],
  ...["introspection-2", "protocol", "quit", "other", "slowlog", "limits", "latency-monitor"],
  ...["lazyfree", "maxmemory", "obuf-limits", "pause", "querybuf", "replybufsize", "tracking"],
  ...["client-eviction", "violations"],
].map((name) => `unit/${name}`);
/** Not in the figure: what they test is not offered, or another server's inside. */
const BESIDE = new Set(["unit/scripting", "unit/functions"]);

export interface SuiteOptions {
  readonly suite: string;
  readonly units: readonly string[];
  readonly targets: readonly Target[];
  readonly isFast: boolean;
}

/** A test of the baseline that did not pass. */
interface Failure {
  readonly unit: string;
  readonly test: string;
  readonly target: Target;
  readonly detail: string;
  /** From the kept list; undefined: it was to pass. */
  readonly reason: string | undefined;
}

interface Sums {
  tests: number;
  readonly passed: Record<Target, number>;
}

/**
 * Runs the units on redis-server (once, then kept), on a node and on a cluster's follower, prints a
 * table and each failure. Resolves to the number of failures that the kept list does not explain.
 */
export async function runSuite(options: SuiteOptions): Promise<number> {
  const { suite, units, targets, isFast } = options;
  const failures: Failure[] = [];
  const all: Sums = { tests: 0, passed: { node: 0, follower: 0 } };
  const counted: Sums = { tests: 0, passed: { node: 0, follower: 0 } };
  printRow(["file", "redis", ...targets]);
  for (const unit of units) {
    const baseline = await baselineOf(suite, unit, isFast);
    const tests = Object.keys(baseline.tests).length;
    const cells = [unit.replace("unit/", ""), String(tests)];
    const sums = BESIDE.has(unit) ? [all] : [all, counted];
    for (const sum of sums) sum.tests += tests;
    for (const target of targets) {
      const found = await runOn(target, suite, unit, baseline);
      failures.push(...found);
      for (const sum of sums) sum.passed[target] += tests - found.length;
      cells.push(String(tests - found.length));
    }
    printRow(cells);
  }
  printSum("all", all, targets);
  printSum("without scripting and functions", counted, targets);
  return printFailures(failures, targets);
}

async function runOn(
  target: Target,
  suite: string,
  unit: string,
  baseline: UnitBaseline,
): Promise<Failure[]> {
  if (Object.keys(baseline.tests).length === 0) return [];
  const server = await startTarget(target);
  const expectedMs = new Map(Object.entries(baseline.tests));
  const outcome = await runUnit({
    suite,
    unit,
    port: server.port,
    skip: baseline.skip,
    expectedMs,
  });
  await server.stop();
  const seen = new Map(outcome.tests.map((test) => [test.name, test]));
  return Object.keys(baseline.tests).flatMap((test) => {
    const found = seen.get(test);
    if (found?.passed) return [];
    const detail = found?.detail ?? `not reached ${outcome.end}`;
    return [{ unit, test, target, detail, reason: knownReason(unit, test, target) }];
  });
}

function printRow([name, ...cells]: readonly string[]): void {
  console.log(name.padEnd(34) + cells.map((cell) => cell.padStart(10)).join(""));
}

function printSum(name: string, { tests, passed }: Sums, targets: readonly Target[]): void {
  const percent = (count: number) => `${(100 * count / Math.max(1, tests)).toFixed(1)} %`;
  printRow([name, String(tests), ...targets.map((target) => String(passed[target]))]);
  printRow(["", "", ...targets.map((target) => percent(passed[target]))]);
}

/** Each failure once, by its reason; returns how many have none. */
function printFailures(failures: readonly Failure[], targets: readonly Target[]): number {
  const where = new Map<string, Target[]>();
  const nameOf = ({ unit, test }: Failure) => `${unit.replace("unit/", "")}: ${test}`;
  for (const failure of failures) {
    where.set(nameOf(failure), [...where.get(nameOf(failure)) ?? [], failure.target]);
  }
  const byReason = new Map<string, Set<string>>();
  const told = new Set<string>();
  for (const failure of failures) {
    const name = nameOf(failure);
    if (told.has(name)) continue;
    told.add(name);
    const on = where.get(name) ?? [];
    const isOnAll = on.length === targets.length;
    let line = isOnAll ? name : `${name} (${on.join()})`;
    if (failure.reason === undefined) line += `\n      ${shorten(failure.detail)}`;
    const heading = failure.reason === undefined
      ? "NOT ON THE LIST of known failures:"
      : `fails since ${failure.reason}:`;
    byReason.set(heading, (byReason.get(heading) ?? new Set()).add(line));
  }
  for (const [heading, lines] of byReason) {
    console.log(`\n${heading} (${lines.size})`);
    for (const line of lines) console.log(`  ${line}`);
  }
  return failures.filter((failure) => failure.reason === undefined).length;
}

/** The telling line of a failure. */
function shorten(detail: string): string {
  const lines = detail.split("\n").filter((line) => line.trim() !== "");
  const isPlace = lines.length > 1 && / in tests\//.test(lines[0]);
  return (lines[isPlace ? 1 : 0] ?? "").slice(0, 300);
}

function parseUnits(text: string, suite: string): string[] {
  return text.split(",").map((name) => {
    const bare = name.replace(/^unit\//, "");
    const unit = UNITS.find((known) => known === `unit/${bare}` || known === `unit/type/${bare}`) ??
      `unit/${bare}`;
    if (!existsSync(join(suite, `tests/${unit}.tcl`))) {
      throw new Error(`Cannot run ${name}: the suite has no tests/${unit}.tcl`);
    }
    return unit;
  });
}

/** `bun run compat suite`: resolves to the exit code. */
export async function suiteMain(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: "string" },
      files: { type: "string" },
      on: { type: "string", default: TARGETS.join() },
      fast: { type: "boolean", default: false },
    },
  });
  for (const program of ["tclsh", "redis-server"]) {
    if (!hasProgram(program)) {
      throw new Error(`Cannot run Redis's tests: no ${program} on the PATH`);
    }
  }
  const suite = suiteDirectory(values.suite);
  const units = values.files === undefined ? UNITS : parseUnits(values.files, suite);
  const targets = TARGETS.filter((target) => values.on.split(",").includes(target));
  const unexplained = await runSuite({ suite, units, targets, isFast: values.fast });
  return unexplained === 0 ? 0 : 1;
}
