import type { Bytes } from "../base/bytes.ts";

/** The worst of an event in one second. */
export interface LatencySample {
  /** Unix time. */
  readonly atSeconds: number;
  readonly durationMs: number;
}

/** What was seen of one kind of event. */
export interface LatencyEvent {
  /** The latest ones, oldest first; at least one. */
  readonly samples: readonly LatencySample[];
  /** The longest since the last reset, also when its sample is gone. */
  readonly maxMs: number;
}

/** What took as long as `latency-monitor-threshold`. */
export interface LatencyMonitorView {
  /** By name: "command", "fast-command", "expire-cycle". */
  readonly events: ReadonlyMap<string, LatencyEvent>;
  /** Forgets the event of this name in any case, or all; how many there were. */
  reset(name?: Bytes): number;
}
