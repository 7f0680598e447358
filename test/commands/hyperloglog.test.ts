import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import { Prng } from "../../src/base/prng.ts";
import { LocalRunner } from "./local_runner.ts";
import { RedisReference } from "./redis_reference.ts";

describe("HyperLogLog", () => {
  let reference: RedisReference;
  beforeAll(async () => {
    reference = await RedisReference.start();
  });
  afterAll(() => reference?.stop());

  /** Indexes of commands whose replies differ; each GET shows the value byte for byte. */
  async function differences(commands: readonly Bytes[][]): Promise<number[]> {
    const connection = await reference.connect(2);
    const [, ...theirs] = await connection.exec([["FLUSHALL"], ...commands]);
    const runner = new LocalRunner(Date.now());
    const indexes: number[] = [];
    for (const [index, argv] of commands.entries()) {
      if (runner.exec(argv, 2) !== theirs[index]) indexes.push(index);
    }
    return indexes;
  }

  test("has Redis's bytes at each step from empty to dense", async () => {
    const commands: Bytes[][] = [];
    for (let i = 0; i < 2500; i++) commands.push(["PFADD", "k", `element:${i}`], ["GET", "k"]);
    expect(await differences(commands)).toEqual([]);
  });

  test("counts as Redis does, small and large", async () => {
    const commands: Bytes[][] = [];
    let next = 0;
    for (let size = 1; size <= 2000; size = Math.ceil(size * 1.5)) {
      for (let key = 0; key < 5; key++) {
        commands.push(["PFADD", `k${key}`, ...Array.from({ length: size }, () => `${next++}`)]);
        commands.push(["PFCOUNT", `k${key}`]);
      }
      commands.push(["PFCOUNT", "k0", "k1", "k2", "k3", "k4"]);
    }
    expect(await differences(commands)).toEqual([]);
  });

  test("merges to Redis's bytes", async () => {
    const random = new Prng(11);
    const key = (): Bytes => `k${random.below(6)}`;
    const commands: Bytes[][] = [];
    for (let i = 0; i < 400; i++) {
      const size = random.below(2) === 0 ? 3 : random.below(300);
      const elements = Array.from({ length: size }, () => `${random.below(5000)}`);
      const target = key();
      commands.push(["PFADD", key(), ...elements], ["PFMERGE", target, key(), key()]);
      commands.push(["GET", target], ["PFCOUNT", key(), key()]);
      if (i % 10 === 0) commands.push(["DEL", key()]);
    }
    expect(await differences(commands)).toEqual([]);
  });
});
