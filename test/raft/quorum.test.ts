import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { isSoleVoter, isVoter, majorityValue, voteResult } from "../../src/raft/quorum.ts";
import type { Configuration } from "../../src/raft/types.ts";

function configuration(voters: number[], votersOutgoing: number[] = []): Configuration {
  return { voters, votersOutgoing, learners: [], learnersNext: [], addresses: {} };
}

function votes(granted: number[], refused: number[]): Map<number, boolean> {
  return new Map([
    ...granted.map((id): [number, boolean] => [id, true]),
    ...refused.map((id): [number, boolean] => [id, false]),
  ]);
}

describe("majorityValue", () => {
  test("is the largest value that a majority reached", () => {
    expect(majorityValue([], 0)).toBe(Infinity);
    expect(majorityValue([7], 1)).toBe(7);
    expect(majorityValue([7, 3], 2)).toBe(3);
    expect(majorityValue([7, 3, 5], 3)).toBe(5);
    expect(majorityValue([9, 1, 5, 3], 4)).toBe(3);
    expect(majorityValue([9, 1, 5, 3, 7], 5)).toBe(5);
  });

  test("ignores what lies beyond the count", () => {
    expect(majorityValue([1, 2, 3, 100, 100, 100], 3)).toBe(2);
  });

  test("agrees with counting, on random values", () => {
    const random = new Prng(3);
    for (let round = 0; round < 2000; round++) {
      const count = 1 + random.below(7);
      const values = Array.from({ length: count }, () => random.below(10));
      const reached = (value: number) => values.filter((other) => other >= value).length;
      const expected = Math.max(...[...values].filter((value) => reached(value) * 2 > count));
      expect(majorityValue([...values], count)).toBe(expected);
    }
  });
});

describe("voteResult", () => {
  test("of a single majority", () => {
    const three = configuration([1, 2, 3]);
    expect(voteResult(three, votes([1], []))).toBe("pending");
    expect(voteResult(three, votes([1, 3], []))).toBe("won");
    expect(voteResult(three, votes([1], [2, 3]))).toBe("lost");
    expect(voteResult(configuration([1, 2]), votes([1], [2]))).toBe("lost");
    expect(voteResult(configuration([1, 2, 3, 4]), votes([1, 2], [3]))).toBe("pending");
    expect(voteResult(configuration([1, 2, 3, 4]), votes([1, 2], [3, 4]))).toBe("lost");
  });

  test("of a joint configuration needs both majorities and is lost with either", () => {
    const joint = configuration([3, 4, 5], [1, 2, 3]);
    expect(voteResult(joint, votes([3, 4, 5], []))).toBe("pending");
    expect(voteResult(joint, votes([3, 4, 1], []))).toBe("won");
    expect(voteResult(joint, votes([3, 4, 5], [1, 2]))).toBe("lost");
    expect(voteResult(joint, votes([1, 2, 3], [4, 5]))).toBe("lost");
    expect(voteResult(joint, votes([1, 2], []))).toBe("pending");
  });

  test("votes of strangers and learners do not count", () => {
    expect(voteResult(configuration([1, 2, 3]), votes([1, 8, 9], []))).toBe("pending");
  });
});

test("isVoter and isSoleVoter look at both halves", () => {
  expect(isVoter(configuration([1], [2]), 2)).toBe(true);
  expect(isVoter(configuration([1], [2]), 3)).toBe(false);
  expect(isSoleVoter(configuration([1]), 1)).toBe(true);
  expect(isSoleVoter(configuration([1], [1]), 1)).toBe(true);
  expect(isSoleVoter(configuration([1], [1, 2]), 1)).toBe(false);
  expect(isSoleVoter(configuration([]), 1)).toBe(false);
});
