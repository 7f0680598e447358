import { afterAll, expect, test } from "bun:test";
import { cleanupAll, sleep, startBalsa, startRedis } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

afterAll(cleanupAll);

/** What may or may not count as a use of the key "k". */
const LOOKS = [
  ["GET", "k"],
  ["EXISTS", "k"],
  ["TYPE", "k"],
  ["TTL", "k"],
  ["PEXPIRETIME", "k"],
  ["OBJECT", "ENCODING", "k"],
  ["OBJECT", "FREQ", "k"],
  ["MEMORY", "USAGE", "k"],
  ["STRLEN", "k"],
  ["GETRANGE", "k", "0", "1"],
  ["SCAN", "0", "TYPE", "string"],
  ["KEYS", "*"],
  ["TOUCH", "k"],
  ["APPEND", "k", "x"],
  ["PERSIST", "k"],
] as const;

/** For each look, on a key of its own, whether OBJECT IDLETIME starts over with it. */
async function usesOf(port: number, noTouch: boolean): Promise<boolean[]> {
  const client = await RespClient.open(port);
  const looker = await RespClient.open(port);
  if (noTouch) expect(await looker.command("CLIENT", "NO-TOUCH", "ON")).toBe("OK");
  const keyOf = (i: number) => `{${i}}k`;
  for (const i of LOOKS.keys()) await client.command("SET", keyOf(i), "value");
  await sleep(3100);
  const uses: boolean[] = [];
  for (const [i, words] of LOOKS.entries()) {
    await looker.command(...words.map((word) => word === "k" ? keyOf(i) : word));
    uses.push(Number(await client.command("OBJECT", "IDLETIME", keyOf(i))) < 2);
  }
  expect(await client.command("OBJECT", "IDLETIME", "absent")).toBeNull();
  client.close();
  looker.close();
  return uses;
}

test("OBJECT IDLETIME counts, and what counts as a use is as in redis-server", async () => {
  const [balsa, redis] = await Promise.all([startBalsa({ http: false }), startRedis([])]);
  const [ours, theirs] = await Promise.all([
    usesOf(balsa.port, false),
    usesOf(redis.port, false),
  ]);
  expect(LOOKS.map(([name], i) => [name, ours[i]])).toEqual(
    LOOKS.map(([name], i) => [name, theirs[i]]),
  );
  expect(ours).toContain(true);
  expect(ours).toContain(false);
  await Promise.all([balsa.stop(), redis.stop()]);
});

test("CLIENT NO-TOUCH: only TOUCH and writes count as a use", async () => {
  const balsa = await startBalsa({ http: false });
  const uses = await usesOf(balsa.port, true);
  const used = LOOKS.filter((_, i) => uses[i]).map(([name]) => name);
  expect(used).toEqual(["TOUCH", "APPEND", "PERSIST"]);
  await balsa.stop();
});
