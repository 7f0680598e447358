import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { formatTable } from "../../cli/format_table.ts";
import { balsaCommand, cleanupAll, ROOT, type Runtime } from "../system/harness.ts";
import { type ChaosResult, type FaultRow, runChaos } from "./chaos.ts";
import { type FaultName, FAULTS, KINDS } from "./faults.ts";

const HELP = `bun run chaos [FLAGS]

Clusters of three and five nodes, processes of their own, under load while nodes are killed, paused,
cut off, lose power, run out of disk and are replaced. What clients see must be linearizable.

  --minutes N        how long (1)
  --seed N           of the first round; the next has the next (by the clock)
  --nodes N[,N…]     sizes of the clusters, in turn (3,5)
  --faults NAME,…    only these: ${Object.keys(FAULTS).join(", ")}
  --runtimes NAME,…  what nodes run on: bun, deno, node, binary (those that are here)
  --proxies          partitions by proxies, also where there could be network namespaces
  --round SECONDS    how long one cluster lives (45)`;

/** All rounds together. */
class Totals {
  readonly faults = new Map<string, FaultRow>();
  readonly runs = new Map<string, number>();
  operations = 0;
  unknown = 0;
  keys = 0;
  rounds = 0;

  add({ faults, counts, keys, runs }: ChaosResult): void {
    for (const [name, { times, longestPauseMs }] of faults) {
      const row = this.faults.get(name) ?? { times: 0, longestPauseMs: 0 };
      row.times += times;
      row.longestPauseMs = Math.max(row.longestPauseMs, longestPauseMs);
      this.faults.set(name, row);
    }
    for (const [runtime, times] of runs) {
      this.runs.set(runtime, (this.runs.get(runtime) ?? 0) + times);
    }
    this.operations += counts.reads + counts.writes;
    this.unknown += counts.unknown;
    this.keys += keys;
    this.rounds++;
  }

  get summary(): string {
    const rows = [...this.faults].map(([name, { times, longestPauseMs }]) => [
      name,
      String(times),
      String(longestPauseMs),
    ]);
    const kinds = Object.entries(KINDS).map(([kind, names]) => {
      const times = names.map((name) => this.faults.get(name)?.times ?? 0);
      return `${times.reduce((sum, each) => sum + each, 0)} ${kind}`;
    });
    const runs = [...this.runs].map(([runtime, times]) => `${times} ${runtime}`);
    return [
      formatTable([["fault", "times", "longest wait for a write, ms"], ...rows]),
      "",
      `${kinds.join(", ")}`,
      `${this.rounds} clusters; starts of nodes: ${runs.join(", ")}`,
      `${this.operations} operations on ${this.keys} keys, ${this.unknown} outcomes unknown: ` +
      "linearizable; nodes equal at the end of each cluster",
    ].join("\n");
  }
}

/** Those that are here; the executable is made first. */
function runtimesOf(names: string | undefined): Runtime[] {
  const wanted = (names?.split(",") ?? ["bun", "deno", "node", "binary"]) as Runtime[];
  if (wanted.includes("binary") && balsaCommand("binary") === undefined) {
    spawnSync("./compile.sh", ["--with", "bun"], { cwd: ROOT });
  }
  const here = wanted.filter((name) => balsaCommand(name) !== undefined);
  for (const name of wanted) if (!here.includes(name)) console.log(`skipped: no ${name} here`);
  return here;
}

function numberOf(flag: string, text: string, min: number): number {
  const number = Number(text);
  if (text !== "" && number >= min && number < Infinity) return number;
  throw new Error(`--${flag} takes a number from ${min} on, not "${text}"\n\n${HELP}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h" },
      minutes: { type: "string", default: "1" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      nodes: { type: "string", default: "3,5" },
      faults: { type: "string" },
      runtimes: { type: "string" },
      proxies: { type: "boolean", default: false },
      round: { type: "string", default: "45" },
    },
  });
  if (values.help) return console.log(HELP);
  const faults = (values.faults?.split(",") ?? Object.keys(FAULTS)) as FaultName[];
  const unknown = faults.find((name) => !(name in FAULTS));
  if (unknown !== undefined) throw new Error(`no fault ${unknown}\n\n${HELP}`);
  const sizes = values.nodes.split(",").map((text) => numberOf("nodes", text, 3));
  const minutes = numberOf("minutes", values.minutes, 0.1);
  const firstSeed = numberOf("seed", values.seed, 0);
  const roundMs = numberOf("round", values.round, 5) * 1000;
  const runtimes = runtimesOf(values.runtimes);
  if (runtimes.length === 0) throw new Error("none of these runtimes is here");
  const startMs = performance.now();
  const endMs = startMs + minutes * 60_000;
  const totals = new Totals();
  for (let i = 0; i === 0 || performance.now() < endMs - 5000; i++) {
    const seed = firstSeed + i;
    const nodes = sizes[i % sizes.length];
    const log = (text: string): void => {
      const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
      console.log(`${seconds.padStart(5)} s  seed ${seed}, ${nodes} nodes: ${text}`);
    };
    const durationMs = Math.min(roundMs, endMs - performance.now());
    totals.add(
      await runChaos({
        nodes,
        durationMs,
        seed,
        faults,
        runtimes,
        isWhole: true,
        useProxies: values.proxies,
        log,
      }),
    );
  }
  console.log(`\n${totals.summary}`);
  if (totals.faults.size === 0) throw new Error("no fault was done in this time");
}

// Networks and disks are taken down at the exit.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(1));
let code = 0;
try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  code = 1;
}
cleanupAll();
process.exit(code);
