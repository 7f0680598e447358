import type { SimulationResult } from "./simulation.ts";

/** What many seeds have done together. */
export interface Totals {
  seeds: number;
  ticks: number;
  readonly counts: Record<string, number>;
  readonly coverage: Record<string, number>;
}

export function noTotals(): Totals {
  return { seeds: 0, ticks: 0, counts: {}, coverage: {} };
}

export function addResult(totals: Totals, result: SimulationResult): void {
  totals.seeds++;
  totals.ticks += result.ticks;
  add(totals.counts, Object.entries(result.counts));
  add(totals.coverage, result.coverage);
}

export function addTotals(totals: Totals, more: Totals): void {
  totals.seeds += more.seeds;
  totals.ticks += more.ticks;
  add(totals.counts, Object.entries(more.counts));
  add(totals.coverage, Object.entries(more.coverage));
}

/** The summary in lines: seeds, ticks, what happened, and how often each fault came. */
export function summary({ seeds, ticks, counts, coverage }: Totals): string {
  const of = (name: string) => (counts[name] ?? 0).toLocaleString("en");
  const times = (...names: string[]) =>
    names.reduce((sum, name) => sum + (coverage[name] ?? 0), 0).toLocaleString("en");
  const kinds = Object.entries(coverage).sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count.toLocaleString("en")}`);
  return [
    `seeds ${seeds.toLocaleString("en")}, ticks ${ticks.toLocaleString("en")}`,
    `elections ${of("elections")}, crashes ${
      times("kill", "power loss", "power loss of all", "crash amid a write", "I/O error")
    }, partitions ${times("partition", "one-way partition", "isolation")}, ` +
    `membership entries ${of("changes")}`,
    `operations ${of("operations")}: writes acknowledged ${of("acknowledged")}, ` +
    `reads checked ${of("reads")}, stale reads ${of("stale")}, ` +
    `unknown ${of("unknown")}, refused ${of("refused")}`,
    `entries committed ${of("commits")}, purges ${of("purges")}, ` +
    `snapshots installed ${of("snapshots")}, frames ${of("frames")}`,
    "coverage:",
    ...wrapped(kinds, 98),
  ].join("\n");
}

/** What is printed of a violation: how to see it again, what it is, and what came before. */
export function failure(result: SimulationResult, ticks: number, nodes: number | undefined) {
  const { seed, violation, trace } = result;
  const only = nodes === undefined ? "" : ` --nodes ${nodes}`;
  return [
    ...trace.tail(80).map((line) => line.slice(0, 300)),
    "",
    `seed ${seed}: ${violation?.invariant}`,
    `  ${violation?.detail}`,
    `again: balsa sim --seed ${seed} --ticks ${ticks}${only}`,
  ].join("\n");
}

function add(sums: Record<string, number>, more: Iterable<readonly [string, number]>): void {
  for (const [name, count] of more) sums[name] = (sums[name] ?? 0) + count;
}

function wrapped(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.length - 1;
    if (last < 0 || lines[last].length + word.length + 2 > width) lines.push(`  ${word}`);
    else lines[last] += `, ${word}`;
  }
  return lines;
}
