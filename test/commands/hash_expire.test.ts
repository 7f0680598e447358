import { describe, expect, test } from "bun:test";
import { LocalRunner } from "./local_runner.ts";

const NOW_MS = 1_800_000_000_000;
const ARITY = "wrong number of arguments";
const MISSING = "Mandatory argument FIELDS is missing or not at the right position";
const POSITIVE = "Number of fields must be a positive integer";
const MISMATCH = "The `numfields` parameter must match the number of arguments";
const NEGATIVE = "invalid expire time, must be >= 0";

/** Commands that redis-server 7.0 does not have, with the errors of Redis 8.0. */
const REFUSED: readonly (readonly [string, string])[] = [
  ["HGETEX h FIELDS 1", `${ARITY} for 'hgetex' command`],
  ["HGETEX h XFIELDX 1 a", MISSING],
  ["HGETEX h PXAT 1 1", MISSING],
  ["HGETEX h PERSIST 1 FIELDS 1 a", MISSING],
  ["HGETEX h FIELDS 2 a", MISMATCH],
  ["HGETEX h FIELDS 1 a b", MISMATCH],
  ["HGETEX h FIELDS 0 a", POSITIVE],
  ["HGETEX h FIELDS 9223372036854775808 a", POSITIVE],
  ["HGETEX h EX x FIELDS 1 a", "value is not an integer or out of range"],
  ["HGETEX h PX -1 FIELDS 1 a", NEGATIVE],
  ["HGETEX h EX 281474976710656 FIELDS 1 a", "invalid expire time in 'hgetex' command"],
  ["HSETEX h FIELDS 2 a 1", ARITY],
  ["HSETEX h FIELDS 2 a 1 b", ARITY],
  ["HSETEX h FIELDS 1 a 1 b", ARITY],
  ["HSETEX h NX FIELDS 1 a 1", "unknown argument: NX"],
  ["HSETEX h FIELDS 0 a 1", "invalid number of fields"],
  ["HSETEX h FXX FNX FIELDS 1 a 1", "Only one of FXX or FNX arguments can be specified"],
  ["HEXPIRE h -1 FIELDS 1 a", NEGATIVE],
  ["HEXPIRE h 10 NX FIELDS 0 a", "Parameter `numFields` should be greater than 0"],
  ["HEXPIRE h 10 NX FIELDS 2 a", MISMATCH],
  ["HPERSIST h FIELDS 2 a", MISMATCH],
  ["HTTL h FIELDS 1 a b", MISMATCH],
];

describe("fields that expire", () => {
  for (const [command, message] of REFUSED) {
    test(`${command} is refused`, () => {
      const reply = new LocalRunner(NOW_MS).exec(command.split(" "), 2);
      expect(reply).toStartWith(`-ERR ${message}`);
    });
  }

  test("an option of HGETEX or HSETEX may follow the fields", () => {
    const runner = new LocalRunner(NOW_MS);
    expect(runner.exec("HSETEX h FIELDS 1 a 1 EX 10".split(" "), 2)).toBe(":1\r\n");
    expect(runner.exec("HTTL h FIELDS 1 a".split(" "), 2)).toBe("*1\r\n:10\r\n");
    expect(runner.exec("HGETEX h FIELDS 1 a PERSIST".split(" "), 2)).toBe("*1\r\n$1\r\n1\r\n");
    expect(runner.exec("HTTL h FIELDS 1 a".split(" "), 2)).toBe("*1\r\n:-1\r\n");
  });

  /** What Redis 8.0 tells of commands of its own, in its order. */
  const events: readonly (readonly [string, string])[] = [
    ["HSETEX h FIELDS 1 a 1", "hset"],
    ["HSETEX h EX 10 FIELDS 2 a 1 b 2", "hset hexpire"],
    ["HSETEX h FXX KEEPTTL FIELDS 1 a 2", "hset"],
    ["HSETEX h FNX EX 10 FIELDS 1 a 2", ""],
    ["HSETEX h PXAT 1 FIELDS 1 a 1", "hset hdel"],
    ["HSETEX h PXAT 1 FIELDS 1 b 1", "hset hdel del"],
    ["HSETEX h PXAT 1 FIELDS 1 a 1", "hset hdel del"],
    ["HSET h a 1 b 2 c 3", "hset"],
    ["HEXPIRE h 10 FIELDS 2 a none", "hexpire"],
    ["HEXPIRE h 10 NX FIELDS 1 a", ""],
    ["HGETEX h FIELDS 1 a", ""],
    ["HGETEX h PERSIST FIELDS 1 a", "hpersist"],
    ["HGETEX h EX 10 FIELDS 1 a", "hexpire"],
    ["HPERSIST h FIELDS 1 a", "hpersist"],
    ["HGETEX h PXAT 1 FIELDS 1 a", "hdel"],
    ["HGETDEL h FIELDS 1 b", "hdel"],
    ["HEXPIREAT h 1 FIELDS 1 c", "hdel del"],
  ];
  test("tell of themselves as in Redis 8.0", () => {
    const runner = new LocalRunner(NOW_MS);
    const seen: string[] = [];
    runner.context.notifier = (_, event) => seen.push(event);
    const told = events.map(([command]) => {
      seen.length = 0;
      runner.exec(command.split(" "), 2);
      return [command, seen.join(" ")] as const;
    });
    expect(told).toEqual([...events]);
  });
});
