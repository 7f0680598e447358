import { beforeEach, expect, test } from "bun:test";
import type { RaftCore } from "../../src/raft/types.ts";
import { makeBesideKeys } from "../../src/server/beside_keys.ts";
import { BEHIND, NOT_DONE } from "../../src/server/errors.ts";
import type { Leadership } from "../../src/server/leadership.ts";
import { Reads } from "../../src/server/reads.ts";
import type { Pending } from "../../src/server/session.ts";
import type { AppliedState, RedisOperations } from "../../src/storage/redis_operations.ts";
import { FakeClock, FakeLink, fakePrng, FakeSession, pendingOf } from "./fakes.ts";

let link: FakeLink;
let leadership: Leadership;
let applied: { index: number; logTimeMs: number };
let asked: number[];
let refuses: boolean;
let session: FakeSession;
let reads: Reads;

beforeEach(() => {
  link = new FakeLink();
  leadership = { isLeader: false, term: 1, leader: 2 };
  applied = { index: 10, logTimeMs: 0 };
  asked = [];
  refuses = false;
  session = new FakeSession();
  const readIndex: RaftCore["readIndex"] = (id) => {
    if (refuses) return "no_own_term_commit";
    asked.push(id);
    return undefined;
  };
  reads = new Reads({
    raft: { readIndex } as Partial<RaftCore> as RaftCore,
    ops: { applied: applied as Partial<AppliedState> } as Partial<
      RedisOperations
    > as RedisOperations,
    clock: new FakeClock(),
    prng: fakePrng(),
    scripting: makeBesideKeys().scripting,
    link,
    incarnation: 0,
    leadership: () => leadership,
    complete: ({ session }, reply) => session.deliver(reply),
    giveUp: ({ session }, reply) => session.deliver(reply),
    readWaiting: () => null,
    toLog: () => {
      throw new Error("no read here goes to the log");
    },
    schedule: () => {},
  });
});

/** A read that answers its own name, asked for in a round of its own. */
function ask(name: string, deadlineMs = Infinity): Pending {
  const pending: Pending = {
    ...pendingOf(session, ["GET", name], deadlineMs),
    command: { name: "get", path: "read", run: () => name } as Partial<
      Pending["command"]
    > as Pending["command"],
  };
  session.pendingReads++;
  reads.add(pending);
  reads.start();
  return pending;
}

/** The ids under which the leader was asked. */
const ids = (): number[] => link.readRequests.map(({ id }) => id);

test("reads wait for their point and for the entries up to it", () => {
  ask("a");
  expect(session.replies).toEqual([]);
  reads.pointReceived(ids()[0], 12);
  expect(session.replies).toEqual([]);
  applied.index = 12;
  reads.runConfirmed();
  expect(session.replies).toEqual(["a"]);
  expect(session.pendingReads).toBe(0);
});

test("a change of leader keeps the order of a session's reads", () => {
  for (const name of ["a", "b", "c"]) ask(name);
  reads.leaderChanged();
  ask("d");
  reads.pointReceived(ids().at(-1)!, 10);
  expect(session.replies).toEqual(["a", "b", "c", "d"]);
});

test("the reads of a refused round are asked for again, before those that came later", () => {
  ask("a");
  ask("b");
  reads.pointReceived(ids()[0], -1);
  reads.start();
  reads.pointReceived(ids()[1], 10);
  expect(session.replies).toEqual(["a", "b"]);
});

test("while a round is under way, what comes shares the next one", () => {
  for (const name of ["a", "b", "c"]) ask(name);
  expect(ids().length).toBe(1);
  reads.pointReceived(ids()[0], 10);
  expect(session.replies).toEqual(["a"]);
  reads.start();
  expect(ids().length).toBe(2);
  reads.pointReceived(ids()[0], 10);
  expect(session.replies).toEqual(["a"]);
  reads.pointReceived(ids()[1], 10);
  expect(session.replies).toEqual(["a", "b", "c"]);
});

test("reads that were put off run before those that came after them", () => {
  ask("a");
  session.outputBlocked = true;
  reads.pointReceived(ids()[0], 10);
  ask("b");
  session.outputBlocked = false;
  reads.pointReceived(ids()[1], 10);
  ask("c");
  expect(session.replies).toEqual([]);
  const deferred = session.deferredReads;
  session.deferredReads = [];
  reads.addAgain(deferred);
  reads.pointReceived(ids()[2], 10);
  expect(session.replies).toEqual(["a", "b", "c"]);
});

test("a read whose time is up is answered, wherever it waits", () => {
  ask("a", 100);
  reads.pointReceived(ids()[0], 99);
  ask("b", 200);
  link.isUp = false;
  ask("c", 300);
  reads.abandonOverdue(99);
  expect(session.replies).toEqual([]);
  reads.abandonOverdue(300);
  expect(session.replies).toEqual([BEHIND, NOT_DONE, NOT_DONE]);
  expect(session.pendingReads).toBe(0);
  applied.index = 99;
  reads.runConfirmed();
  expect(session.replies.length).toBe(3);
});

test("a read whose time is not up keeps its place", () => {
  ask("a", 100);
  ask("b", 200);
  reads.abandonOverdue(100);
  reads.start();
  reads.pointReceived(ids()[1], 10);
  expect(session.replies).toEqual([NOT_DONE, "b"]);
});

test("the leader answers other nodes' requests with its core's point", () => {
  leadership = { isLeader: true, term: 1, leader: 1 };
  reads.requested(3, 77);
  reads.requested(4, 78);
  reads.confirmed(asked[0], 15);
  reads.failed(asked[1]);
  expect(link.readAnswers).toEqual([[3, 77, 15], [4, 78, -1]]);
  refuses = true;
  reads.requested(3, 79);
  leadership = { isLeader: false, term: 2, leader: 2 };
  reads.requested(3, 80);
  expect(link.readAnswers.slice(2)).toEqual([[3, 79, -1], [3, 80, -1]]);
});

test("a closed session's reads are dropped", () => {
  ask("a");
  session.closed = true;
  reads.pointReceived(ids()[0], 10);
  expect(session.replies).toEqual([]);
  expect(session.pendingReads).toBe(0);
});

test("Reads are not given up before one of their session that went to the log", () => {
  session.pendingLog = 1;
  ask("late", 100);
  reads.abandonOverdue(100);
  expect(session.replies).toEqual([]);
  session.pendingLog = 0;
  reads.abandonOverdue(110);
  expect(session.replies).toEqual([NOT_DONE]);
});

test("a stale read of a key whose time has come by the clock alone is answered at once", () => {
  session.consistency = "stale";
  const command = {
    name: "get",
    path: "read",
    run: (context: { dueSeen: boolean }) => {
      context.dueSeen = true;
      return "value";
    },
  };
  reads.runNow({
    ...pendingOf(session, ["GET", "key"]),
    command: command as Partial<Pending["command"]> as Pending["command"],
  });
  expect(session.replies).toEqual(["value"]);
  expect(session.pendingReads).toBe(0);
});
