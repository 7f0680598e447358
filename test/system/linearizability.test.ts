import { expect, test } from "bun:test";
import { checkLinearizable, type Operation, runModel } from "./linearizability.ts";

type Line = readonly [
  name: Operation["name"],
  value: string | undefined,
  result: Operation["result"],
  call: number,
  end: number,
];

function history(...lines: readonly Line[]): Operation[] {
  return lines.map(([name, value, result, call, end]) => ({
    key: "k",
    name,
    value,
    result,
    call,
    end,
  }));
}

const good: Readonly<Record<string, Operation[]>> = {
  "nothing": [],
  "one after the other": history(["set", "a", "OK", 1, 2], ["get", undefined, "a", 3, 4]),
  "a read beside a write sees either": history(
    ["set", "a", "OK", 1, 6],
    ["get", undefined, null, 2, 3],
    ["get", undefined, "a", 4, 5],
  ),
  "an unknown write that happened late": history(
    ["set", "a", undefined, 1, 2],
    ["get", undefined, null, 3, 4],
    ["get", undefined, null, 5, 6],
    ["get", undefined, "a", 7, 8],
  ),
  "an unknown write that never happened": history(
    ["set", "a", undefined, 1, 2],
    ["get", undefined, null, 3, 4],
  ),
  "increments out of order of their calls": history(
    ["incr", undefined, 2, 1, 10],
    ["incr", undefined, 1, 2, 9],
    ["get", undefined, "2", 11, 12],
  ),
  "an unknown increment between": history(
    ["incr", undefined, 1, 1, 2],
    ["incr", undefined, undefined, 3, 4],
    ["incr", undefined, 3, 5, 6],
  ),
  "of two SETNX one wins": history(["setnx", "a", 0, 1, 4], ["setnx", "b", 1, 2, 3]),
  "appends": history(
    ["append", "x", 1, 1, 2],
    ["append", "y", undefined, 3, 4],
    ["append", "z", 3, 5, 6],
    ["get", undefined, "xyz", 7, 8],
  ),
  "SET … GET": history(["setget", "a", null, 1, 2], ["setget", "b", "a", 3, 4]),
  "the same again after a delete": history(
    ["set", "a", "OK", 1, 2],
    ["del", undefined, 1, 3, 4],
    ["setnx", "b", 1, 5, 6],
  ),
};

const bad: Readonly<Record<string, Operation[]>> = {
  "a stale read": history(
    ["set", "a", "OK", 1, 2],
    ["set", "b", "OK", 3, 4],
    ["get", undefined, "a", 5, 6],
  ),
  "a lost write": history(["set", "a", "OK", 1, 2], ["get", undefined, null, 3, 4]),
  "a value that nobody wrote": history(["get", undefined, "a", 1, 2]),
  "reads that go back": history(
    ["set", "a", "OK", 1, 10],
    ["get", undefined, "a", 2, 3],
    ["get", undefined, null, 4, 5],
  ),
  "an increment applied twice": history(["incr", undefined, 1, 1, 2], ["incr", undefined, 3, 3, 4]),
  "one number given twice": history(["incr", undefined, 1, 1, 4], ["incr", undefined, 1, 2, 3]),
  "an unknown increment applied twice": history(
    ["incr", undefined, undefined, 1, 2],
    ["incr", undefined, 3, 3, 4],
  ),
  "two SETNX win": history(["setnx", "a", 1, 1, 4], ["setnx", "b", 1, 2, 3]),
  "an unknown write before its call": history(
    ["get", undefined, "a", 1, 2],
    ["set", "a", undefined, 3, 4],
  ),
  "an append lost": history(
    ["append", "x", 1, 1, 2],
    ["append", "y", 2, 3, 4],
    ["get", undefined, "x", 5, 6],
  ),
};

for (const [name, operations] of Object.entries(good)) {
  test(`checkLinearizable accepts: ${name}`, () => {
    expect(checkLinearizable(operations)).toBeUndefined();
  });
}

for (const [name, operations] of Object.entries(bad)) {
  test(`checkLinearizable refuses: ${name}`, () => {
    expect(checkLinearizable(operations)).toContain("key k is not linearizable");
  });
}

test("checkLinearizable judges each key alone", () => {
  const first = good["one after the other"];
  const second = bad["a stale read"].map((operation) => ({ ...operation, key: "other" }));
  expect(checkLinearizable([...first, ...second])).toContain("key other");
});

test("checkLinearizable: random runs of one store pass, and fail with one reply changed", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const names = ["set", "get", "setnx", "setget", "append", "del"] as const;
  for (let run = 0; run < 50; run++) {
    const operations: Operation[] = [];
    let state: string | null = null;
    for (let at = 0; at < 120; at++) {
      const plain = { key: "k", name: names[random(names.length)], value: `${at},` };
      // It happens at 10 * at, within an interval that overlaps its neighbours'.
      const times = { call: 10 * at - random(40), end: 10 * at + 1 + random(40) };
      const ran = runModel(state, { ...plain, ...times });
      state = ran.state;
      const isUnknown = random(12) === 0;
      operations.push({ ...plain, ...times, result: isUnknown ? undefined : ran.result });
    }
    expect(checkLinearizable(operations)).toBeUndefined();
    const at = operations.findIndex(({ name, result }) => name === "get" && result !== undefined);
    const changed = operations.with(at, { ...operations[at], result: "nobody wrote this" });
    expect(checkLinearizable(changed)).toBeDefined();
  }
});
