import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { CheckClients } from "../../cli/check_clients.ts";
import { Endpoint } from "../../cli/check_endpoint.ts";
import { CRASH_POINTS, type CrashPoint } from "../../src/storage/crash_point.ts";
import { explain } from "../checker/check.ts";
import { ClusterNode } from "./cluster_harness.ts";
import { cleanupAll, DEFAULT_RUNTIME, freePort, scratchDirectory, until } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

// Beside others a node may lose what it has acknowledged, and be given it again. Here is nobody.

const LONG = 180_000;
const LOG_BYTES = 128 * 1024;
const VALUE = "x".repeat(8000);
const FILL_WRITES = 100;
/** Passes of a point that load brings about: the process dies amid it. */
const PASSES = 25;

let node: ClusterNode;
let clients: CheckClients;

afterAll(cleanupAll);

beforeAll(async () => {
  const port = await freePort();
  node = new ClusterNode({
    port,
    peerPort: await freePort(),
    data: join(scratchDirectory(), "data"),
    runtime: DEFAULT_RUNTIME,
    args: ["--request-timeout", "3s"],
    env: { BALSA_TEST_LOG_BYTES: String(LOG_BYTES) },
  });
  const endpoint = new Endpoint({ host: node.host, port });
  clients = new CheckClients({
    endpoints: () => [endpoint],
    clients: 6,
    depth: 2,
    seed: 7,
    prefix: "",
    lists: true,
    timeoutMs: 5000,
    pauseMs: 2,
  });
  node.start();
  clients.start();
}, LONG);

async function writesGoOn(): Promise<void> {
  const { counts } = clients.recorder;
  const before = counts.writes;
  await until(() => counts.writes > before + 20, "writes");
}

/** Asks for what passes the point, where load alone does not. */
async function lead(point: CrashPoint): Promise<void> {
  const client = await RespClient.open(node.port).catch(() => undefined);
  if (client === undefined) return;
  if (/^(append_in|purge)/.test(point)) {
    const commands = Array.from({ length: FILL_WRITES }, (_, i) => ["SET", `fill:${i}`, VALUE]);
    await client.pipeline(commands).catch(() => {});
  }
  if (/^(flush|snapshot|purge)/.test(point)) {
    await client.command("RAFT.SNAPSHOT").catch(() => {});
  }
  client.close();
}

/** Snapshots are sent between nodes; one that is alone votes as it starts. */
const POINTS = CRASH_POINTS.filter((point) => !/^(send|receive|install)/.test(point));
const ON_WORKER = POINTS.filter((point) => point.startsWith("append"));

for (
  const [point, writer] of [
    ...POINTS.map((each) => [each, "inline"] as const),
    ...ON_WORKER.map((each) => [each, "worker"] as const),
  ]
) {
  test(`kill -9 of a node that is alone at ${point} (${writer}): starts clean`, async () => {
    await writesGoOn();
    await node.kill9();
    const passes = /^(append_(be|af)|apply)/.test(point) ? PASSES : 1;
    node.start({ BALSA_LOG_WRITER: writer, BALSA_TEST_CRASH: `${point}:${passes}` });
    await until(async () => {
      if (node.isRunning) await lead(point);
      return !node.isRunning;
    }, `a crash at ${point}`);
    expect(node.lastExit?.signal).toBe("SIGKILL");
    node.start();
    await writesGoOn();
    expect(node.output).not.toMatch(/corrupt|assert/i);
    expect(explain(clients.recorder.verdict)).toBeUndefined();
  }, LONG);
}

test("nothing that a node alone has acknowledged was lost through all of them", async () => {
  await clients.stop();
  expect(await clients.readAll()).toBe(0);
  await clients.close();
  expect(explain(clients.recorder.check())).toBeUndefined();
  expect(clients.complaints).toEqual([]);
  expect(clients.recorder.counts.writes).toBeGreaterThan(200);
  await node.stop();
}, LONG);
