import { expect, test } from "bun:test";
import type { DataCommand } from "../../src/commands/command.ts";
import { CallTimer, SampleTimer } from "../../src/server/call_timer.ts";

const run = () => null;
const QUICK: DataCommand = { name: "get", arity: 2, path: "read", isQuick: true, run };
const OTHER: DataCommand = { name: "keys", arity: 2, path: "read", run };

function makeTimer<Timer extends CallTimer | SampleTimer>(
  make: (nowMs: () => number) => Timer,
) {
  const clock = { nowMs: 100, looks: 0 };
  const timer = make(() => {
    clock.looks++;
    return clock.nowMs;
  });
  const call = (command: DataCommand, ms: number): number => {
    timer.before(command);
    clock.nowMs += ms;
    return timer.after(command);
  };
  return { clock, timer, call };
}

function makeCallTimer() {
  const { clock, timer, call } = makeTimer((nowMs) => new CallTimer(nowMs));
  timer.start();
  return { clock, call };
}

test("CallTimer: a command that is not quick is timed by itself, also among quick ones", () => {
  const { call } = makeCallTimer();
  expect(call(OTHER, 5)).toBe(5);
  call(QUICK, 1);
  expect(call(OTHER, 7)).toBe(7);
});

test("CallTimer: quick commands share looks at the clock, and their sum is exact", () => {
  const { clock, call } = makeCallTimer();
  let sumMs = 0;
  for (let i = 0; i < 64; i++) sumMs += call(QUICK, 2);
  expect(sumMs).toBe(128);
  expect(clock.looks).toBe(1 + 64 / 16);
});

test("CallTimer: no time is negative when a group was faster than the one before", () => {
  const { call } = makeCallTimer();
  for (let i = 0; i < 16; i++) call(QUICK, 9);
  for (let i = 0; i < 16; i++) expect(call(QUICK, 1)).toBeGreaterThanOrEqual(0);
});

test("SampleTimer: one quick command stands for a group, each other is timed by itself", () => {
  const { clock, call } = makeTimer((nowMs) => new SampleTimer(nowMs));
  expect(call(QUICK, 2)).toBe(2);
  expect(call(OTHER, 7)).toBe(7);
  for (let i = 1; i < 16; i++) expect(call(QUICK, 9)).toBe(2);
  expect(clock.looks).toBe(4);
  expect(call(QUICK, 3)).toBe(3);
});
