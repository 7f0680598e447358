import { beforeEach, expect, test } from "bun:test";
import type { Entry } from "../../src/raft/types.ts";
import { ErrorReply, NOT_INTEGER, type Reply } from "../../src/resp/reply.ts";
import { encodeConfiguration } from "../../src/raft/membership.ts";
import {
  encodeArguments,
  encodeBatch,
  encodeSegment,
  type Segment,
} from "../../src/server/batch.ts";
import { makeBesideKeys } from "../../src/server/beside_keys.ts";
import { NOT_DONE } from "../../src/server/errors.ts";
import { PIECE_NAME } from "../../src/server/pieces.ts";
import type { Pending } from "../../src/server/session.ts";
import { Waiters } from "../../src/server/waiters.ts";
import { StateMachine } from "../../src/server/state_machine.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import { configurationOf } from "../raft/cluster.ts";
import { ModelRedisOperations } from "../storage/model_redis_operations.ts";
import { FakeSession, NOBODY_WAITS, pendingOf } from "./fakes.ts";

/** A node that applies entries; node 1 has clients that wait. */
class TestMachine {
  readonly ops = new ModelRedisOperations();
  readonly beside = makeBesideKeys();
  readonly waiting = new Map<number, Pending>();
  readonly replies: Reply[] = [];
  /** How long each pass of expiry took, by a clock that goes on at each look. */
  readonly passesMs: number[] = [];
  nowMs = 0;
  readonly machine: StateMachine;

  constructor(node: number) {
    this.machine = new StateMachine(
      this.ops,
      this.beside,
      new Waiters(() => {}, this.beside.waiters),
      {
        blocking: NOBODY_WAITS,
        tracking: { current: undefined, flushed: () => {} },
        node,
        incarnation: 1,
        settle: (sequence) => this.waiting.get(sequence),
        reply: (_pending, reply) => this.replies.push(reply),
        expired: (durationMs) => this.passesMs.push(durationMs),
      },
      () => this.nowMs++,
    );
  }

  apply(timeMs: number, ...segments: readonly Segment[]): void {
    const data = encodeBatch(timeMs, 7, segments.map(encodeSegment));
    const index = this.ops.applied.index + 1;
    this.machine.apply({ index, term: 1, kind: "normal", data } as Entry);
  }
}

let origin: TestMachine;
let other: TestMachine;

beforeEach(() => {
  origin = new TestMachine(1);
  other = new TestMachine(2);
});

function applyToBoth(timeMs: number, ...segments: readonly Segment[]): void {
  origin.apply(timeMs, ...segments);
  other.apply(timeMs, ...segments);
  expect(other.ops.applied).toEqual(origin.ops.applied);
}

function segment(
  firstSequence: number,
  commands: readonly (readonly string[])[],
  incarnation = 1,
  node = 1,
): Segment {
  return {
    node,
    incarnation,
    firstSequence,
    commands: commands.map((argv) => ({ db: 0, argv })),
  };
}

const INCR = ["INCR", "n"];
const count = (): string | undefined => origin.ops.getBinary(0, "n");

test("a segment that comes twice is applied once", () => {
  applyToBoth(1, segment(1, [INCR, INCR]));
  applyToBoth(2, segment(1, [INCR, INCR]));
  expect(count()).toBe("2");
});

test("of a segment that overlaps what was applied only the rest is applied", () => {
  applyToBoth(1, segment(1, [INCR, INCR]));
  applyToBoth(2, segment(2, [INCR, INCR, INCR]));
  expect(count()).toBe("4");
});

test("the same segment twice in one entry is applied once", () => {
  applyToBoth(1, segment(1, [INCR]), segment(1, [INCR]), segment(2, [INCR]));
  expect(count()).toBe("2");
});

test("a segment behind a gap is not applied: what lies before it may still come", () => {
  applyToBoth(1, segment(1, [INCR]));
  applyToBoth(2, segment(3, [["SET", "n", "overtaking"]]));
  expect(count()).toBe("1");
  applyToBoth(3, segment(2, [INCR]), segment(3, [INCR]));
  expect(count()).toBe("3");
});

test("a new run of a node begins at one again; its earlier runs count no more", () => {
  applyToBoth(1, segment(1, [INCR, INCR]));
  applyToBoth(2, segment(1, [INCR], 2));
  applyToBoth(3, segment(3, [INCR]));
  expect(count()).toBe("3");
});

test("each pass of expiry is timed", () => {
  applyToBoth(1, segment(1, [["SET", "a", "1", "PXAT", "10"], ["SET", "b", "1", "PXAT", "20"]]));
  applyToBoth(9, segment(3, [INCR]));
  expect(origin.passesMs).toEqual([]);
  applyToBoth(10, segment(4, [INCR]));
  applyToBoth(20, segment(5, [INCR]));
  expect(origin.passesMs).toEqual([1, 1]);
  expect(origin.machine.expiredKeys).toBe(2);
});

test("nodes' numbers are their own", () => {
  applyToBoth(1, segment(1, [INCR], 1, 1), segment(1, [INCR], 1, 2), segment(1, [INCR], 1, 3));
  expect(count()).toBe("3");
});

test("who waits here gets the reply of the first application, others none", () => {
  const session = new FakeSession();
  for (const sequence of [1, 2]) origin.waiting.set(sequence, pendingOf(session, INCR));
  applyToBoth(1, segment(1, [INCR]));
  applyToBoth(2, segment(1, [INCR, INCR]));
  expect(origin.replies).toEqual([1, 2]);
  expect(other.replies).toEqual([]);
});

test("the last piece of a large command behind its node's removal is answered: not done", () => {
  const command = ["SET", "a", "x".repeat(30)];
  const bytes = encodeArguments(command);
  const piece = (
    start: number,
    end: number,
  ) => [PIECE_NAME, String(start), String(bytes.length), bytes.slice(start, end)];
  origin.waiting.set(2, pendingOf(new FakeSession(), command));
  applyToBoth(1, segment(1, [piece(0, 10)]));
  const data = encodeConfiguration(configurationOf([2, 3]));
  for (const { machine } of [origin, other]) {
    machine.apply({ index: 2, term: 1, kind: "configuration", data });
  }
  applyToBoth(2, segment(2, [piece(10, bytes.length)]));
  expect(origin.ops.getBinary(0, "a")).toBeUndefined();
  expect(origin.replies).toEqual([NOT_DONE]);
});

test("a read in the log answers its client and leaves no trace in data or digest", () => {
  const session = new FakeSession();
  origin.waiting.set(1, pendingOf(session, ["SET", "a", "b"]));
  origin.waiting.set(2, pendingOf(session, ["GET", "a"]));
  applyToBoth(1, segment(1, [["SET", "a", "b"], ["GET", "a"]]));
  expect(origin.replies.at(-1)).toBe("b");
});

test("a command that was given up before it was sent takes its number and does nothing", () => {
  applyToBoth(1, segment(1, [INCR, [], INCR]));
  expect(count()).toBe("2");
});

test("nodes whose data differ get different digests", () => {
  other.ops.set(0, "n", "5", NO_EXPIRY);
  const first = segment(1, [INCR]);
  origin.apply(1, first);
  other.apply(1, first);
  expect(other.ops.applied.digest).not.toBe(origin.ops.applied.digest);
});

test("log time never goes back, and keys die by it alone", () => {
  applyToBoth(1000, segment(1, [["SET", "n", "1", "PX", "100"]]));
  applyToBoth(500, segment(2, [["SET", "m", "1"]]));
  expect(origin.ops.applied.logTimeMs).toBe(1000);
  expect(count()).toBe("1");
  applyToBoth(1100);
  expect(count()).toBeUndefined();
});

const SET_ONCE = ["IDEMPOTENT", "request-1", "1000", "INCRBY", "n", "5"];

test("a command with an idempotency key is carried out once, and answered the same", () => {
  applyToBoth(1, segment(1, [SET_ONCE, SET_ONCE]));
  applyToBoth(2, segment(1, [SET_ONCE], 1, 2));
  expect(count()).toBe("5");
  expect(other.ops.getBinary(0, "n")).toBe("5");
});

test("a reply is remembered for its time, by log time", () => {
  applyToBoth(1, segment(1, [SET_ONCE]));
  applyToBoth(1000, segment(2, [SET_ONCE]));
  expect(count()).toBe("5");
  applyToBoth(1001, segment(3, [SET_ONCE]));
  expect(count()).toBe("10");
  expect(origin.beside.idempotency.size).toBe(1);
  applyToBoth(5000, segment(4, []));
  expect(origin.beside.idempotency.size).toBe(0);
});

test("the client that waits gets the remembered reply, also an error", () => {
  const fails = ["IDEMPOTENT", "k", "1000", "INCR", "text"];
  // It would not fail any more.
  applyToBoth(1, segment(1, [["SET", "text", "x"], fails, ["SET", "text", "1"]]));
  origin.waiting.set(4, pendingOf(new FakeSession(), fails));
  origin.waiting.set(5, pendingOf(new FakeSession(), SET_ONCE));
  origin.waiting.set(6, pendingOf(new FakeSession(), SET_ONCE));
  origin.apply(2, segment(4, [fails, SET_ONCE, SET_ONCE]));
  expect(origin.replies).toEqual([NOT_INTEGER, 5, 5]);
  expect(origin.ops.getBinary(0, "text")).toBe("1");
});

test("an idempotency key is good for one command; what does not write needs none", () => {
  const waiting = [
    ["IDEMPOTENT", "k", "1000", "INCR", "n"],
    ["IDEMPOTENT", "k", "1000", "INCR", "m"],
    ["IDEMPOTENT", "j", "1000", "GET", "n"],
    ["IDEMPOTENT", "j", "0", "INCR", "n"],
    ["IDEMPOTENT", "j", "1000", "INCR"],
    ["IDEMPOTENT", "j", "1000", "IDEMPOTENT", "i", "1000", "INCR", "n"],
  ];
  for (const [i, argv] of waiting.entries()) {
    origin.waiting.set(i + 1, pendingOf(new FakeSession(), argv));
  }
  origin.apply(1, segment(1, waiting));
  const texts = origin.replies.map((reply) => reply instanceof ErrorReply ? reply.text : reply);
  expect(texts).toEqual([
    1,
    "ERR this idempotency key was used with another command",
    "ERR 'get' is not a write command: it needs no idempotency key",
    "ERR ttl-ms is not between 1 and 604800000",
    "ERR wrong number of arguments for 'incr' command",
    "ERR 'idempotent' is not a write command: it needs no idempotency key",
  ]);
});

test("a read that waits is in the log no more, and one that was given up does not wait", () => {
  const argv = ["XREAD", "BLOCK", "0", "STREAMS", "k", "$"];
  const session = new FakeSession();
  session.pendingLog = 1;
  origin.waiting.set(1, pendingOf(session, argv));
  origin.apply(1, segment(1, [argv]));
  expect(session.pendingLog).toBe(0);
  expect(origin.replies).toEqual([]);
  origin.waiting.set(2, { ...pendingOf(session, argv), isAbandoned: true });
  origin.apply(2, segment(2, [argv]));
  expect(session.pendingLog).toBe(0);
  expect(origin.replies).toEqual([null]);
});
