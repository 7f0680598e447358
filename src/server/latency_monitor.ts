import type { Bytes } from "../base/bytes.ts";
import { catalogNow } from "../commands/acl_catalog.ts";
import type { RunnableCommand } from "../commands/command.ts";
import type { LatencyEvent, LatencyMonitorView, LatencySample } from "../commands/latency_view.ts";

/** Samples that are kept of one event (Redis's LATENCY_TS_LEN). */
const SAMPLES_MAX = 160;

/** What took long on this node, for LATENCY: the worst of each second, by event. */
export class LatencyMonitor implements LatencyMonitorView {
  readonly #events = new Map<string, LatencyEvent & { samples: LatencySample[]; maxMs: number }>();

  get events(): ReadonlyMap<string, LatencyEvent> {
    return this.#events;
  }

  /** Notes that something took `durationMs`, which is cut to whole ones; `nowMs`: Unix time. */
  add(name: string, durationMs: number, nowMs: number): void {
    const sample = { atSeconds: Math.floor(nowMs / 1000), durationMs: Math.floor(durationMs) };
    const event = this.#events.get(name);
    if (event === undefined) {
      this.#events.set(name, { samples: [sample], maxMs: sample.durationMs });
      return;
    }
    event.maxMs = Math.max(event.maxMs, sample.durationMs);
    const { samples } = event;
    const last = samples[samples.length - 1];
    if (last.atSeconds !== sample.atSeconds) {
      samples.push(sample);
      if (samples.length > SAMPLES_MAX) samples.shift();
    } else if (sample.durationMs > last.durationMs) {
      samples[samples.length - 1] = sample;
    }
  }

  reset(name?: Bytes): number {
    const wanted = name?.toLowerCase();
    const found = [...this.#events.keys()].filter((each) =>
      wanted === undefined || each === wanted
    );
    for (const each of found) this.#events.delete(each);
    return found.length;
  }
}

/** The event of a command that took long. */
export function latencyEventOf({ name }: RunnableCommand): "command" | "fast-command" {
  return catalogNow()?.get(name)?.categories.has("fast") ? "fast-command" : "command";
}
