import { expect, test } from "bun:test";
import { median, parseCsv, spread } from "./load.ts";
import { renderTable, type Row, summarize } from "./report.ts";

test("parseCsv reads redis-benchmark's row by its column names", () => {
  const text = '"test","rps","avg_latency_ms","p50_latency_ms","p99_latency_ms"\n' +
    '"SET","17543.86","0.050","0.039","0.159"\n';
  expect(parseCsv(text, "SET")).toEqual({
    requestsPerSecond: 17543.86,
    p50Ms: 0.039,
    p99Ms: 0.159,
  });
  expect(() => parseCsv("WARNING", "SET")).toThrow("WARNING");
});

test("median and spread", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(spread([90, 110, 100])).toBeCloseTo(0.2);
});

test("summarize: medians, ratio and CPU per million requests", () => {
  const sample = (rate: number) => ({
    requestsPerSecond: rate,
    p50Ms: 1,
    p99Ms: 2,
    cpuSeconds: 0.5,
  });
  const row: Row = {
    kind: "rate",
    load: { command: "SET", clients: 50, pipeline: 1, requests: 100_000 },
    balsa: [sample(50), sample(40), sample(10)],
    redis: [sample(80), sample(90), sample(70)],
  };
  const summary = summarize(row);
  expect(summary.ratio).toBe(0.5);
  expect(summary.balsa.cpuSecondsPerMillion).toBeCloseTo(5);
  const memory = { idleBytes: 1e6, afterBytes: 2e6 };
  const text = renderTable([summary], { balsa: memory, redis: memory });
  expect(text).toContain("SET, 50 clients, pipeline 1");
  expect(text).toContain("0.50");
});
