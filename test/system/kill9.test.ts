import { afterAll, expect, test } from "bun:test";
import { cleanupAll } from "./harness.ts";
import { runKill9 } from "./kill9.ts";
import { matchPrefix, type WriteOp } from "./kill9_model.ts";

afterAll(cleanupAll);

const rounds = Number(process.env.BALSA_KILL9_ROUNDS ?? "3");

test(
  "kill -9 under pipelined writes loses nothing acknowledged, applies nothing by half",
  async () => {
    const seed = Number(process.env.BALSA_SEED ?? Date.now() % 1_000_000);
    console.log(`kill9: seed ${seed} (BALSA_SEED)`);
    const result = await runKill9({ rounds, seed });
    expect(result.rounds).toBe(rounds);
    expect(result.acknowledged).toBeGreaterThan(0);
  },
  600_000,
);

const mset = (value: string): WriteOp => ({
  argv: [],
  apply: (state) => {
    state.set("a", value);
    state.set("b", value);
  },
});

test("matchPrefix finds how far a writer came", () => {
  const found = new Map([["a", "2"], ["b", "2"]]);
  expect(matchPrefix(new Map(), [mset("1"), mset("2"), mset("3")], found)).toBe(2);
});

test("matchPrefix refuses half an MSET and a lost acknowledged write", () => {
  expect(matchPrefix(new Map(), [mset("1")], new Map([["a", "1"]]))).toBeUndefined();
  const acknowledged = new Map([["a", "2"], ["b", "2"]]);
  expect(matchPrefix(acknowledged, [], new Map([["a", "1"], ["b", "1"]]))).toBeUndefined();
});
