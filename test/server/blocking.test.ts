import { beforeEach, expect, test } from "bun:test";
import { Waiting } from "../../src/commands/blocking.ts";
import type { DataCommand } from "../../src/commands/command.ts";
import type { DataContext } from "../../src/commands/data_context.ts";
import type { Answers } from "../../src/server/answers.ts";
import { Blocking } from "../../src/server/blocking.ts";
import { OUTCOME_UNKNOWN } from "../../src/server/errors.ts";
import type { Pending } from "../../src/server/session.ts";
import { Touches } from "../../src/server/touches.ts";
import { Waiters } from "../../src/server/waiters.ts";
import { ChangeRecorder } from "../../src/storage/change_recorder.ts";
import { FakeClock, FakeSession, pendingOf } from "./fakes.ts";

let session: FakeSession;
let waiters: Waiters;
let enqueued: (readonly string[])[];
let blocking: Blocking;

beforeEach(prepare);

function prepare(): void {
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
}

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

test("CLIENT UNBLOCK ends a wait by the log, in which it may be served before", () => {
  for (const kind of ["error", "timeout"] as const) {
    const argv = ["BLPOP", "k", "0"];
    wait(1, argv);
    blocking.waits(1, pendingOf(session, argv), new Waiting(["k"], 0));
    void session.blocked!.end(kind);
    expect(enqueued.map(([, sequence]) => sequence)).toEqual(["1"]);
    expect(session.replies).toEqual([]);
    prepare();
  }
});

test("one that was given up and waits within a snapshot is ended", () => {
  wait(1, ["BLPOP", "k", "0"]);
  const pending = { ...pendingOf(session, ["BLPOP", "k", "0"]), argv: [], isAbandoned: true };
  expect(blocking.waitsInSnapshot(1, pending)).toBe(true);
  expect(enqueued.map(([, sequence]) => sequence)).toEqual(["1"]);
  expect(session.replies).toEqual([]);
});

/** A client's command 1 that waited and was dropped: it asks to wait on, as command 2. */
function drop(): Pending {
  const argv = ["BLPOP", "k", "0"];
  wait(1, argv);
  blocking.waits(1, pendingOf(session, argv), new Waiting(["k"], 0));
  const waiter = waiters.find(1, 1, 1)!;
  waiters.remove(waiter);
  blocking.dropped(waiter);
  return { ...pendingOf(session, argv), argv: enqueued.pop()!, isAbandoned: true };
}

test("one that was dropped and asks to wait on does so behind a snapshot", () => {
  drop();
  blocking.snapshotInstalled();
  expect(session.replies).toEqual([]);
  wait(2, ["BLPOP", "k", "0"]);
  blocking.rewaited(1, 2);
  blocking.served(2, ["k", "v"]);
  expect(session.replies).toEqual([["k", "v"]]);
  expect(enqueued).toEqual([]);
});

test("one that was dropped and waits on within a snapshot does so", () => {
  const pending = drop();
  wait(2, ["BLPOP", "k", "0"]);
  blocking.snapshotInstalled();
  expect(blocking.waitsInSnapshot(2, pending)).toBe(true);
  blocking.served(2, ["k", "v"]);
  expect(session.replies).toEqual([["k", "v"]]);
});

test("what became of one that waited on is not known when a snapshot has it no more", () => {
  const pending = drop();
  blocking.snapshotInstalled();
  blocking.waitsInSnapshot(2, pending);
  expect(session.replies).toEqual([OUTCOME_UNKNOWN]);
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

test("a read that met a key whose time has come by the clock alone waits where the log has it", () => {
  const argv = ["XREAD", "BLOCK", "0", "STREAMS", "k", "$"];
  const waiting: Partial<DataCommand["waiting"]> = { tryServe: () => new Waiting(["k"], 0) };
  const command = { name: "xread", waiting } as DataCommand;
  const pending = pendingOf(session, argv);
  blocking.begins(pending);
  expect(blocking.read({ dueSeen: true } as DataContext, pending, command)).toBeUndefined();
  expect(blocking.count).toBe(0);
  expect(session.localRunning).toBe(true);
  session.consistency = "stale";
  expect(blocking.read({ dueSeen: true } as DataContext, pending, command)).toBeUndefined();
  expect(blocking.count).toBe(1);
});

test("a stale read that might have waited lets what follows it go on", () => {
  session.consistency = "stale";
  const command = { name: "xread", waiting: { tryServe: () => "found" } as unknown } as DataCommand;
  const pending = pendingOf(session, ["XREAD", "BLOCK", "0", "STREAMS", "k", "0"]);
  blocking.begins(pending);
  expect(blocking.read({ dueSeen: true } as DataContext, pending, command)).toBe("found");
  expect(session.idle).toBe(true);
});
