import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { isLinearizable } from "./brute_force.ts";
import { checkHistory, checkKey, explain } from "./check.ts";
import { MODELS, type State } from "./models.ts";
import { isRead, type ModelName, type Operation, type OperationName } from "./operation.ts";

type Line = readonly [
  name: OperationName,
  value: string | undefined,
  result: Operation["result"],
  call: number,
  end: number,
];

function history(model: ModelName, ...lines: readonly Line[]): Operation[] {
  return lines.map(([name, value, result, call, end]) => ({
    model,
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
  "one after the other": history(
    "register",
    ["set", "a", "OK", 1, 2],
    ["get", undefined, "a", 3, 4],
  ),
  "a read beside a write sees either": history(
    "register",
    ["set", "a", "OK", 1, 6],
    ["get", undefined, null, 2, 3],
    ["get", undefined, "a", 4, 5],
  ),
  "an unknown write that happened late": history(
    "register",
    ["set", "a", undefined, 1, 2],
    ["get", undefined, null, 3, 4],
    ["get", undefined, null, 5, 6],
    ["get", undefined, "a", 7, 8],
  ),
  "an unknown write that never happened": history(
    "register",
    ["set", "a", undefined, 1, 2],
    ["get", undefined, null, 3, 4],
  ),
  "an unknown delete": history(
    "register",
    ["set", "a", "OK", 1, 2],
    ["del", undefined, undefined, 3, 4],
    ["get", undefined, "a", 5, 6],
    ["setnx", "b", 1, 7, 8],
  ),
  "an unknown write that only SETNX noticed": history(
    "register",
    ["set", "a", undefined, 1, 2],
    ["setnx", "b", 0, 3, 4],
  ),
  "of two SETNX one wins": history("register", ["setnx", "a", 0, 1, 4], ["setnx", "b", 1, 2, 3]),
  "SET … GET": history("register", ["setget", "a", null, 1, 2], ["setget", "b", "a", 3, 4]),
  "the same again after a delete": history(
    "register",
    ["set", "a", "OK", 1, 2],
    ["del", undefined, 1, 3, 4],
    ["setnx", "b", 1, 5, 6],
  ),
  "increments out of order of their calls": history(
    "counter",
    ["incr", undefined, 2, 1, 10],
    ["incr", undefined, 1, 2, 9],
    ["get", undefined, "2", 11, 12],
  ),
  "an unknown increment between": history(
    "counter",
    ["incr", undefined, 1, 1, 2],
    ["incr", undefined, undefined, 3, 4],
    ["incr", undefined, 3, 5, 6],
  ),
  "appends": history(
    "append",
    ["append", "x,", 2, 1, 2],
    ["append", "y,", undefined, 3, 4],
    ["append", "z,", 6, 5, 6],
    ["get", undefined, "x,y,z,", 7, 8],
  ),
  "a list": history(
    "list",
    ["lrange", undefined, "", 1, 2],
    ["rpush", "x", 1, 3, 4],
    ["rpush", "y", undefined, 5, 6],
    ["rpush", "z", 2, 7, 8],
    ["lrange", undefined, "x,z,", 9, 10],
    ["lrange", undefined, "x,z,y,", 11, 12],
  ),
};

const bad: Readonly<Record<string, Operation[]>> = {
  "a stale read": history(
    "register",
    ["set", "a", "OK", 1, 2],
    ["set", "b", "OK", 3, 4],
    ["get", undefined, "a", 5, 6],
  ),
  "a lost write": history("register", ["set", "a", "OK", 1, 2], ["get", undefined, null, 3, 4]),
  "a value that nobody wrote": history("register", ["get", undefined, "a", 1, 2]),
  "reads that go back": history(
    "register",
    ["set", "a", "OK", 1, 10],
    ["get", undefined, "a", 2, 3],
    ["get", undefined, null, 4, 5],
  ),
  "a deleted value comes back": history(
    "register",
    ["set", "a", "OK", 1, 2],
    ["del", undefined, 1, 3, 4],
    ["get", undefined, "a", 5, 6],
  ),
  "two SETNX win": history("register", ["setnx", "a", 1, 1, 4], ["setnx", "b", 1, 2, 3]),
  "an unknown write before its call": history(
    "register",
    ["get", undefined, "a", 1, 2],
    ["set", "a", undefined, 3, 4],
  ),
  "an unknown write that happened twice": history(
    "register",
    ["set", "a", undefined, 1, 2],
    ["get", undefined, "a", 3, 4],
    ["set", "b", "OK", 5, 6],
    ["get", undefined, "a", 7, 8],
  ),
  "an increment applied twice": history(
    "counter",
    ["incr", undefined, 1, 1, 2],
    ["incr", undefined, 3, 3, 4],
  ),
  "one number given twice": history(
    "counter",
    ["incr", undefined, 1, 1, 4],
    ["incr", undefined, 1, 2, 3],
  ),
  "an unknown increment applied twice": history(
    "counter",
    ["incr", undefined, undefined, 1, 2],
    ["incr", undefined, 3, 3, 4],
  ),
  "an append lost": history(
    "append",
    ["append", "x,", 2, 1, 2],
    ["append", "y,", 4, 3, 4],
    ["get", undefined, "x,", 5, 6],
  ),
  "two reads of one list disagree about its order": history(
    "list",
    ["rpush", "x", undefined, 1, 2],
    ["rpush", "y", undefined, 1, 2],
    ["lrange", undefined, "x,y,", 3, 4],
    ["lrange", undefined, "y,x,", 3, 4],
  ),
  "an element pushed twice": history(
    "list",
    ["rpush", "x", undefined, 1, 2],
    ["lrange", undefined, "x,x,", 3, 4],
  ),
};

for (const [name, operations] of Object.entries(good)) {
  test(`checkHistory accepts: ${name}`, () => {
    expect(isLinearizable(operations)).toBe(true);
    expect(checkHistory(operations)).toEqual({ kind: "linearizable" });
  });
}

for (const [name, operations] of Object.entries(bad)) {
  test(`checkHistory refuses: ${name}`, () => {
    expect(isLinearizable(operations)).toBe(false);
    expect(checkHistory(operations)).toMatchObject({ kind: "violation", key: "k" });
  });
}

test("checkHistory judges each key alone", () => {
  const first = good["one after the other"];
  const second = bad["a stale read"].map((operation) => ({ ...operation, key: "other" }));
  expect(checkHistory([...first, ...second])).toMatchObject({ kind: "violation", key: "other" });
});

test("checkKey begins with what the key held", () => {
  const [, read] = good["one after the other"];
  expect(checkKey([read], "a")).toEqual({ kind: "linearizable" });
  expect(checkKey([read], "b")).toMatchObject({ kind: "violation" });
});

const NAMES: Readonly<Record<ModelName, readonly OperationName[]>> = {
  register: ["set", "get", "setnx", "setget", "del", "get"],
  counter: ["incr", "get"],
  append: ["append", "get"],
  list: ["rpush", "lrange"],
};

/** What clients see of one store; `spread`: how far operations overlap. */
function observe(
  random: Prng,
  model: ModelName,
  count: number,
  spread: number,
  areKnown = false,
): Operation[] {
  const operations: Operation[] = [];
  let state: State = null;
  for (let at = 0; at < count; at++) {
    const name = NAMES[model][random.below(NAMES[model].length)];
    const value = model === "append" ? `${at},` : `${at}`;
    const times = { call: 10 * at - random.below(spread), end: 10 * at + random.below(spread) };
    const operation = { model, key: "k", name, value, ...times };
    const step = MODELS[model](state, operation);
    const isUnknown = !areKnown && random.below(8) === 0;
    if (!isUnknown || random.below(2) === 0) state = step.state;
    operations.push({ ...operation, result: isUnknown ? undefined : step.result });
  }
  return operations;
}

/** The same, but one reply is another's. */
function tamper(random: Prng, operations: readonly Operation[]): Operation[] {
  const known = operations.filter(({ result }) => result !== undefined);
  if (known.length === 0) return [...operations];
  const target = known[random.below(known.length)];
  const alike = known.filter(({ name }) => name === target.name);
  const { result } = alike[random.below(alike.length)];
  return operations.map((operation) => operation === target ? { ...target, result } : operation);
}

test("checkKey decides as trying all orders does, on short random histories", () => {
  let good = 0;
  let bad = 0;
  for (let seed = 0; seed < 30_000; seed++) {
    const random = new Prng(seed);
    const model = (["register", "counter", "append", "list"] as const)[seed % 4];
    const seen = observe(random, model, 2 + random.below(5), 10 + random.below(40));
    const operations = seed % 8 < 2 ? seen : tamper(random, seen);
    const expected = isLinearizable(operations);
    const verdict = checkKey(operations);
    if (verdict.kind !== (expected ? "linearizable" : "violation")) {
      throw new Error(`seed ${seed}: ${verdict.kind}\n${JSON.stringify(operations, null, 1)}`);
    }
    expected ? good++ : bad++;
    if (verdict.kind !== "violation") continue;
    // The part that is shown fails by itself: what it leaves out may have been anything.
    expect(isSufficient(verdict.operations, operations)).toBe(true);
  }
  expect(Math.min(good, bad)).toBeGreaterThan(2000);
});

/** Whether no order explains `part`, however the rest of the writes came out. */
function isSufficient(part: readonly Operation[], whole: readonly Operation[]): boolean {
  const shown = new Set(part.map(({ value, call, name }) => `${name} ${value} ${call}`));
  const rest = whole.filter(({ name, value, call }) =>
    !shown.has(`${name} ${value} ${call}`) && !isRead(name)
  );
  return !isLinearizable([...part, ...rest.map((each) => ({ ...each, result: undefined }))]);
}

test("checkKey: long random runs of one store pass, and fail with one reply changed", () => {
  for (const model of ["register", "counter", "append", "list"] as const) {
    for (let run = 0; run < 20; run++) {
      const random = new Prng(run);
      const operations = observe(random, model, 200, 45);
      expect(checkKey(operations)).toEqual({ kind: "linearizable" });
      const at = operations.findIndex(({ name, result }) => isRead(name) && result !== undefined);
      const changed = operations.with(at, { ...operations[at], result: "nobody wrote this" });
      expect(checkKey(changed)).toMatchObject({ kind: "violation" });
    }
  }
});

test("sixty operations at a time on one key are decided", () => {
  for (const model of ["register", "counter", "append", "list"] as const) {
    for (let run = 0; run < 5; run++) {
      const operations = observe(new Prng(run), model, 200, 300, true);
      expect(checkKey(operations)).toEqual({ kind: "linearizable" });
      // A read of what an earlier one saw, long ago.
      const reads = operations.filter(({ name, result }) =>
        isRead(name) && result !== undefined && result !== null && result !== ""
      );
      const stale = reads.findLast(({ result }) => result !== reads[0].result)!;
      const changed = operations.map((each) =>
        each === stale ? { ...each, result: reads[0].result } : each
      );
      expect(checkKey(changed)).toMatchObject({ kind: "violation" });
    }
  }
});

test("many outcomes that are unknown do not multiply", () => {
  for (const model of ["register", "counter", "append", "list"] as const) {
    const random = new Prng(99);
    const isUnknown = (): boolean => random.below(model === "register" ? 20 : 3) === 0;
    const operations = observe(random, model, 400, 60).map((operation) =>
      isUnknown() ? { ...operation, result: undefined } : operation
    );
    expect(checkKey(operations)).toEqual({ kind: "linearizable" });
  }
});

test("a violation's text holds the smallest part and nothing else", () => {
  const noise = (from: number): Operation[] =>
    history(
      "register",
      ["set", `${from}`, "OK", from, from + 1],
      ["get", undefined, `${from}`, from + 2, from + 3],
    );
  const operations = [10, 20, 30, 40].flatMap(noise);
  operations.push(...history("register", ["set", "a", "OK", 50, 51], ["set", "b", "OK", 52, 53]));
  operations.push({ ...history("register", ["get", undefined, "a", 54, 55])[0], at: "host:1" });
  operations.push(...[60, 70].flatMap(noise));
  expect(explain(checkHistory(operations))).toBe([
    "key k is not linearizable; no order explains:",
    '  50–51         SET "a" -> "OK"',
    '  52–53         SET "b" -> "OK"',
    '  54–55         host:1  GET -> "a"',
  ].join("\n"));
});
