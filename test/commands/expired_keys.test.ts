import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { DATABASE_COUNT } from "../../src/constants.ts";
import { show } from "./compare.ts";
import { LocalRunner } from "./local_runner.ts";
import { randomCommand, randomKey } from "./random_commands.ts";

const NOW_MS = 1_800_000_000_000;

describe("a key that has expired but is still stored", () => {
  test("is absent for every command", () => {
    const random = new Prng(5);
    const clean = new LocalRunner(NOW_MS);
    const littered = new LocalRunner(NOW_MS);
    for (let i = 0; i < 50_000; i++) {
      const { context } = littered;
      const [db, key] = [random.below(3), randomKey(random)];
      if (context.findIn(db, key) === undefined) {
        context.ops.set(db, key, `${random.below(100)}`, NOW_MS - random.below(1000));
      }
      const argv = randomCommand(random);
      if (argv[0] === "KEYS" || argv[0] === "SCAN") continue;
      const [ours, theirs] = [littered.exec(argv, 3), clean.exec(argv, 3)];
      expect(`${show(argv)} ${ours}`).toBe(`${show(argv)} ${theirs}`);
    }
    expect(liveKeys(littered)).toEqual(liveKeys(clean));
  });

  test("is not listed", () => {
    const runner = new LocalRunner(NOW_MS);
    for (let i = 0; i < 5000; i++) runner.context.ops.set(0, `k${i}`, "", NOW_MS);
    expect(runner.exec(["KEYS", "*"], 2)).toBe("*0\r\n");
    expect(runner.exec(["SCAN", "0", "COUNT", "9999"], 2)).toBe("*2\r\n$1\r\n0\r\n*0\r\n");
    expect(runner.exec(["RANDOMKEY"], 2)).toBe("$-1\r\n");
    runner.context.ops.set(0, "live", "", NOW_MS + 1);
    expect(runner.exec(["RANDOMKEY"], 2)).toBe("$4\r\nlive\r\n");
    expect(runner.exec(["KEYS", "*"], 2)).toBe("*1\r\n$4\r\nlive\r\n");
    expect(runner.context.dueSeen).toBe(false);
  });

  test("is still there, and noted, while only the clock says so", () => {
    const { context } = new LocalRunner(NOW_MS);
    context.ops.set(0, "k", "v", NOW_MS + 5);
    expect(context.find("k")?.value).toBe("v");
    expect(context.dueSeen).toBe(false);
    context.nowMs = NOW_MS + 5;
    expect(context.find("k")?.value).toBe("v");
    expect(context.dueSeen).toBe(true);
  });
});

/** Each live key with its value and expiry. */
function liveKeys({ context }: LocalRunner): string[] {
  const keys: string[] = [];
  for (let db = 0; db < DATABASE_COUNT; db++) {
    for (const key of context.ops.keys(db)) {
      const record = context.findIn(db, key);
      if (record === undefined) continue;
      keys.push(JSON.stringify([db, key, record.type, record.value, record.expireAtMs]));
    }
  }
  return keys.sort();
}
