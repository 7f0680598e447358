import type { LatencyEvent } from "./latency_view.ts";
import { sparkline } from "./sparkline.ts";

const SECONDS_A_MINUTE = 60;
const SECONDS_AN_HOUR = 3600;
const SECONDS_A_DAY = 86_400;
const RULE = "-".repeat(80);

/** LATENCY GRAPH: an event as Redis draws it. */
export function latencyGraph(name: string, event: LatencyEvent, nowSeconds: number): string {
  const durations = event.samples.map(({ durationMs }) => durationMs);
  const [high, low] = [Math.max(...durations), Math.min(...durations)];
  const points = event.samples.map(({ atSeconds, durationMs }) => ({
    value: durationMs,
    label: ago(nowSeconds - atSeconds),
  }));
  return `${name} - high ${high} ms, low ${low} ms (all time high ${event.maxMs} ms)\n${RULE}\n` +
    sparkline(points);
}

function ago(seconds: number): string {
  if (seconds < SECONDS_A_MINUTE) return `${seconds}s`;
  if (seconds < SECONDS_AN_HOUR) return `${Math.trunc(seconds / SECONDS_A_MINUTE)}m`;
  if (seconds < SECONDS_A_DAY) return `${Math.trunc(seconds / SECONDS_AN_HOUR)}h`;
  return `${Math.trunc(seconds / SECONDS_A_DAY)}d`;
}

/** What the report needs to know besides the events. */
export interface ReportSources {
  readonly events: ReadonlyMap<string, LatencyEvent>;
  /** latency-monitor-threshold, milliseconds; 0: off. */
  readonly thresholdMs: number;
  /** slowlog-log-slower-than, microseconds; negative: off. */
  readonly slowLogUs: number;
  /** Unix time. */
  readonly nowSeconds: number;
}

/** In Redis's words. */
const OFF = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis " +
  'instance. You may use "CONFIG SET latency-monitor-threshold <milliseconds>." in order to ' +
  "enable it. If we weren't in a deep space mission I'd suggest to take a look at " +
  "https://redis.io/topics/latency-monitor.\n";
const BEGIN = "Dave, I have observed latency spikes in this Redis instance. You don't mind " +
  "talking about it, do you Dave?\n\n";

const ELSEWHERE = "Slow commands are in SLOWLOG GET; times of fsync and of log entries are in " +
  "INFO raft and INFO persistence.";

/** LATENCY DOCTOR: what happened how often, and what may help. */
export function latencyReport(sources: ReportSources): string {
  const { events, thresholdMs, nowSeconds } = sources;
  if (events.size === 0) {
    if (thresholdMs === 0) return OFF;
    return `Dave, no latency spike was observed: nothing took ${thresholdMs} ms. ${ELSEWHERE}\n`;
  }
  const lines = [...events].map(([name, event], at) =>
    `${at + 1}. ${name}: ${summary(event, nowSeconds)}\n`
  );
  const advice = [...events.keys()].flatMap((name) => ADVICE[name]?.(sources) ?? []);
  const all = [...advice, ELSEWHERE].map((each) => `- ${each}\n`);
  return `${BEGIN}${lines.join("")}\nI have a few advices for you:\n\n${all.join("")}`;
}

function summary({ samples, maxMs }: LatencyEvent, nowSeconds: number): string {
  const durations = samples.map(({ durationMs }) => durationMs);
  const averageMs = wholeMean(durations);
  const deviationMs = wholeMean(durations.map((each) => Math.abs(averageMs - each)));
  const oldest = Math.min(...samples.map(({ atSeconds }) => atSeconds));
  const period = ((nowSeconds - oldest || 1) / samples.length).toFixed(2);
  return `${samples.length} latency spikes (average ${averageMs}ms, mean deviation ` +
    `${deviationMs}ms, period ${period} sec). Worst all time event ${maxMs}ms.`;
}

function wholeMean(values: readonly number[]): number {
  return Math.trunc(values.reduce((sum, value) => sum + value, 0) / values.length);
}

const ADVICE: Readonly<Record<string, (sources: ReportSources) => readonly string[]>> = {
  "command": (sources) => [
    ...slowLogAdvice(sources),
    "Each command runs on the one loop of its node, and each write on the loops of all nodes: " +
    "prefer many commands on parts (SCAN, HSCAN, ranges) to one on all of a large value, and " +
    "short scripts to long ones.",
  ],
  "fast-command": () => [
    "Fast commands took long, so the process did not get the processor or waited for the disk. " +
    "Lower the load of the machine; if values in use are read from disk again and again, give " +
    "them more memory with --cache-mb.",
  ],
  "expire-cycle": () => [
    "Many keys, or large ones, expire at once: spread their times to live, and split large values.",
  ],
};

/** How the slow log can tell which commands they were. */
function slowLogAdvice({ thresholdMs, slowLogUs }: ReportSources): readonly string[] {
  if (thresholdMs === 0) return [];
  const setting = `CONFIG SET slowlog-log-slower-than ${thresholdMs * 1000}`;
  if (slowLogUs < 0) return [`The slow log is off. Turn it on with '${setting}'.`];
  if (slowLogUs / 1000 <= thresholdMs) return [];
  return [`The slow log keeps less than this monitor sees. Use '${setting}'.`];
}
