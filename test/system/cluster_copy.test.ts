import { afterAll, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { ClusterNode, TestCluster } from "./cluster_harness.ts";
import { cleanupAll, scratchDirectory, sleep, until } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

const LONG = 90_000;

afterAll(cleanupAll);

function copyOf(node: ClusterNode): string {
  const copy = join(scratchDirectory(), "copy");
  cpSync(node.data, copy, { recursive: true });
  return copy;
}

/** Starts a process on a copied directory in the place of its original, which must be stopped. */
function startCopy(original: ClusterNode, data: string): ClusterNode {
  const { port, peerPort, runtime, args } = original;
  const node = new ClusterNode({ port, peerPort, data, runtime, args });
  node.start();
  return node;
}

async function write(node: ClusterNode, count: number): Promise<void> {
  const client = await RespClient.open(node.port);
  for (let i = 0; i < count; i++) expect(await client.command("INCR", "counter")).toBeNumber();
  client.close();
}

/** Waits until every other node has refused it, and shows that the cluster serves without it. */
async function expectRefused(cluster: TestCluster, copy: ClusterNode): Promise<void> {
  const others = cluster.nodes.filter(({ isRunning }) => isRunning);
  const refusal = /(refused|refuses).*(has run since this copy|is an old copy)/;
  for (const { output } of others) expect(output).not.toMatch(refusal);
  await until(() => others.every(({ output }) => refusal.test(output)), "both to refuse it");
  await until(() => refusal.test(copy.output), "the copy to be told");
  await write(others[0], 3);
  expect((await copy.info())?.raft_role).not.toBe("leader");
}

/** The original comes back, and all is well. */
async function expectWelcome(cluster: TestCluster, original: ClusterNode): Promise<void> {
  original.start();
  await cluster.converged();
  await write(original, 3);
  await cluster.converged();
}

test(
  "a copy of a stopped node's directory is refused once the original has run again",
  async () => {
    const cluster = await TestCluster.start();
    const [original, other] = await cluster.followers();
    await write(other, 10);
    await original.stop();
    const data = copyOf(original);
    // Both count their starts alike from here: original and copy are the same run by number.
    original.start();
    await cluster.converged();
    await write(original, 3);
    await original.stop();
    const copy = startCopy(original, data);
    await expectRefused(cluster, copy);
    await copy.kill9();
    await expectWelcome(cluster, original);
    await cluster.stop();
  },
  LONG,
);

test(
  "a copy made while its node ran is refused, also after all others were restarted",
  async () => {
    const cluster = await TestCluster.start();
    const [original, other] = await cluster.followers();
    await write(other, 10);
    await cluster.converged();
    const data = copyOf(original);
    await write(original, 10);
    await cluster.converged();
    await original.kill9();
    // What it acknowledged is made durable, and told to the others, when its end is noticed.
    await sleep(300);
    await write(other, 1);
    const rest = cluster.nodes.filter((node) => node !== original);
    for (const node of rest) {
      await node.kill9();
      node.start();
    }
    await cluster.leader();
    // Its run is the one that was met, but it has forgotten what it acknowledged in it.
    const copy = startCopy(original, data);
    await expectRefused(cluster, copy);
    await copy.kill9();
    await expectWelcome(cluster, original);
    await cluster.stop();
  },
  LONG,
);

test(
  "whichever of two equal copies comes first is the node; the other one is refused",
  async () => {
    const cluster = await TestCluster.start();
    const [original] = await cluster.followers();
    await original.stop();
    const copy = startCopy(original, copyOf(original));
    cluster.nodes[cluster.nodes.indexOf(original)] = copy;
    await cluster.converged();
    await write(copy, 5);
    await copy.stop();
    const late = startCopy(original, original.data);
    await expectRefused(cluster, late);
    await late.kill9();
    await expectWelcome(cluster, copy);
    await cluster.stop();
  },
  LONG,
);
