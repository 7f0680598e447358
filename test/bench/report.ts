import type { Load, Measured } from "./load.ts";
import { median, spread } from "./load.ts";

export type Side = "balsa" | "redis";

/** One run of a load against one side. */
export interface Sample extends Measured {
  readonly cpuSeconds: number;
}

/** A line of the table: a load and what each side did in each round. */
export interface Row {
  readonly load: Load;
  /** What the line is about: throughput, or the latency that one client sees. */
  readonly kind: "rate" | "latency";
  readonly balsa: Sample[];
  readonly redis: Sample[];
}

export interface Memory {
  readonly idleBytes: number;
  readonly afterBytes: number;
}

export interface RowSummary {
  readonly name: string;
  readonly kind: "rate" | "latency";
  readonly balsa: SideSummary;
  readonly redis: SideSummary;
  /** Balsa's rate as a share of Redis's; of a latency row, Balsa's p50 as a multiple. */
  readonly ratio: number;
}

export interface SideSummary {
  readonly requestsPerSecond: number;
  readonly spread: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuSecondsPerMillion: number;
}

export function rowName(load: Load): string {
  const clients = load.clients === 1 ? "1 client" : `${load.clients} clients`;
  return `${load.command}, ${clients}, pipeline ${load.pipeline}`;
}

export function summarize(row: Row): RowSummary {
  const balsa = summarizeSide(row.balsa, row.load.requests);
  const redis = summarizeSide(row.redis, row.load.requests);
  const ratio = row.kind === "rate"
    ? balsa.requestsPerSecond / redis.requestsPerSecond
    : balsa.p50Ms / redis.p50Ms;
  return { name: rowName(row.load), kind: row.kind, balsa, redis, ratio };
}

function summarizeSide(samples: readonly Sample[], requests: number): SideSummary {
  const rates = samples.map((sample) => sample.requestsPerSecond);
  const cpu = samples.map((sample) => sample.cpuSeconds / requests * 1e6);
  return {
    requestsPerSecond: median(rates),
    spread: spread(rates),
    p50Ms: median(samples.map((sample) => sample.p50Ms)),
    p99Ms: median(samples.map((sample) => sample.p99Ms)),
    cpuSecondsPerMillion: median(cpu),
  };
}

/** The table that a person reads, as Markdown. */
export function renderTable(
  rows: readonly RowSummary[],
  memory: Readonly<Record<Side, Memory>>,
): string {
  const lines = table(
    ["requests/s", "Balsa", "Redis", "ratio", "spread B/R", "p99 ms B/R", "CPU s per million B/R"],
    rows.filter((row) => row.kind === "rate").map((row) => [
      row.name,
      thousands(row.balsa.requestsPerSecond),
      thousands(row.redis.requestsPerSecond),
      row.ratio.toFixed(2),
      `${percent(row.balsa.spread)} / ${percent(row.redis.spread)}`,
      `${row.balsa.p99Ms.toFixed(2)} / ${row.redis.p99Ms.toFixed(2)}`,
      `${row.balsa.cpuSecondsPerMillion.toFixed(1)} / ${row.redis.cpuSecondsPerMillion.toFixed(1)}`,
    ]),
  );
  const latencies = table(
    ["one client's latency, ms", "Balsa p50", "Balsa p99", "Redis p50", "Redis p99", "p50 ratio"],
    rows.filter((row) => row.kind === "latency").map((row) => [
      row.name,
      row.balsa.p50Ms.toFixed(3),
      row.balsa.p99Ms.toFixed(3),
      row.redis.p50Ms.toFixed(3),
      row.redis.p99Ms.toFixed(3),
      row.ratio.toFixed(2),
    ]),
  );
  const memoryTable = table(
    ["resident memory, MB", "Balsa", "Redis"],
    [
      ["idle", megabytes(memory.balsa.idleBytes), megabytes(memory.redis.idleBytes)],
      ["after the run", megabytes(memory.balsa.afterBytes), megabytes(memory.redis.afterBytes)],
    ],
  );
  return [lines, latencies, memoryTable].join("\n\n");
}

export function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...body.map((row) => row[column].length))
  );
  const line = (cells: readonly string[]): string =>
    "| " + cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))
      .join(" | ") +
    " |";
  const rule = "| " + widths.map((width, i) =>
    "-".repeat(width - (i === 0 ? 0 : 1)) +
    (i === 0 ? "" : ":")
  ).join(" | ") + " |";
  return [line(head), rule, ...body.map(line)].join("\n");
}

function thousands(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
