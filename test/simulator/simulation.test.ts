import { expect, test } from "bun:test";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { runSeeds } from "./many.ts";
import { simulate } from "./simulation.ts";

/** Virtual time takes as long as the machine is busy. */
const SLOW_MS = 600_000;

const real = await loadSqlite();

/** Seeds of bugs that the simulator has found, each as it was mended: see README.md. */
const FOUND = [
  { seed: 105, ticks: 5000, what: "a learner refuses a leader that it has not heard of" },
  { seed: 184, ticks: 5000, what: "commands wait for ever behind one that came another way" },
  { seed: 183, ticks: 5000, what: "an id is given to a node that has spoken under it before" },
  { seed: 135, ticks: 8000, what: "an older snapshot of the present leader is not installed" },
  { seed: 13000512, ticks: 10_000, what: "a read overtakes a large command of its connection" },
  { seed: 13001011, ticks: 10_000, what: "a large command is answered before a small one" },
  {
    seed: 20007624,
    ticks: 10_000,
    what: "a snapshot that was given up is back in another's place",
  },
  {
    seed: 31000036,
    ticks: 10_000,
    what: "what waits behind a large command is answered before it",
  },
  { seed: 32000688, ticks: 10_000, what: "a node goes on whose log can be written no more" },
  { seed: 1, ticks: 8000, what: "a large command that waited holds back its connection" },
  { seed: 28, ticks: 10_000, what: "a new leader keeps what a node that has left waits for" },
  { seed: 74, ticks: 10_000, what: "a command that was given up waits within a snapshot" },
  { seed: 14, ticks: 8000, what: "who has left for good waits for data for ever" },
  { seed: 90000341, ticks: 8000, what: "WAIT counts a voter that joins behind what it asks for" },
  { seed: 91000383, ticks: 8000, what: "a vote is given while a leader's lease stands on it" },
  { seed: 208, ticks: 5000, what: "an installed snapshot is lost with the power at a later time" },
  { seed: 106, ticks: 8000, what: "a read that waits is answered twice" },
  { seed: 68, ticks: 8000, what: "who has joined is removed for what it was before" },
  {
    seed: 113000010,
    ticks: 10_000,
    what: "an EXEC that was given up lets what waits be overtaken",
  },
  {
    seed: 160001487,
    ticks: 10_000,
    what: "what follows a large command is given up before it",
  },
  {
    seed: 210007887,
    ticks: 3000,
    what: "the last piece of a large command behind its node's removal is never answered",
  },
  {
    seed: 131000180,
    ticks: 10_000,
    what: "who joined and left in what is not applied yet waits for data for ever",
  },
  {
    seed: 125005144,
    ticks: 10_000,
    what: "a node that asks again to join is given hundreds of ids, which vote for nobody",
  },
  {
    seed: 114005016,
    ticks: 10_000,
    what: "a leader is refused that joined behind what is in doubt",
  },
  { seed: 114105043, ticks: 10_000, what: "ids that nobody has are waited for" },
  { seed: 110005236, ticks: 10_000, what: "leadership goes to one that lacks what is added last" },
  { seed: 95000032, ticks: 20_000, what: "WAIT counts on old voters that the leader has left" },
];

test("the same seed gives the same trace, byte for byte", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const options = { seed, ticks: 1500, real, isTraced: true };
    const first = await simulate(options);
    const second = await simulate(options);
    expect(second.trace.lines.join("\n")).toBe(first.trace.lines.join("\n"));
    expect(second.hash).toBe(first.hash);
    expect(first.trace.lines.length).toBeGreaterThan(50);
  }
}, SLOW_MS);

test("seeds of bugs that were found", async () => {
  for (const { seed, ticks, what } of FOUND) {
    const { violation } = await simulate({ seed, ticks, real });
    expect([what, violation]).toEqual([what, undefined]);
  }
}, SLOW_MS);

test("fixed seeds hold", async () => {
  const { failure, totals } = await runSeeds({
    firstSeed: 1000,
    seeds: 40,
    ticks: 8000,
    nodes: undefined,
    jobs: 1,
    progress: () => {},
  });
  expect(failure).toBeUndefined();
  expect(totals.counts.acknowledged).toBeGreaterThan(500);
}, SLOW_MS);

test("fresh seeds hold", async () => {
  const firstSeed = Math.floor(Math.random() * 2 ** 30);
  const again = `balsa sim --seed ${firstSeed} --seeds 40 --ticks 8000`;
  console.log(`fresh seeds from ${firstSeed} on: ${again}`);
  const { failure } = await runSeeds({
    firstSeed,
    seeds: 40,
    ticks: 8000,
    nodes: undefined,
    jobs: 1,
    progress: () => {},
  });
  expect(failure).toBeUndefined();
}, SLOW_MS);
