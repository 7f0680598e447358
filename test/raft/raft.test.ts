import { describe, expect, test } from "bun:test";
import { Raft } from "../../src/raft/raft.ts";
import type { RaftOptions, Ready } from "../../src/raft/types.ts";
import { MemoryLog } from "./memory_log.ts";

const MEGABYTE = 1024 * 1024;

function soleVoter(log: MemoryLog, changes: Partial<RaftOptions> = {}): Raft {
  return new Raft({
    id: 1,
    configuration: {
      voters: [1],
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      addresses: { 1: "a:1" },
    },
    hardState: log.hardState,
    log,
    applied: 0,
    electionTimeoutMs: 1000,
    heartbeatMs: 100,
    inflightMax: 4,
    appendBytesMax: MEGABYTE,
    uncommittedBytesMax: MEGABYTE,
    preVote: true,
    checkQuorum: true,
    random: () => 0.5,
    ...changes,
  });
}

/** Does what every Ready asks for at once; returns them. */
function drain(raft: Raft, log: MemoryLog): Ready[] {
  const readies: Ready[] = [];
  for (let ready = raft.ready(); ready !== undefined; ready = raft.ready()) {
    readies.push(ready);
    log.append(ready.entries, ready.hardState);
    if (ready.persistToken !== undefined) raft.persisted(ready.persistToken);
    const last = ready.committed[ready.committed.length - 1];
    if (last !== undefined) raft.applied(last.index);
  }
  return readies;
}

describe("Raft with one voter", () => {
  test("leads after its first tick, without waiting for a timeout", () => {
    const log = new MemoryLog();
    const raft = soleVoter(log);
    expect(raft.ready()).toBeUndefined();
    raft.tick(5);
    drain(raft, log);
    expect(raft.status()).toMatchObject({ role: "leader", term: 1, leader: 1, commit: 1 });
    expect(log.hardState).toMatchObject({ term: 1, votedFor: 1 });
  });

  test("commits when its own write completes, not before", () => {
    const log = new MemoryLog();
    const raft = soleVoter(log);
    raft.tick(5);
    drain(raft, log);
    const local = { session: 7 };
    expect(raft.propose(new Uint8Array([1]), local)).toEqual({ ok: true, index: 2, term: 1 });
    const ready = raft.ready()!;
    expect(ready.entries.map((entry) => entry.index)).toEqual([2]);
    expect(ready.hardState).toBeUndefined();
    expect(ready.committed).toEqual([]);
    expect(raft.ready()).toBeUndefined();
    log.append(ready.entries, ready.hardState);
    raft.persisted(ready.persistToken!);
    const [entry] = raft.ready()!.committed;
    expect(entry.local).toBe(local);
    expect(raft.status().applied).toBe(1);
    raft.applied(2);
    expect(raft.status()).toMatchObject({ commit: 2, applied: 2, leaseValid: true });
    expect(raft.ready()).toBeUndefined();
  });

  test("confirms a read index within the next Ready", () => {
    const log = new MemoryLog();
    const raft = soleVoter(log);
    expect(raft.readIndex(9)).toBe("not_leader");
    raft.tick(5);
    drain(raft, log);
    expect(raft.readIndex(9)).toBeUndefined();
    expect(raft.ready()!.readStates).toEqual([{ id: 9, index: 1 }]);
  });

  test("goes on after a restart where it was", () => {
    const log = new MemoryLog();
    const first = soleVoter(log);
    first.tick(5);
    drain(first, log);
    first.propose(new Uint8Array([1]));
    drain(first, log);
    const second = soleVoter(log, { applied: 1 });
    second.tick(5);
    const committed = drain(second, log).flatMap((ready) => ready.committed);
    expect(committed.map((entry) => entry.index)).toEqual([2, 3]);
    expect(second.status()).toMatchObject({ role: "leader", term: 2, commit: 3, lastIndex: 3 });
  });
});
