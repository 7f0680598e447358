import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import { sparkline } from "../../src/commands/sparkline.ts";
import { VerbatimReply } from "../../src/resp/reply.ts";
import { type RawClient, RealRedis } from "../compat/real_redis.ts";
import { RespClient } from "../system/resp_client.ts";
import { FakeNode } from "./fake_views.ts";

let redis: RealRedis;

beforeAll(async () => {
  redis = await RealRedis.start("--enable-debug-command", "yes");
});
afterAll(() => redis.stop());

/** Has redis-server sleep as long in turn, each time in another second but where it is "same". */
async function makeEvents(client: RespClient, sleepsMs: readonly (number | "same")[]) {
  await client.command("CONFIG", "SET", "latency-monitor-threshold", "5");
  let isSame = false;
  for (const each of sleepsMs) {
    if (each === "same") {
      isSame = true;
      continue;
    }
    if (!isSame) await Bun.sleep(1001 - Date.now() % 1000);
    isSame = false;
    await client.command("DEBUG", "SLEEP", String(each / 1000));
  }
  await client.command("CONFIG", "SET", "latency-monitor-threshold", "0");
}

/** A node that has seen what redis-server has. */
async function nodeWithEvents(client: RespClient): Promise<FakeNode> {
  const node = new FakeNode();
  for (const [name] of await client.command("LATENCY", "LATEST") as [string][]) {
    const samples = await client.command("LATENCY", "HISTORY", name) as [number, number][];
    for (const [atSeconds, durationMs] of samples) {
      node.latencyMonitor.add(name, durationMs, atSeconds * 1000);
    }
  }
  return node;
}

/** The reply of redis-server, and the second in which it was made. */
async function inOneSecond(
  client: RespClient,
  real: RawClient,
  argv: readonly Bytes[],
): Promise<{ reply: Bytes | undefined; nowSeconds: number }> {
  for (;;) {
    const [before] = await client.command("TIME") as string[];
    const reply = await real.send(argv);
    const [after] = await client.command("TIME") as string[];
    if (before === after) return { reply, nowSeconds: Number(before) };
  }
}

test("LATENCY tells and draws what redis-server does of the same events", async () => {
  const client = await RespClient.open(redis.port);
  await makeEvents(client, [10, 60, "same", 8, 30, 110]);
  const node = await nodeWithEvents(client);
  const requests = ["LATEST", "HISTORY command", "HISTORY Command", "GRAPH command", "DOCTOR"];
  for (const protocol of [2, 3] as const) {
    const real = await redis.connect();
    if (protocol === 3) await real.send(["HELLO", "3"]);
    const fake = node.connect();
    fake.protocol = protocol;
    for (const request of requests) {
      const argv = ["LATENCY", ...request.split(" ")];
      const { reply, nowSeconds } = await inOneSecond(client, real, argv);
      node.nowUs = () => nowSeconds * 1_000_000;
      const ours = await node.runRaw(fake, argv);
      if (request !== "DOCTOR") expect(ours).toBe(reply ?? "");
      else expect(observed(ours)).toBe(observed(reply ?? ""));
    }
    real.close();
  }
  client.close();
});

/** The report without its length and its advice. */
function observed(report: Bytes): Bytes {
  return report.slice(report.indexOf("Dave"), report.indexOf("\nI have"));
}

test("a graph of more than 80 points goes on below", () => {
  const points = Array.from({ length: 82 }, (_, i) => ({ value: i === 81 ? 12 : 0, label: "9m" }));
  const lines = sparkline(points).split("\n");
  const blank = " ".repeat(80);
  const first = [blank, blank, blank, "_".repeat(80), blank, "9".repeat(80), "m".repeat(80)];
  const second = [" #", " |", " |", "_|", "  ", "99", "mm"];
  expect(lines).toEqual([...first, "", ...second, ""]);
});

test("labels of a graph tell seconds, minutes, hours and days", async () => {
  const node = new FakeNode();
  const nowMs = node.nowUs() / 1000;
  for (const seconds of [259_200, 7200, 120, 59]) {
    node.latencyMonitor.add("command", 7, nowMs - seconds * 1000);
  }
  const reply = await node.run(node.connect(), ["LATENCY", "GRAPH", "command"]);
  const { text } = reply as VerbatimReply;
  expect(text).toStartWith("command - high 7 ms, low 7 ms (all time high 7 ms)\n----");
  expect(text).toEndWith("\n____\n    \n3225\ndhm9\n   s\n");
});

test("LATENCY DOCTOR advises on what happened", async () => {
  const node = new FakeNode();
  const report = async () => {
    const reply = await node.run(node.connect(), ["LATENCY", "DOCTOR"]) as VerbatimReply;
    return reply.text;
  };
  node.config.set([["latency-monitor-threshold", "5"]]);
  expect(await report()).toStartWith("Dave, no latency spike was observed: nothing took 5 ms.");
  node.latencyMonitor.add("command", 7, node.nowUs() / 1000);
  expect(await report()).toContain("1. command: 1 latency spikes (average 7ms, mean deviation 0ms");
  expect(await report()).toContain("'CONFIG SET slowlog-log-slower-than 5000'");
  expect(await report()).not.toContain("expire at once");
  node.latencyMonitor.add("expire-cycle", 9, node.nowUs() / 1000);
  node.config.set([["slowlog-log-slower-than", "5000"]]);
  expect(await report()).not.toContain("CONFIG SET");
  expect(await report()).toContain("expire at once");
  node.config.set([["slowlog-log-slower-than", "-1"]]);
  expect(await report()).toContain("The slow log is off");
});
