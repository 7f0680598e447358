import { beforeEach, expect, test } from "bun:test";
import { LOG_AGE_MAX_MS, LOG_BYTES_HARD_MAX, LOG_BYTES_SOFT_MAX } from "../../src/constants.ts";
import type { PeerStatus, RaftStatus, SnapshotMeta } from "../../src/raft/types.ts";
import { LogPurger, type LogUsers } from "../../src/server/log_purger.ts";
import type { NodeStorage } from "../../src/server/node_storage.ts";

const ENTRY_BYTES = 1024 * 1024;
const SOFT = LOG_BYTES_SOFT_MAX / ENTRY_BYTES;
const HARD = LOG_BYTES_HARD_MAX / ENTRY_BYTES;
const NO_CONFIGURATION = {
  voters: [1],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  addresses: {},
};

let lastIndex: number;
let snapshot: SnapshotMeta;
let syncs: number;
let stateBytes: number;
let peers: Partial<PeerStatus>[];
let snapshotHold: number;
let purger: LogPurger;
let nowMs: number;

const users: LogUsers = {
  status: () => ({ peers }) as unknown as RaftStatus,
  snapshotHold: () => snapshotHold,
};

/** A log of entries of one size, of a state that is durable at once. */
function fakeStorage(): NodeStorage {
  const log = {
    get snapshot() {
      return snapshot;
    },
    get bytes() {
      return (lastIndex - snapshot.index) * ENTRY_BYTES;
    },
    get endBytes() {
      return lastIndex * ENTRY_BYTES;
    },
    term: (index: number) => index >= snapshot.index ? 1 : undefined,
    compact(meta: SnapshotMeta) {
      expect(syncs).toBeGreaterThan(0);
      snapshot = meta;
    },
  };
  const ops = {
    get durable() {
      return { index: lastIndex, term: 1, configuration: "" };
    },
  };
  const rest = {
    syncState: () => Promise.resolve(void syncs++),
    stateBytes: () => stateBytes,
  };
  return { log, ops, ...rest } as unknown as NodeStorage;
}

beforeEach(() => {
  lastIndex = 0;
  snapshot = { index: 0, term: 0, configuration: NO_CONFIGURATION };
  syncs = 0;
  stateBytes = 0;
  peers = [];
  snapshotHold = Infinity;
  nowMs = 0;
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  purger = new LogPurger(fakeStorage(), logger);
});

async function append(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    lastIndex++;
    nowMs += 1;
    await purger.run(nowMs, users);
  }
}

function kept(): number {
  return lastIndex - snapshot.index;
}

test("a long log keeps its newer half", async () => {
  await append(SOFT);
  expect(kept()).toBe(SOFT);
  await append(1);
  expect(kept()).toBeGreaterThanOrEqual(SOFT / 2);
  expect(kept()).toBeLessThan(SOFT * 0.6);
  await append(10 * SOFT);
  expect(kept()).toBeLessThanOrEqual(SOFT);
});

test("what an active follower lacks is kept, up to the hard limit", async () => {
  peers = [{ active: true, state: "replicate", match: 10 }];
  await append(HARD);
  expect(snapshot.index).toBeLessThanOrEqual(10);
  await append(SOFT);
  expect(kept()).toBeLessThanOrEqual(HARD);
});

test("a follower that is silent, or waits for a snapshot, holds nothing", async () => {
  peers = [
    { active: false, state: "replicate", match: 10 },
    { active: true, state: "snapshot", match: 0 },
  ];
  await append(SOFT * 2);
  expect(kept()).toBeLessThanOrEqual(SOFT);
});

test("what follows a snapshot under way is kept, up to the size of the data", async () => {
  snapshotHold = 20;
  stateBytes = 2 * LOG_BYTES_HARD_MAX;
  await append(2 * HARD - 1);
  expect(snapshot.index).toBeLessThanOrEqual(20);
  await append(SOFT);
  expect(snapshot.index).toBeGreaterThan(20);
});

test("old entries go from a log that is not long", async () => {
  await append(SOFT / 4);
  nowMs += LOG_AGE_MAX_MS + SOFT;
  await append(1);
  expect(kept()).toBeLessThan(SOFT / 8);
});
