import { afterAll, beforeAll, expect, test } from "bun:test";
import { cleanupAll, startBalsa, startRedis } from "../system/harness.ts";
import { sameReply } from "./compare.ts";
import { type Ports, runGroup } from "./differential.ts";
import { GROUPS } from "./generator.ts";

const COMMANDS = Number(process.env.BALSA_COMPAT_COMMANDS ?? "1500");
const FRESH_SEED = Number(process.env.BALSA_SEED ?? Date.now() % 1_000_000);

let ports: Ports;
beforeAll(async () => {
  const [balsa, redis] = await Promise.all([
    startBalsa({ http: false }),
    startRedis(["--enable-debug-command", "yes"]),
  ]);
  ports = { balsa: balsa.port, redis: redis.port };
  console.log(`differential: fresh seed ${FRESH_SEED} (BALSA_SEED)`);
});
afterAll(cleanupAll);

for (const group of GROUPS) {
  for (const protocol of [2, 3] as const) {
    for (const [name, seed] of [["seed 1", 1], ["a fresh seed", FRESH_SEED]] as const) {
      test(`${group}, RESP${protocol}, ${name}: as redis-server`, async () => {
        const found = await runGroup(ports, { seed, commands: COMMANDS, group, protocol });
        expect(found).toBeUndefined();
      }, 120_000);
    }
  }
}

test("sameReply allows what the clock changes and nothing else", () => {
  expect(sameReply(["TTL", "a"], ":100\r\n", ":99\r\n")).toBe(true);
  expect(sameReply(["TTL", "a"], ":-1\r\n", ":-2\r\n")).toBe(false);
  expect(sameReply(["TTL", "a"], ":100\r\n", ":-1\r\n")).toBe(false);
  expect(sameReply(["STRLEN", "a"], ":100\r\n", ":99\r\n")).toBe(false);
  expect(sameReply(["KEYS", "*"], "*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"))
    .toBe(true);
  expect(sameReply(["KEYS", "*"], "*1\r\n$1\r\na\r\n", "*1\r\n$1\r\nb\r\n")).toBe(false);
});
