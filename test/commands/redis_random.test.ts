import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import { Prng } from "../../src/base/prng.ts";
import type { Protocol } from "../../src/resp/encoder.ts";
import { sameReply, show } from "./compare.ts";
import { LocalRunner } from "./local_runner.ts";
import { randomCommand } from "./random_commands.ts";
import { RedisReference, type ReferenceConnection } from "./redis_reference.ts";

const SEED = Number(process.env.BALSA_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const COMMANDS = Number(process.env.BALSA_TEST_COMMANDS ?? 10_000);

describe(`random commands answer as redis-server does (BALSA_TEST_SEED=${SEED})`, () => {
  let reference: RedisReference;
  beforeAll(async () => {
    reference = await RedisReference.start();
  });
  afterAll(() => reference?.stop());

  for (const protocol of [2, 3] as const) {
    test(`RESP${protocol}`, async () => {
      const random = new Prng(SEED + protocol);
      const commands = Array.from({ length: COMMANDS }, () => randomCommand(random));
      const connection = await reference.connect(protocol);
      const difference = await firstDifference(connection, commands, protocol);
      if (difference === undefined) return;
      const shortest = await shorten(connection, commands.slice(0, difference + 1), protocol);
      expect(await report(connection, shortest, protocol)).toBe("no difference");
    }, 180_000);
  }
});

/** The index of the first command that is answered differently, both starting empty. */
async function firstDifference(
  connection: ReferenceConnection,
  commands: readonly Bytes[][],
  protocol: Protocol,
): Promise<number | undefined> {
  const setup = [["SELECT", "0"], ["FLUSHALL"]];
  const [, , ...theirs] = await connection.exec([...setup, ...commands]);
  const runner = new LocalRunner(Date.now());
  for (const [index, argv] of commands.entries()) {
    if (!sameReply(argv, runner.exec(argv, protocol), theirs[index])) return index;
  }
  return undefined;
}

/** Commands that shortening may run in all: it must end long before the test times out. */
const SHORTENING_COMMANDS = 1_000_000;

/** Leaves out what the difference at the last command does not need. */
async function shorten(
  connection: ReferenceConnection,
  commands: Bytes[][],
  protocol: Protocol,
): Promise<Bytes[][]> {
  let kept = commands;
  let left = SHORTENING_COMMANDS;
  for (let size = kept.length >> 1; size >= 1; size >>= 1) {
    for (let end = kept.length - 1; end > 0 && left > 0; end -= size) {
      const fewer = [...kept.slice(0, Math.max(0, end - size)), ...kept.slice(end)];
      left -= fewer.length;
      if (await firstDifference(connection, fewer, protocol) === fewer.length - 1) kept = fewer;
    }
  }
  return kept;
}

async function report(
  connection: ReferenceConnection,
  commands: readonly Bytes[][],
  protocol: Protocol,
): Promise<string> {
  const [, , ...theirs] = await connection.exec([["SELECT", "0"], ["FLUSHALL"], ...commands]);
  const runner = new LocalRunner(Date.now());
  const ours = commands.map((argv) => runner.exec(argv, protocol));
  const replies = `ours:  ${JSON.stringify(ours.at(-1))}\nredis: ${JSON.stringify(theirs.at(-1))}`;
  return `${commands.map(show).join("\n")}\n${replies}`;
}
