import type { Metric } from "prom-client";
import type { Histogram } from "../base/histogram.ts";
import { FAMILIES, type MetricSources, type Sample } from "./metric_families.ts";

/** The text of GET /metrics, in the form that Prometheus scrapes. */
export class MetricsPage {
  readonly #sources: () => MetricSources | undefined;
  #registry: Promise<{ metrics(): Promise<string>; readonly contentType: string }> | undefined;

  /** `sources`: undefined while this node is in no cluster; the page is then empty. */
  constructor(sources: () => MetricSources | undefined) {
    this.#sources = sources;
  }

  async render(): Promise<{ readonly text: string; readonly contentType: string }> {
    this.#registry ??= this.#makeRegistry();
    const registry = await this.#registry;
    return { text: await registry.metrics(), contentType: registry.contentType };
  }

  /** prom-client is loaded by the first who asks. */
  async #makeRegistry() {
    const { Registry } = (await import("prom-client")).default;
    const registry = new Registry();
    for (const { name, help, type, read } of FAMILIES) {
      // The figures are counted where they arise, so the registry only asks for them.
      const metric = {
        name,
        help,
        type,
        get: () => {
          const sources = this.#sources();
          const samples = sources === undefined ? [] : read(sources);
          return Promise.resolve({ name, help, type, values: samples.flatMap(valuesOf(name)) });
        },
      };
      registry.registerMetric(metric as unknown as Metric);
    }
    return registry;
  }
}

interface Value {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function valuesOf(name: string): (sample: Sample) => Value[] {
  return ({ labels = {}, value }) =>
    typeof value === "number"
      ? [{ metricName: name, labels, value }]
      : histogramValues(name, labels, value);
}

/** Prometheus counts all that is at most a bound; times are seconds there. */
function histogramValues(name: string, labels: Value["labels"], histogram: Histogram): Value[] {
  const { bounds, counts, sum, count } = histogram;
  const values: Value[] = [];
  let below = 0;
  for (const [i, bound] of bounds.entries()) {
    below += counts[i];
    values.push({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: bound / 1000 },
      value: below,
    });
  }
  values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count });
  values.push({ metricName: `${name}_sum`, labels, value: sum / 1000 });
  values.push({ metricName: `${name}_count`, labels, value: count });
  return values;
}
