import { afterAll, beforeAll, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { cleanupAll, residentBytes, type Server, startBalsa, startRedis } from "./harness.ts";
import { PROTOCOL_CASES, type ProtocolCase } from "./protocol_cases.ts";
import { encodeCommand, RespClient } from "./resp_client.ts";

const MIB = 1024 * 1024;

let balsa: Server;
let redis: Server;
beforeAll(async () => {
  [balsa, redis] = await Promise.all([startBalsa({ http: false }), startRedis()]);
});
afterAll(cleanupAll);

const SENTINEL = "sentinel-7b1f";

const HANG_MS = 4000;

/** All that a server answers to a case, up to the close or to the answer of a last ECHO. */
async function answers(port: number, testCase: ProtocolCase): Promise<string> {
  const client = await RespClient.open(port);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hang = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(client.unread + "(and hangs)"), HANG_MS);
  });
  const text = await Promise.race([hang, converse(client, testCase)]);
  clearTimeout(timer);
  client.close();
  return text;
}

async function converse(client: RespClient, testCase: ProtocolCase): Promise<string> {
  await client.send(testCase.bytes);
  if (testCase.then === "lives") {
    void client.send(encodeCommand(["ECHO", SENTINEL]));
    let text = "";
    while (!text.endsWith(SENTINEL + "\r\n")) {
      const raw = await client.readRaw().catch(() => undefined);
      if (raw === undefined) return text + "(and closed)";
      text += raw;
    }
    return text;
  }
  if (testCase.then === "waits") client.half();
  await client.whenClosed();
  return client.unread;
}

for (const testCase of PROTOCOL_CASES) {
  test(`${testCase.name}: answered and ${testCase.then} as redis-server does`, async () => {
    const expected = await answers(redis.port, testCase);
    expect(expected).not.toContain("(and ");
    expect(await answers(balsa.port, testCase)).toBe(expected);
  }, 180_000);
}

test("a bulk of 512 MiB is refused", async () => {
  const bytes = "*2\r\n$4\r\nECHO\r\n$536870912\r\n";
  expect(await answers(balsa.port, { name: "", bytes, then: "closes" })).toBe(
    "-ERR Protocol error: invalid bulk length\r\n",
  );
});

test("random bytes are answered as redis-server does", async () => {
  const seed = Number(process.env.BALSA_SEED ?? Date.now() % 1_000_000);
  console.log(`protocol: seed ${seed} (BALSA_SEED)`);
  const prng = new Prng(seed);
  const tokens = ["*1\r\n", "*2\r\n", "*", "$4\r\n", "$", "PING", "ECHO", "\r\n", "\n", "\r", " "];
  const more = ['"', "'", "\\x", "0", "1", "-1", "4", "\x01", "\xff", ":", encodeCommand(["PING"])];
  const all = [...tokens, ...more];
  for (let round = 0; round < 150; round++) {
    const length = 1 + prng.below(12);
    const bytes = Array.from({ length }, () => all[prng.below(all.length)]).join("");
    const testCase: ProtocolCase = { name: "", bytes, then: "waits" };
    const [expected, got] = await Promise.all([
      answers(redis.port, testCase),
      answers(balsa.port, testCase),
    ]);
    if (got !== expected) {
      throw new Error(
        `${JSON.stringify(bytes)}\nredis ${JSON.stringify(expected)}\n` +
          `balsa ${JSON.stringify(got)}`,
      );
    }
  }
});

test("before authentication a request is small", async () => {
  const [ours, theirs] = await Promise.all([
    startBalsa({ http: false, args: ["--password", "secret"] }),
    startRedis(["--requirepass", "secret"]),
  ]);
  for (const bytes of ["*11\r\n", "*2\r\n$16385\r\n", "*2\r\n$4\r\nAUTH\r\n$16385\r\n"]) {
    const testCase: ProtocolCase = { name: "", bytes, then: "closes" };
    const expected = await answers(theirs.port, testCase);
    expect(expected).toContain("unauthenticated");
    expect(await answers(ours.port, testCase)).toBe(expected);
  }
  await Promise.all([ours.stop(), theirs.stop()]);
});

test("a request split into single bytes is read as one", async () => {
  const client = await RespClient.open(balsa.port);
  for (const byte of encodeCommand(["ECHO", "a\r\nb"]) + "ECHO inline\r\n") {
    await client.send(byte);
  }
  expect(await client.read()).toBe("a\r\nb");
  expect(await client.read()).toBe("inline");
  client.close();
});

test("a client that asks for much and never reads is held back", async () => {
  const value = "v".repeat(MIB);
  const requests = Number(process.env.BALSA_SLOW_READER_MIB ?? "400");
  const writer = await RespClient.open(balsa.port);
  await writer.command("SET", "slow", value);
  const before = residentBytes(balsa.pid);
  const slow = await RespClient.open(balsa.port);
  slow.pause();
  await slow.send(encodeCommand(["GET", "slow"]).repeat(requests));
  let worst = 0;
  for (let i = 0; i < 20; i++) {
    expect(await writer.command("PING")).toBe("PONG");
    expect(await writer.command("SET", `beside:${i}`, "1")).toBe("OK");
    worst = Math.max(worst, residentBytes(balsa.pid) - before);
    await new Promise((wake) => setTimeout(wake, 25));
  }
  expect(worst).toBeLessThan(150 * MIB);
  slow.resume();
  for (let i = 0; i < requests; i++) {
    if ((await slow.read()) !== value) throw new Error(`Reply ${i} is not the value`);
  }
  slow.close();
  writer.close();
}, 180_000);

test("clients that never finish their request and go leave nothing behind", async () => {
  const probe = await RespClient.open(balsa.port);
  const before = residentBytes(balsa.pid);
  for (let round = 0; round < 4; round++) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => RespClient.open(balsa.port)),
    );
    const unfinished = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000000\r\n" + "x".repeat(2 * MIB);
    await Promise.all(clients.map((client) => client.send(unfinished)));
    expect(await probe.command("PING")).toBe("PONG");
    for (const client of clients) client.close();
  }
  expect(await probe.command("EXISTS", "a")).toBe(0);
  expect(residentBytes(balsa.pid) - before).toBeLessThan(400 * MIB);
  probe.close();
}, 180_000);

test.skipIf(process.env.BALSA_TEST_LONG !== "1")(
  "a request that grows without end is cut off (BALSA_TEST_LONG=1)",
  async () => {
    const client = await RespClient.open(balsa.port);
    const bulk = `$${MIB}\r\n${"x".repeat(MIB)}\r\n`;
    await client.send("*1000000\r\n");
    for (let sent = 0; sent < 1500 && !client.closed; sent++) await client.send(bulk);
    expect(client.closed).toBe(true);
    expect(residentBytes(balsa.pid)).toBeLessThan(2200 * MIB);
  },
  120_000,
);
