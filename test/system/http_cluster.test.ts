import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ClusterNode } from "./cluster_harness.ts";
import { TestCluster } from "./cluster_harness.ts";
import { sleep, until } from "./harness.ts";
import { ask, command, SseReader } from "./http_client.ts";

/** Where a node's HTTP listener is; it prints that at each start. */
function httpPort(node: ClusterNode): number {
  const ports = [...node.output.matchAll(/HTTP on http:\/\/127\.0\.0\.1:(\d+)/g)];
  return Number(ports.at(-1)?.[1] ?? 0);
}

async function ready(node: ClusterNode): Promise<void> {
  await until(async () => {
    const port = httpPort(node);
    if (port === 0) return false;
    return await ask(port, "/ready").then(({ status }) => status === 200, () => false);
  }, "a node that is ready");
}

describe("HTTP on three nodes", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start({ args: ["--http-port", "auto", "--changes-mb", "1"] });
    for (const node of cluster.nodes) await ready(node);
  }, 180_000);
  afterAll(() => cluster.stop());

  test("each node says who it is and what it does", async () => {
    const roles = await Promise.all(cluster.nodes.map(async (node) => {
      const { headers } = await ask(httpPort(node), "/health");
      return [headers.get("balsa-node"), headers.get("balsa-role")];
    }));
    expect(roles.map(([, role]) => role).sort()).toEqual(["follower", "follower", "leader"]);
    expect(new Set(roles.map(([node]) => node)).size).toBe(3);
  });

  test("who shows a sync token, or an index, reads its own writes from any node", async () => {
    const ports = cluster.nodes.map(httpPort);
    for (let i = 0; i < 60; i++) {
      const [to, from] = [ports[i % 3], ports[(i + 1) % 3]];
      const { headers } = await ask(to, `/set/own/${i}`);
      const shown: Record<string, string> = i % 2 === 0
        ? { "upstash-sync-token": headers.get("upstash-sync-token")! }
        : { "Balsa-Min-Index": headers.get("balsa-index")! };
      const stale = { "Balsa-Consistency": "stale", ...shown };
      expect(await command(from, ["GET", "own"], stale)).toBe(String(i));
    }
  });

  test("the change feed is the same on every node", async () => {
    const ports = cluster.nodes.map(httpPort);
    const since = (await ask(ports[0], "/set/start/1")).headers.get("balsa-index");
    const readers = ports.map((port) => new SseReader(port, `/changes?since=${since}`));
    for (let i = 0; i < 30; i++) await command(ports[i % 3], ["SET", `k${i}`, "x"]);
    await until(() => readers.every(({ events }) => events.length >= 30), "the changes");
    for (const reader of readers) {
      expect(reader.events).toEqual(readers[0].events);
      reader.close();
    }
  });

  test("what a leader was killed over is carried out once, and answered the same", async () => {
    const leader = await cluster.leader();
    const others = cluster.nodes.filter((node) => node !== leader);
    const send = (node: ClusterNode, key: string) =>
      command(httpPort(node), ["INCR", "once"], { "Idempotency-Key": key });
    expect(await send(leader, "before")).toBe(1);
    // Some of these are answered, some are cut off.
    const sent = Array.from({ length: 20 }, (_, i) => send(leader, `cut-${i}`).catch(() => 0));
    await sleep(1);
    await leader.kill9();
    await Promise.all(sent);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => send(others[i % 2], `cut-${i}`)),
    );
    expect([...replies].sort((a, b) => Number(a) - Number(b)))
      .toEqual(Array.from({ length: 20 }, (_, i) => i + 2));
    expect(await send(others[0], "before")).toBe(1);
    expect(await command(httpPort(others[1]), ["GET", "once"])).toBe("21");
    leader.start();
    await ready(leader);
    expect(await send(leader, "cut-3")).toBe(replies[3]);
  }, 180_000);

  test(
    "requests wait through an election: a pipeline has its replies, none is refused",
    async () => {
      const leader = await cluster.leader();
      const [follower] = await cluster.followers();
      const commands = Array.from({ length: 2000 }, (_, i) => ["SET", `p${i}`, String(i)]);
      const pipelines = Array.from({ length: 6 }, async (_, i) => {
        await sleep(i * 40);
        const body = JSON.stringify(commands);
        const answer = await ask(httpPort(follower), "/pipeline", { method: "POST", body });
        return [
          answer.status,
          (answer.json as { result: unknown }[]).every((r) => r.result === "OK"),
        ];
      });
      await sleep(100);
      await leader.kill9();
      expect(await Promise.all(pipelines)).toEqual(pipelines.map(() => [200, true]));
      expect(await command(httpPort(follower), ["GET", "p1999"])).toBe("1999");
      leader.start();
      await ready(leader);
    },
    60_000,
  );

  test(
    "a reader resumes at another node when its own dies, with neither gap nor double",
    async () => {
      const [dies, other] = await cluster.followers();
      const since = (await ask(httpPort(other), "/set/start/1")).headers.get("balsa-index");
      const first = new SseReader(httpPort(dies), `/changes?since=${since}&prefix=r`);
      const write = async (from: number, to: number) => {
        for (let i = from; i < to; i++) await command(httpPort(other), ["SET", `r${i}`, "x"]);
      };
      await write(0, 40);
      await until(() => first.events.length >= 20, "some changes");
      await dies.kill9();
      await write(40, 80);
      await until(() => first.isClosed, "the end of its stream");
      const rest = new SseReader(httpPort(other), "/changes?prefix=r", {
        "Last-Event-ID": first.lastId,
      });
      await until(() => first.events.length + rest.events.length >= 80, "the rest");
      const keys = [...first.events, ...rest.events].map(({ data }) => JSON.parse(data).key);
      expect(keys).toEqual(Array.from({ length: 80 }, (_, i) => `r${i}`));
      rest.close();
      dies.start();
      await ready(dies);
    },
    60_000,
  );

  test("a node without a majority says that it is not ready, and why", async () => {
    const [one, ...others] = cluster.nodes;
    for (const node of others) node.signal("SIGSTOP");
    try {
      await until(async () => (await ask(httpPort(one), "/ready")).status === 503, "not ready");
      const { json } = await ask(httpPort(one), "/ready");
      expect((json as { error: string }).error).toMatch(/^not ready: (no leader|the leader|index)/);
      expect((await ask(httpPort(one), "/health")).status).toBe(200);
    } finally {
      for (const node of others) node.signal("SIGCONT");
    }
    await ready(one);
  }, 180_000);

  test(
    "after a snapshot a node offers what the snapshot has, or says that it is gone",
    async () => {
      const [behind, other] = await cluster.followers();
      const since = Number((await ask(httpPort(other), "/set/start/1")).headers.get("balsa-index"));
      await command(httpPort(other), ["INCR", "counted"], { "Idempotency-Key": "in the snapshot" });
      await behind.kill9();
      await behind.wipe();
      const long = "k".repeat(2000);
      for (let round = 0; round < 8; round++) {
        const pairs = Array.from({ length: 200 }, (_, i) => [`${long}${round}-${i}`, "x"]).flat();
        await command(httpPort(other), ["MSET", ...pairs]);
      }
      const leader = await cluster.leader();
      expect(await command(httpPort(leader), ["RAFT.SNAPSHOT"])).toBeOneOf([
        "OK",
        expect.anything(),
      ]);
      behind.start();
      await ready(behind);
      await until(async () => {
        const early = new SseReader(httpPort(behind), `/changes?since=${since}`);
        await until(() => early.status !== 0, "an answer");
        early.close();
        return early.status === 410;
      }, "what is gone");
      const gone = await ask(httpPort(behind), `/changes?since=${since}`);
      const { oldest } = gone.json as { oldest: number };
      const reader = new SseReader(httpPort(behind), `/changes?since=${oldest - 1}`);
      await until(() => reader.events.length > 0, "the oldest change that is left");
      expect(JSON.parse(reader.events[0].data).index).toBe(oldest);
      reader.close();
      const repeated = await command(httpPort(behind), ["INCR", "counted"], {
        "Idempotency-Key": "in the snapshot",
      });
      expect(repeated).toBe(1);
    },
    60_000,
  );
});
