import { describe, expect, test } from "bun:test";
import { Progress } from "../../src/raft/progress.ts";

function replicating(match: number, inflightMax = 2): Progress {
  const progress = new Progress(2, match + 1, 0, inflightMax);
  progress.match = match;
  progress.becomeReplicate();
  return progress;
}

describe("Progress", () => {
  test("probe sends one append at a time", () => {
    const progress = new Progress(2, 11, 0, 2);
    expect(progress.isPaused).toBe(false);
    progress.sent(12);
    expect(progress.isPaused).toBe(true);
    expect(progress.next).toBe(11);
  });

  test("replicate sends ahead until the window is full", () => {
    const progress = replicating(10);
    progress.sent(12);
    expect(progress).toMatchObject({ next: 13, inflight: 1, isPaused: false });
    progress.sent(12);
    expect(progress.inflight).toBe(1);
    progress.sent(15);
    expect(progress).toMatchObject({ next: 16, inflight: 2, isPaused: true });
    progress.free(12);
    expect(progress).toMatchObject({ inflight: 1, isPaused: false });
    progress.sent(20);
    progress.free(19);
    expect(progress.inflight).toBe(1);
    progress.free(20);
    expect(progress.inflight).toBe(0);
  });

  test("advance never goes back, and next never lags behind match", () => {
    const progress = replicating(10);
    expect(progress.advance(10)).toBe(false);
    expect(progress.advance(9)).toBe(false);
    expect(progress.advance(14)).toBe(true);
    expect(progress).toMatchObject({ match: 14, next: 15 });
  });

  test("a refusal in replicate at or below match is stale", () => {
    const progress = replicating(10);
    progress.sent(20);
    expect(progress.refused(10, 3)).toBe(false);
    expect(progress.state).toBe("replicate");
    expect(progress.refused(12, 3)).toBe(true);
    expect(progress).toMatchObject({ state: "probe", next: 11, inflight: 0 });
  });

  test("a refusal in probe counts for the append under way only, and takes the hint", () => {
    const progress = new Progress(2, 21, 0, 2);
    progress.sent(20);
    expect(progress.refused(15, 3)).toBe(false);
    expect(progress.refused(20, 7)).toBe(true);
    expect(progress).toMatchObject({ next: 8, paused: false });
    expect(progress.refused(7, 100)).toBe(true);
    expect(progress.next).toBe(7);
  });

  test("a hint never leads to or below what matches", () => {
    const progress = new Progress(2, 21, 0, 2);
    progress.match = 12;
    expect(progress.refused(20, 3)).toBe(true);
    expect(progress.next).toBe(13);
  });

  test("snapshot sends nothing and takes no refusals", () => {
    const progress = new Progress(2, 1, 0, 2);
    progress.becomeSnapshot();
    expect(progress.isPaused).toBe(true);
    expect(progress.refused(0, 0)).toBe(false);
    progress.becomeProbe(51);
    expect(progress).toMatchObject({ state: "probe", next: 51, isPaused: false });
  });
});
