import { expect, test } from "bun:test";
import { checkKey, explain } from "./check.ts";
import type { ModelName, OperationName } from "./operation.ts";
import { Recorder, stateOf } from "./recorder.ts";
import { type Request, UNKNOWN } from "./workload.ts";

/** A command, its value and its reply ("?": of unknown outcome); "settle": what is there is kept. */
type Step = readonly [OperationName, string | undefined, string | number | null] | "settle";

const KEY = "k";

function requestOf(model: ModelName, name: OperationName, value?: string): Request {
  const isRead = name === "get" || name === "lrange";
  return { operation: { model, key: KEY, name, value }, argv: [], isRead };
}

/** A recorder that was told of these, one after the other. */
function recorded(model: ModelName, steps: readonly Step[]): Recorder {
  const recorder = new Recorder();
  for (const step of steps) {
    if (step === "settle") {
      recorder.settle(KEY);
      continue;
    }
    const [name, value, result] = step;
    const call = recorder.call(requestOf(model, name, value), "here");
    call.end(result === "?" ? UNKNOWN : { kind: "done", result });
  }
  return recorder;
}

const good: Readonly<Record<string, readonly [ModelName, readonly Step[]]>> = {
  "an unknown append that was seen before": ["append", [
    ["append", "1,", 2],
    ["append", "2,", "?"],
    ["get", undefined, "1,2,"],
    "settle",
    ["get", undefined, "1,2,"],
    ["get", undefined, "1,2,"],
  ]],
  "an unknown element that was seen before": ["list", [
    ["rpush", "1", "?"],
    ["lrange", undefined, "1,"],
    "settle",
    ["lrange", undefined, "1,"],
    "settle",
    ["lrange", undefined, "1,"],
  ]],
  "an unknown write that comes late": ["register", [
    ["set", "1", "OK"],
    ["set", "2", "?"],
    ["get", undefined, "1"],
    "settle",
    ["get", undefined, "1"],
    ["get", undefined, "2"],
  ]],
  "an unknown increment that comes late": ["counter", [
    ["incr", undefined, "?"],
    ["incr", undefined, 1],
    ["get", undefined, "1"],
    "settle",
    ["get", undefined, "2"],
  ]],
};

const bad: Readonly<Record<string, readonly [ModelName, readonly Step[]]>> = {
  "an unknown write that was seen, and comes again": ["register", [
    ["set", "1", "?"],
    ["get", undefined, "1"],
    ["set", "2", "OK"],
    ["get", undefined, "2"],
    "settle",
    ["get", undefined, "1"],
  ]],
  "an unknown append that was seen, and comes again": ["append", [
    ["append", "1,", 2],
    ["append", "2,", "?"],
    ["get", undefined, "1,2,"],
    "settle",
    ["get", undefined, "1,2,2,"],
  ]],
  "what was there before is lost": ["register", [
    ["set", "57", "OK"],
    ["get", undefined, "57"],
    "settle",
    ["get", undefined, null],
  ]],
};

for (const [name, [model, steps]] of Object.entries(good)) {
  test(`a recorder accepts: ${name}`, () => {
    expect(recorded(model, steps).check()).toEqual({ kind: "linearizable" });
  });
}

for (const [name, [model, steps]] of Object.entries(bad)) {
  test(`a recorder refuses: ${name}; what it shows fails by itself`, () => {
    const verdict = recorded(model, steps).check();
    if (verdict.kind !== "violation") throw new Error(verdict.kind);
    const { operations, before } = verdict;
    expect(checkKey(operations, stateOf(before?.result)).kind).toBe("violation");
    expect(explain(verdict)).toContain("(nothing else was under way)");
  });
}

test("a write that is under way may have been seen", () => {
  const recorder = new Recorder();
  const write = recorder.call(requestOf("register", "set", "1"));
  recorder.call(requestOf("register", "get")).end({ kind: "done", result: "1" });
  expect(recorder.check()).toEqual({ kind: "linearizable" });
  write.end({ kind: "done", result: "OK" });
  expect(recorder.check()).toEqual({ kind: "linearizable" });
  recorder.call(requestOf("register", "get")).end({ kind: "done", result: null });
  expect(recorder.check().kind).toBe("violation");
});
