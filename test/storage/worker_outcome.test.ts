import { expect, test } from "bun:test";
import { WorkerOutcome } from "../../src/storage/worker_outcome.ts";

test("what was committed before says nothing of what has begun since", () => {
  const loop = new WorkerOutcome();
  const worker = new WorkerOutcome(loop.memory);
  loop.begin();
  expect(loop.isCommitted()).toBe(false);
  worker.advance(true);
  expect(loop.isCommitted()).toBe(true);
  loop.begin();
  expect(loop.isCommitted()).toBe(false);
  worker.fail(new Error("it breaks"));
  expect(() => loop.isCommitted()).toThrow("it breaks");
  loop.begin();
  expect(loop.isCommitted()).toBe(false);
  worker.advance(true);
  expect(loop.isCommitted()).toBe(true);
});
