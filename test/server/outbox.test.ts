import { beforeEach, expect, test } from "bun:test";
import { BATCH_BYTES_MAX } from "../../src/constants.ts";
import { commandBytes } from "../../src/server/batch.ts";
import { Outbox } from "../../src/server/outbox.ts";
import type { Pending } from "../../src/server/session.ts";
import { FakeSession, pendingOf } from "./fakes.ts";

let outbox: Outbox;
let pushed: Pending[];

beforeEach(() => {
  outbox = new Outbox();
  pushed = [];
});

function push(count: number, valueBytes = 1): void {
  for (let i = 0; i < count; i++) {
    const pending = pendingOf(new FakeSession(), ["SET", "key", "x".repeat(valueBytes)]);
    pushed.push(pending);
    outbox.push(pending);
  }
}

test("commands are numbered from one, without a gap", () => {
  push(2);
  expect(outbox.takeUnsent()).toEqual({ firstSequence: 1, commands: pushed.slice(0, 2) });
  expect(outbox.hasUnsent).toBe(false);
  push(1);
  expect(outbox.takeUnsent()).toEqual({ firstSequence: 3, commands: pushed.slice(2) });
});

test("a batch stays within its bytes, and one command is always taken", () => {
  push(3, BATCH_BYTES_MAX / 2);
  push(1, 2 * BATCH_BYTES_MAX);
  const sizes: number[] = [];
  while (outbox.hasUnsent) sizes.push(outbox.takeUnsent().commands.length);
  expect(sizes).toEqual([1, 1, 1, 1]);
});

test("what was taken back or is to be sent again comes out the same", () => {
  push(3);
  const batch = outbox.takeUnsent();
  outbox.untake(batch);
  expect(outbox.takeUnsent()).toEqual(batch);
  expect(pushed.some(({ wasSent }) => wasSent)).toBe(false);
  outbox.resend();
  expect(pushed.every(({ wasSent }) => wasSent)).toBe(true);
  expect(outbox.takeUnsent()).toEqual(batch);
});

test("settle takes out in order, by number; what is gone is gone", () => {
  push(3);
  outbox.takeUnsent();
  expect(outbox.settle(1)).toBe(pushed[0]);
  expect(outbox.settle(1)).toBeUndefined();
  expect(outbox.settle(2)).toBe(pushed[1]);
  expect(outbox.length).toBe(1);
  outbox.resend();
  expect(outbox.takeUnsent()).toEqual({ firstSequence: 3, commands: [pushed[2]] });
  expect(outbox.settle(3)).toBe(pushed[2]);
  expect([outbox.length, outbox.bytes]).toEqual([0, 0]);
});

test("settle of what was sent in an earlier term, and not yet again, keeps the numbers", () => {
  push(3);
  outbox.takeUnsent();
  outbox.resend();
  expect(outbox.settle(1)).toBe(pushed[0]);
  expect(outbox.settle(2)).toBe(pushed[1]);
  expect(outbox.takeUnsent()).toEqual({ firstSequence: 3, commands: [pushed[2]] });
});

test("blank keeps a command's number", () => {
  push(2);
  const { argv } = pushed[0];
  const earlier = outbox.takeUnsent();
  outbox.resend();
  const [{ at }] = outbox.held();
  outbox.blank(at);
  expect(earlier.commands[0].argv).toBe(argv);
  expect(outbox.takeUnsent().commands.map((pending) => pending.argv)).toEqual([
    [],
    pushed[1].argv,
  ]);
  expect(outbox.bytes).toBe(commandBytes([]) + commandBytes(argv));
});

test("numbers and bytes stay right over many commands", () => {
  let next = 1;
  for (let round = 0; round < 200; round++) {
    push(50);
    while (outbox.hasUnsent) outbox.takeUnsent();
    const end = next + 30 + round % 20;
    for (; next < end; next++) expect(outbox.settle(next)).toBe(pushed[next - 1]);
    if (round % 7 === 0) outbox.resend();
  }
  const held = [...outbox.held()].map(({ pending }) => pending);
  expect(held).toEqual(pushed.slice(next - 1));
  expect(outbox.bytes).toBe(held.reduce((sum, { argv }) => sum + commandBytes(argv), 0));
});

test("what a snapshot covers is taken out, the rest keeps its numbers", () => {
  push(5);
  outbox.takeUnsent();
  expect(outbox.takeUpTo(3)).toEqual(pushed.slice(0, 3).map((each, i) => [i + 1, each]));
  expect(outbox.takeUpTo(3)).toEqual([]);
  expect(outbox.settle(4)).toBe(pushed[3]);
  expect(outbox.takeUpTo(99)).toEqual([[5, pushed[4]]]);
  push(1);
  expect(outbox.takeUnsent()).toEqual({ firstSequence: 6, commands: pushed.slice(5) });
});
