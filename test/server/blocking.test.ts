import { beforeEach, expect, test } from "bun:test";
import { Waiting } from "../../src/commands/blocking.ts";
import type { DataCommand } from "../../src/commands/command.ts";
import type { DataContext } from "../../src/commands/data_context.ts";
import type { Answers } from "../../src/server/answers.ts";
import { Blocking } from "../../src/server/blocking.ts";
import type { Pending } from "../../src/server/session.ts";
import { Touches } from "../../src/server/touches.ts";
import { Waiters } from "../../src/server/waiters.ts";
import { ChangeRecorder } from "../../src/storage/change_recorder.ts";
import { FakeClock, FakeSession, pendingOf } from "./fakes.ts";

let session: FakeSession;
let waiters: Waiters;
let enqueued: (readonly string[])[];
let blocking: Blocking;

beforeEach(() => {
  session = new FakeSession();
  waiters = new Waiters(() => {});
  enqueued = [];
  blocking = new Blocking({
    answers: {
      complete: ({ session }: Pending, reply) => session.deliver(reply),
    } as Partial<Answers> as Answers,
    clock: new FakeClock(),
    touches: new Touches(new ChangeRecorder()),
    identity: { clusterId: "", nodeId: 1, incarnation: 1, runs: [] },
    waiters: () => waiters,
    requestTimeoutMs: 1000,
    enqueue: ({ argv }) => enqueued.push(argv),
  });
});

/** What the log has of a command of this node that waits. */
function wait(sequence: number, argv: readonly string[]): void {
  const position = waiters.nextPosition();
  waiters.add({ position, node: 1, incarnation: 1, sequence, db: 0, argv, keys: ["k"] });
}

test("one whose wait began within a snapshot waits no longer than it asked to", async () => {
  const requests = [
    ["BLPOP", "k", "0.01"],
    ["BLMPOP", "0.01", "1", "k", "LEFT"],
    ["BZMPOP", "0.01", "1", "k", "MIN"],
    ["BRPOPLPUSH", "k", "other", "0.01"],
    ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "10", "STREAMS", "k", ">"],
    ["BLPOP", "k", "0"],
  ];
  for (const [i, argv] of requests.entries()) {
    session.pendingLog++;
    wait(i + 1, argv);
    expect(blocking.waitsInSnapshot(i + 1, pendingOf(session, argv))).toBe(true);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(enqueued.map(([, sequence]) => sequence)).toEqual(["1", "2", "3", "4", "5"]);
});

test("one that was given up and waits within a snapshot is ended", () => {
  wait(1, ["BLPOP", "k", "0"]);
  const pending = { ...pendingOf(session, ["BLPOP", "k", "0"]), argv: [], isAbandoned: true };
  expect(blocking.waitsInSnapshot(1, pending)).toBe(true);
  expect(enqueued.map(([, sequence]) => sequence)).toEqual(["1"]);
  expect(session.replies).toEqual([]);
});

test("what follows a large command that waits is held back no longer than that waits", () => {
  const argv = ["BLPOP", "k", "0"];
  session.pendingLog = 1;
  session.largeUnderWay = true;
  wait(1, argv);
  blocking.waits(1, pendingOf(session, argv), new Waiting(["k"], 0));
  blocking.served(1, ["k", "v"]);
  expect(session.replies).toEqual([["k", "v"]]);
  expect(session.idle).toBe(true);
  expect(session.largeUnderWay).toBe(false);
});

test("a read that waits looks again behind a snapshot, which may have brought what it waits for", () => {
  const argv = ["XREAD", "BLOCK", "0", "STREAMS", "k", "$"];
  const waiting: Partial<DataCommand["waiting"]> = { tryServe: () => new Waiting(["k"], 0) };
  const command = { name: "xread", waiting } as DataCommand;
  const context = {} as DataContext;
  expect(blocking.read(context, pendingOf(session, argv), command)).toBeUndefined();
  expect(blocking.hasReadyReads).toBe(false);
  blocking.snapshotInstalled();
  expect(blocking.hasReadyReads).toBe(true);
});

test("a read that meets a key whose time has come waits once: in the log, or here if it is stale", () => {
  const argv = ["XREAD", "BLOCK", "0", "STREAMS", "k", "$"];
  let served: Waiting | string = new Waiting(["k"], 0);
  const waiting: Partial<DataCommand["waiting"]> = { tryServe: () => served };
  const command = { name: "xread", waiting } as DataCommand;
  const context = { dueSeen: true } as DataContext;
  const pending = pendingOf(session, argv);
  blocking.begins(pending);
  expect(blocking.read(context, pending, command)).toBeUndefined();
  expect(blocking.count).toBe(0);
  expect(session.localRunning).toBe(true);
  session.consistency = "stale";
  expect(blocking.read(context, pending, command)).toBeUndefined();
  expect(blocking.count).toBe(1);
  served = "v";
  expect(blocking.read(context, pending, command)).toBe("v");
  expect(session.localRunning).toBe(false);
});

test("a read that waits behind its turn in the log is under way there no more", () => {
  const argv = ["XREAD", "BLOCK", "0", "STREAMS", "k", "$"];
  const waiting: Partial<DataCommand["waiting"]> = { tryServe: () => new Waiting(["k"], 0) };
  const command = { name: "xread", waiting } as DataCommand;
  session.pendingLog = 1;
  session.largeUnderWay = true;
  const pending = pendingOf(session, argv);
  expect(blocking.readInLog({} as DataContext, pending, command)).toBeUndefined();
  expect([session.pendingLog, session.largeUnderWay]).toEqual([0, false]);
  expect(blocking.count).toBe(1);
  const givenUp = { ...pending, isAbandoned: true };
  expect(blocking.readInLog({} as DataContext, givenUp, command)).toBeUndefined();
  expect(blocking.count).toBe(1);
});
