import { assert } from "../../src/base/assert.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Int64 } from "../../src/base/int64.ts";
import type { Prng } from "../../src/base/prng.ts";
import {
  compareIds,
  ID_MAX,
  ID_ZERO,
  idAfter,
  idOf,
  idText,
  type StreamId,
} from "../../src/storage/stream_id.ts";
import type { StreamOperations, TrimRequest } from "../../src/storage/streams.ts";
import type { CollectionFuzz } from "./fuzz_collections.ts";

/** Entries are named by their place, from 0 to 1, so that steps meet those that are there. */
type Step =
  | { call: "append"; wide: boolean; count: number; words: readonly Bytes[] }
  | { call: "remove"; at: number }
  | { call: "trim"; request: TrimRequest; at: number }
  | { call: "setCounters"; lastId: boolean; entriesAdded: Int64 }
  | { call: "addGroup" | "removeGroup" | "setPosition"; group: Bytes; at: number }
  | { call: "see" | "removeConsumer"; group: Bytes; consumer: Bytes; timeMs: number }
  | { call: "setPending" | "acknowledge"; group: Bytes; consumer: Bytes; at: number };

/** Small, so that there are many nodes. */
const LIMITS = { entries: 4, bytes: 200 };
const HUGE = 2n ** 63n + 1n;

function idAt(stream: StreamOperations, at: number): StreamId {
  const entries = [...stream.range(ID_ZERO, ID_MAX)];
  return idOf(entries[Math.floor(at * entries.length)] ?? { ms: 7, seq: HUGE });
}

function makeTrim(prng: Prng): TrimRequest {
  const isApproximate = prng.below(2) === 0;
  const limit = isApproximate && prng.below(3) === 0 ? 1 + prng.below(9) : 0;
  return { isApproximate, limit, lengthMax: prng.below(12) };
}

function makeChange({ prng, name, value }: Parameters<typeof STREAM_FUZZ.make>[0]): Step {
  const dice = prng.next();
  if (dice < 0.5) {
    const words = prng.below(3) === 0 ? [name(), value()] : ["field", value(), "x", name()];
    const many = prng.below(6) === 0 ? 30 : 3;
    return { call: "append", wide: prng.below(10) === 0, count: 1 + prng.below(many), words };
  }
  if (dice < 0.75) return { call: "remove", at: prng.next() };
  if (dice < 0.95) return { call: "trim", request: makeTrim(prng), at: prng.next() };
  const entriesAdded = prng.below(2) === 0 ? HUGE : prng.below(99);
  return { call: "setCounters", lastId: prng.below(2) === 0, entriesAdded };
}

export const STREAM_FUZZ: CollectionFuzz<StreamOperations, Step> = {
  make(values) {
    const { prng, name } = values;
    if (prng.below(2) === 0) return makeChange(values);
    const dice = prng.next();
    const group = `g${prng.below(2)}`;
    const at = prng.next();
    if (dice < 0.2) return { call: "addGroup", group, at };
    if (dice < 0.24) return { call: "removeGroup", group, at };
    if (dice < 0.3) return { call: "setPosition", group, at };
    const consumer = name();
    const timeMs = prng.below(1e6);
    if (dice < 0.5) return { call: "see", group, consumer, timeMs };
    if (dice < 0.55) return { call: "removeConsumer", group, consumer, timeMs };
    return { call: dice < 0.85 ? "setPending" : "acknowledge", group, consumer, at };
  },

  run(stream, step) {
    switch (step.call) {
      case "append":
        for (let i = 0; i < step.count; i++) {
          const next = step.wide ? { ms: HUGE, seq: 0 } : idAfter(stream.lastId) ?? ID_MAX;
          if (compareIds(next, stream.lastId) <= 0) return "last id reached";
          stream.append({ ...next, words: step.words }, LIMITS);
        }
        return idText(stream.lastId);
      case "remove":
        return stream.remove(idAt(stream, step.at));
      case "trim": {
        const { isApproximate, limit } = step.request;
        const minId = idAt(stream, step.at);
        return stream.trim(step.at < 0.5 ? step.request : { isApproximate, limit, minId });
      }
      case "setCounters": {
        const lastId = step.lastId ? idAfter(stream.lastId) : undefined;
        return stream.setCounters({
          lastId: lastId ?? stream.lastId,
          entriesAdded: step.entriesAdded,
        });
      }
      default:
        return stream.length + runOnGroup(stream, step);
    }
  },

  dump(stream) {
    const reversed = [...stream.range(ID_ZERO, ID_MAX, true)].map(idText);
    const consumers = stream.groups().map((group) =>
      group.consumers().map(({ name, pendingCount }) => [name, pendingCount])
    );
    const all = [stream.length, stream.nodeCount, stream.contents(), reversed, consumers];
    return JSON.parse(JSON.stringify(all, plain));
  },

  probe(stream, { prng }) {
    const all = [...stream.range(ID_ZERO, ID_MAX)];
    assert(stream.length === all.length, "a range of all has all");
    if (all.length === 0) return;
    const [from, to] = [prng.below(all.length), prng.below(all.length)];
    const part = [...stream.range(all[from], all[to])].map(idText).join();
    assert(part === all.slice(from, to + 1).map(idText).join(), "a range has what is between");
    const back = [...stream.range(all[from], all[to], true)].reverse().map(idText).join();
    assert(part === back, "backwards a range has the same");
    assert(stream.has(all[from]) && !stream.has(ID_ZERO), "entries are found by id");
    assert(stream.radixNodeCount > stream.nodeCount, "the radix tree has a leaf for each node");
  },
};

/** A value of JSON: properties in the order of their names. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort());
}

function runOnGroup(
  stream: StreamOperations,
  step: Extract<Step, { readonly group: Bytes }>,
): string {
  const group = stream.group(step.group);
  if (group === undefined) {
    // A group needs a stream.
    if (step.call !== "addGroup") return "no group";
    stream.setCounters({});
    stream.addGroup(step.group, idAt(stream, step.at), -1);
    return "added";
  }
  switch (step.call) {
    case "addGroup":
      return "is there";
    case "removeGroup":
      return String(stream.removeGroup(step.group));
    case "setPosition":
      return String(group.setPosition(idAt(stream, step.at), 2n ** 60n));
    case "see":
      return String(
        group.see(step.consumer, step.timeMs, step.timeMs % 2 === 0 ? step.timeMs : undefined),
      );
    case "removeConsumer":
      return String(group.removeConsumer(step.consumer));
    case "setPending": {
      if (group.consumer(step.consumer) === undefined) return "no consumer";
      const id = idAt(stream, step.at);
      const deliveries = Number(group.pending(id)?.deliveries ?? 0) + 1;
      const { consumer } = step;
      group.setPending({ ...id, consumer, deliveredAtMs: stream.length, deliveries });
      return String(group.pendingCount);
    }
    case "acknowledge":
      return String(group.acknowledge(idAt(stream, step.at)));
  }
}
