import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import {
  changed,
  decodeConfiguration,
  EMPTY_CONFIGURATION,
  encodeConfiguration,
  isJoint,
  left,
  memberIds,
} from "../../src/raft/membership.ts";
import type { Configuration } from "../../src/raft/types.ts";
import { DecodeError } from "../../src/raft/wire.ts";

const THREE: Configuration = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [4],
  learnersNext: [],
  addresses: { 1: "a", 2: "b", 3: "c", 4: "d" },
};

describe("changed", () => {
  test("a learner comes in one step, with its address", () => {
    const next = changed(THREE, { kind: "add_learner", id: 9, address: "e" })!;
    expect(next.learners).toEqual([4, 9]);
    expect(next.addresses[9]).toBe("e");
    expect(isJoint(next)).toBe(false);
  });

  test("a promotion goes through a joint configuration", () => {
    const joint = changed(THREE, { kind: "promote", id: 4 })!;
    expect(joint).toMatchObject({ voters: [1, 2, 3, 4], votersOutgoing: [1, 2, 3], learners: [] });
    expect(left(joint)).toEqual({ ...THREE, voters: [1, 2, 3, 4], learners: [] });
  });

  test("a removed voter keeps its address until the joint configuration is left", () => {
    const joint = changed(THREE, { kind: "remove", id: 2 })!;
    expect(joint).toMatchObject({ voters: [1, 3], votersOutgoing: [1, 2, 3] });
    expect(joint.addresses[2]).toBe("b");
    expect(left(joint)).toEqual({
      ...THREE,
      voters: [1, 3],
      addresses: { 1: "a", 3: "c", 4: "d" },
    });
  });

  test("a removed learner goes in one step", () => {
    const next = changed(THREE, { kind: "remove", id: 4 });
    expect(next).toEqual({ ...THREE, learners: [], addresses: { 1: "a", 2: "b", 3: "c" } });
  });

  test("outgoing voters named in learnersNext become learners", () => {
    const joint = { ...THREE, voters: [1, 2], votersOutgoing: [1, 2, 3], learnersNext: [3] };
    expect(left(joint)).toEqual({ ...THREE, voters: [1, 2], learners: [3, 4] });
  });

  test("what makes no sense is refused", () => {
    const one: Configuration = { ...THREE, voters: [1], learners: [] };
    expect(changed(one, { kind: "remove", id: 1 })).toBeUndefined();
    expect(changed(THREE, { kind: "remove", id: 8 })).toBeUndefined();
    expect(changed(THREE, { kind: "promote", id: 1 })).toBeUndefined();
    expect(changed(THREE, { kind: "promote", id: 8 })).toBeUndefined();
    expect(changed(THREE, { kind: "add_learner", id: 1, address: "x" })).toBeUndefined();
    expect(changed(THREE, { kind: "add_learner", id: 4, address: "x" })).toBeUndefined();
    expect(changed(THREE, { kind: "add_learner", id: 0, address: "x" })).toBeUndefined();
    expect(changed(THREE, { kind: "add_learner", id: 1.5, address: "x" })).toBeUndefined();
    expect(changed(THREE, { kind: "set_address", id: 8, address: "x" })).toBeUndefined();
    const joint = changed(THREE, { kind: "promote", id: 4 })!;
    expect(changed(joint, { kind: "remove", id: 1 })).toBeUndefined();
  });
});

test("memberIds names each once, ascending", () => {
  const joint = { ...THREE, voters: [5, 1], votersOutgoing: [1, 2], learnersNext: [2] };
  expect(memberIds(joint)).toEqual([1, 2, 4, 5]);
});

describe("encodeConfiguration, decodeConfiguration", () => {
  test("equal configurations give equal bytes, whatever the order", () => {
    const shuffled: Configuration = {
      ...THREE,
      voters: [3, 1, 2],
      addresses: { 4: "d", 2: "b", 3: "c", 1: "a" },
    };
    expect(encodeConfiguration(shuffled)).toEqual(encodeConfiguration(THREE));
    expect(decodeConfiguration(encodeConfiguration(shuffled))).toEqual(THREE);
    const empty = decodeConfiguration(encodeConfiguration(EMPTY_CONFIGURATION));
    expect(empty).toEqual(EMPTY_CONFIGURATION);
  });

  test("duplicates, disorder, other versions and a voting learner are refused", () => {
    const bytesOf = (voters: number[], learners: number[]) =>
      new Uint8Array([1, voters.length, ...voters, 0, learners.length, ...learners, 0, 0]);
    expect(decodeConfiguration(bytesOf([1, 2], [3])).voters).toEqual([1, 2]);
    expect(() => decodeConfiguration(bytesOf([2, 2], []))).toThrow(DecodeError);
    expect(() => decodeConfiguration(bytesOf([0], []))).toThrow(DecodeError);
    expect(() => decodeConfiguration(bytesOf([1], [1]))).toThrow(DecodeError);
    expect(() => decodeConfiguration(new Uint8Array([2, 0, 0, 0, 0, 0]))).toThrow("version 2");
  });

  test("random bytes give a DecodeError or a configuration that encodes to the same bytes", () => {
    const random = new Prng(2);
    for (let round = 0; round < 20_000; round++) {
      const bytes = new Uint8Array(random.below(24));
      for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(at === 0 ? 2 : 6);
      try {
        expect(encodeConfiguration(decodeConfiguration(bytes))).toEqual(bytes);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
  });
});
