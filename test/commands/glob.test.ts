import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import { Prng } from "../../src/base/prng.ts";
import { globMatches } from "../../src/commands/glob.ts";
import { sameReply } from "./compare.ts";
import { LocalRunner } from "./local_runner.ts";
import { RedisReference } from "./redis_reference.ts";

describe("globMatches", () => {
  test("gives up early on stars that cannot match", () => {
    // Without the guard this takes longer than the universe has lasted.
    expect(globMatches("a*".repeat(50) + "b", "a".repeat(5000))).toBe(false);
  });

  test("bounds the nesting of stars", () => {
    expect(globMatches("*a".repeat(100_000), "a".repeat(100_000))).toBe(false);
    expect(globMatches("*a".repeat(900), "a".repeat(900))).toBe(true);
  });

  test("takes a long pattern of stars alone for one", () => {
    expect(globMatches("*".repeat(100_000), "x")).toBe(true);
  });
});

describe("KEYS with random patterns", () => {
  let reference: RedisReference;
  beforeAll(async () => {
    reference = await RedisReference.start();
  });
  afterAll(() => reference?.stop());

  test("finds the same keys as redis-server", async () => {
    const random = new Prng(7);
    const text = (alphabet: Bytes, lengthMax: number): Bytes => {
      let bytes = "";
      for (let left = random.below(lengthMax + 1); left > 0; left--) {
        bytes += alphabet[random.below(alphabet.length)];
      }
      return bytes;
    };
    const commands: Bytes[][] = [];
    for (let i = 0; i < 300; i++) {
      commands.push(["SET", text("abc-]^[\\*?\x00\x7f\x80\xff", 6), ""]);
    }
    for (let i = 0; i < 4000; i++) {
      const alphabet = i % 2 === 0 ? "aabbc*?" : "ab[[]]^-\\*?\x00\x80\xff";
      commands.push(["KEYS", text(alphabet, 10)]);
    }
    const connection = await reference.connect(2);
    const theirs = await connection.exec(commands);
    const runner = new LocalRunner(Date.now());
    const different = commands.filter((argv, index) =>
      !sameReply(argv, runner.exec(argv, 2), theirs[index])
    );
    expect(different).toEqual([]);
  });
});
