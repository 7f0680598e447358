import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Recovery } from "../../src/node/recover.ts";
import { RAFT_DEFAULTS } from "../../src/constants.ts";
import { decodeConfiguration, encodeConfiguration } from "../../src/raft/membership.ts";
import { Raft } from "../../src/raft/raft.ts";
import type { Configuration, Entry } from "../../src/raft/types.ts";
import { type NodeStorage, openNodeStorage } from "../../src/server/node_storage.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";

const driver = await loadSqlite();
const OLD_CLUSTER = "0123456789abcdef0123456789abcdef";
const THREE: Configuration = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  addresses: { 1: "a:1", 2: "b:2", 3: "c:3" },
};

let directory: string;
beforeEach(() => directory = mkdtempSync(join(tmpdir(), "balsa-recover-")));
afterEach(() => rmSync(directory, { recursive: true }));

function open(): NodeStorage {
  return openNodeStorage(driver, { path: directory, cacheBytes: 1024 * 1024 });
}

function entry(index: number, configuration?: Configuration): Entry {
  const data = configuration === undefined ? new Uint8Array() : encodeConfiguration(configuration);
  return { index, term: 2, kind: configuration === undefined ? "noop" : "configuration", data };
}

/** Node 2 of three, with entries of which not all are known to be committed. */
async function makeMember(entries: readonly Entry[], commit: number): Promise<void> {
  const storage = open();
  storage.log.reset({ index: 0, term: 0, configuration: THREE });
  storage.log.setIdentity({ clusterId: OLD_CLUSTER, nodeId: 2, incarnation: 4, runs: [7] });
  storage.log.append(entries, { term: 5, votedFor: 3, commit });
  await storage.close();
}

async function recover(): Promise<string> {
  const recovery = await Recovery.open(directory, "auto");
  const clusterId = recovery.forceNewCluster();
  await recovery.close();
  return clusterId;
}

test("Recovery tells what the node has, and changes nothing before it is told to", async () => {
  await makeMember([entry(1), entry(2), entry(3)], 2);
  const recovery = await Recovery.open(directory, "auto");
  expect(recovery.facts).toEqual({
    clusterId: OLD_CLUSTER,
    nodeId: 2,
    members: [{ id: 1, address: "a:1" }, { id: 2, address: "b:2" }, { id: 3, address: "c:3" }],
    commit: 2,
    lastIndex: 3,
  });
  await recovery.close();
  const { log, ...storage } = open();
  expect(log.identity?.clusterId).toBe(OLD_CLUSTER);
  expect(log.lastIndex).toBe(3);
  await storage.close();
});

test("the node is a new cluster's only member, and all of its log is committed", async () => {
  await makeMember([entry(1), entry(2), entry(3)], 2);
  writeFileSync(join(directory, "founding.json"), "{}");
  const clusterId = await recover();
  expect(clusterId).toMatch(/^[0-9a-f]{32}$/);
  expect(clusterId).not.toBe(OLD_CLUSTER);
  expect(existsSync(join(directory, "founding.json"))).toBe(false);
  const storage = open();
  const { log } = storage;
  expect(log.identity).toMatchObject({ clusterId, nodeId: 2 });
  expect(log.identity!.incarnation).toBeGreaterThan(4);
  expect(log.hardState).toEqual({ term: 6, votedFor: 2, commit: 4 });
  const entries = log.entries(1, 5, 1e6)!;
  expect(entries.map(({ term }) => term)).toEqual([2, 2, 2, 6]);
  expect(decodeConfiguration(entries[3].data)).toEqual({
    ...THREE,
    voters: [2],
    addresses: { 2: "b:2" },
  });
  await storage.close();
});

test("it then leads without anybody else, from the first tick, and hands out every entry", async () => {
  await makeMember([entry(1), entry(2), entry(3)], 0);
  await recover();
  const storage = open();
  const { log, ops } = storage;
  const raft = new Raft({
    id: 2,
    configuration: log.snapshot.configuration,
    hardState: log.hardState,
    log,
    applied: ops.applied.index,
    ...RAFT_DEFAULTS,
    random: () => 0,
  });
  raft.tick(0);
  const committed: number[] = [];
  for (let ready = raft.ready(); ready !== undefined; ready = raft.ready()) {
    expect([...ready.messages, ...ready.messagesAfterPersist]).toEqual([]);
    log.append(ready.entries, ready.hardState);
    if (ready.persistToken !== undefined) raft.persisted(ready.persistToken);
    for (const { index } of ready.committed) {
      committed.push(index);
      raft.applied(index);
    }
  }
  expect(raft.status()).toMatchObject({ role: "leader", configuration: { voters: [2] } });
  expect(committed).toEqual([1, 2, 3, 4, 5]);
  await storage.close();
});

test("a change of members that was under way ends here", async () => {
  const joint = { ...THREE, votersOutgoing: [1, 2, 3], voters: [1, 2, 4] };
  await makeMember([entry(1), entry(2, { ...joint, addresses: { 2: "moved:2" } })], 1);
  await recover();
  const again = await Recovery.open(directory, "auto");
  expect(again.facts.members).toEqual([{ id: 2, address: "moved:2" }]);
  await again.close();
});

test("a second run, after one that was cut short, does it again", async () => {
  await makeMember([entry(1)], 1);
  const first = await recover();
  const second = await recover();
  expect(second).not.toBe(first);
  const { log, ...storage } = open();
  expect(log.identity?.clusterId).toBe(second);
  await storage.close();
});

test("what is no member's directory is refused, and none is made", async () => {
  const missing = join(directory, "missing");
  await expect(Recovery.open(missing, "auto")).rejects.toThrow("is no data directory of a node");
  expect(existsSync(missing)).toBe(false);
  await open().close();
  await expect(Recovery.open(directory, "auto")).rejects.toThrow("never in a cluster");
});

test("a directory in use is refused", async () => {
  await makeMember([entry(1)], 1);
  const storage = open();
  await expect(Recovery.open(directory, "auto")).rejects.toThrow("in use");
  await storage.close();
});
