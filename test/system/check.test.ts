import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, expect, test } from "bun:test";
import { TestCluster } from "./cluster_harness.ts";
import {
  balsaCommand,
  cleanupAll,
  freePort,
  launch,
  type Launched,
  type Runtime,
  scratchDirectory,
  sleep,
  startRedis,
  until,
} from "./harness.ts";
import { RespClient } from "./resp_client.ts";

const LONG = 180_000;

afterAll(cleanupAll);

/** `balsa check` as a process of its own. */
function startCheck(ports: readonly number[], args: readonly string[], runtime: Runtime): Launched {
  const addresses = ports.map((port) => `127.0.0.1:${port}`).join();
  return launch([...balsaCommand(runtime)!, "check", "--addr", addresses, ...args], "", {});
}

async function endOf({ server, output }: Launched): Promise<{ code: number | null; text: string }> {
  const { code } = await server.exited;
  return { code, text: output() };
}

for (const runtime of ["bun", "deno"] as const) {
  test(`balsa check on ${runtime}: a cluster passes under kill -9 and SIGSTOP`, async () => {
    const cluster = await TestCluster.start();
    const ports = cluster.nodes.map(({ port }) => port);
    const check = startCheck(ports, ["--seconds", "7", "--timeout", "1500ms"], runtime);
    await check.waitFor(/[1-9]\d* operations/);
    const killed = await cluster.leader();
    await killed.kill9();
    await sleep(500);
    killed.start();
    const paused = await cluster.leader();
    paused.signal("SIGSTOP");
    await sleep(2000);
    paused.signal("SIGCONT");
    const { code, text } = await endOf(check);
    expect(text).toMatch(
      /\noperations +\d{3,} .*\noutcomes unknown +\d+\n.*\nverdict +linearizable/,
    );
    expect(text).not.toContain("not expected");
    expect(code).toBe(0);
    const client = await RespClient.open(killed.port);
    expect(await client.command("DBSIZE")).toBe(0);
    await cluster.stop();
  }, LONG);
}

test("balsa check: a redis-server that is read at its replicas does not pass", async () => {
  const primary = await startRedis();
  const replicaof = ["--replicaof", `127.0.0.1 ${primary.port}`];
  const replicas = await Promise.all([startRedis(replicaof), startRedis(replicaof)]);
  for (const replica of replicas) {
    const client = await RespClient.open(replica.port);
    const isLinked = async (): Promise<boolean> =>
      String(await client.command("INFO", "replication")).includes("master_link_status:up");
    await until(isLinked, "the replicas to be linked");
    client.close();
  }
  // The replicas first: writes find their way.
  const ports = [...replicas, primary].map(({ port }) => port);
  const { code, text } = await endOf(startCheck(ports, ["--seconds", "20"], "bun"));
  expect(text).toMatch(/verdict +NOT linearizable\n\nkey balsa-check:\S+ is not linearizable/);
  expect(text).toMatch(/ 127\.0\.0\.1:\d+ +(GET|LRANGE) -> /);
  expect(code).toBe(1);
  for (const each of [primary, ...replicas]) await each.stop();
}, LONG);

test("balsa check: a redis-server that forgets at a restart does not pass", async () => {
  const data = scratchDirectory();
  const port = await freePort();
  const start = (): Launched =>
    launch(["redis-server", "--port", `${port}`, "--save", "", "--dir", data], data, {});
  let redis = start();
  await redis.waitFor(/Ready to accept/);
  const check = startCheck([port], ["--seconds", "4", "--json"], "bun");
  await check.waitFor(/[1-9]\d* operations/);
  await redis.server.kill9();
  redis = start();
  const { code, text } = await endOf(check);
  const result = JSON.parse(text.slice(text.indexOf("{")));
  expect(result).toMatchObject({ ok: false, verdict: "NOT linearizable" });
  expect(result.violation.length).toBeGreaterThan(0);
  expect(code).toBe(1);
  await redis.server.stop();
}, LONG);

test(
  "balsa check: a plain redis-server passes; one that nobody can write to, or none, does not",
  async () => {
    const redis = await startRedis();
    const good = await endOf(startCheck([redis.port], ["--seconds", "1", "--seed", "7"], "bun"));
    expect(good.text).toMatch(
      /seed 7\noutcomes unknown +0\nrefused +0\nverdict +linearizable/,
    );
    expect(good.code).toBe(0);
    const client = await RespClient.open(redis.port);
    await client.command("REPLICAOF", "127.0.0.1", String(await freePort()));
    const readOnly = await endOf(startCheck([redis.port], ["--seconds", "1"], "bun"));
    expect(readOnly.text).toContain("nothing could be written");
    expect(readOnly.code).toBe(1);
    await redis.stop();
    const none = await endOf(startCheck([redis.port], ["--seconds", "1"], "bun"));
    expect(none.text).toContain("Could not connect");
    expect(none.code).toBe(1);
  },
  LONG,
);

test(
  "balsa check: an address that is silent, or has nobody, does not keep it from the others",
  async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const redis = await startRedis();
    const ports = [port, await freePort(), redis.port];
    const args = ["--seconds", "2", "--timeout", "1s"];
    const { code, text } = await endOf(startCheck(ports, args, "bun"));
    expect(text).toMatch(/\noperations +\d{4,} [^]*\nverdict +linearizable/);
    expect(code).toBe(0);
    await redis.stop();
    silent.close();
  },
  LONG,
);

test("balsa check: a store that is gone in the end is not decided", async () => {
  const redis = await startRedis();
  const check = startCheck([redis.port], ["--seconds", "2"], "bun");
  await check.waitFor(/[1-9]\d* operations/);
  await redis.kill9();
  const { code, text } = await endOf(check);
  expect(text).toMatch(/verdict +undecided: \d+ keys could not be read in the end/);
  expect(code).toBe(1);
}, LONG);

test("balsa check: errors that no store should give are told, and are no pass", async () => {
  const redis = await startRedis();
  // As if another had put it there: its keys are this check's alone.
  const check = startCheck([redis.port], ["--seconds", "2"], "bun");
  await check.waitFor(/[1-9]\d* operations/);
  const client = await RespClient.open(redis.port);
  const script = "for _,k in ipairs(redis.call('KEYS','balsa-check:*')) do " +
    "redis.call('DEL',k) redis.call('HSET',k,'f','v') end";
  await client.command("EVAL", script, "0");
  const { code, text } = await endOf(check);
  expect(text).toMatch(/WRONGTYPE|NOT linearizable/);
  expect(code).toBe(1);
  await client.command("CONFIG", "SET", "requirepass", "secret");
  const denied = await endOf(startCheck([redis.port], ["--seconds", "9"], "bun"));
  expect(denied.text).toContain("NOAUTH");
  expect(denied.code).toBe(1);
  await redis.stop();
}, LONG);
