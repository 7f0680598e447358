import { beforeEach, expect, test } from "bun:test";
import { PIECE_BYTES, PIECES_UNDER_WAY_MAX } from "../../src/constants.ts";
import type { RaftCore } from "../../src/raft/types.ts";
import { decodeBatch, decodeSegment, encodeSegment } from "../../src/server/batch.ts";
import { NOT_DONE, OUTCOME_UNKNOWN } from "../../src/server/errors.ts";
import type { Leadership } from "../../src/server/leadership.ts";
import { Writes } from "../../src/server/writes.ts";
import { ModelRedisOperations } from "../storage/model_redis_operations.ts";
import { FakeClock, FakeLink, fakePrng, FakeSession, pendingOf } from "./fakes.ts";

let link: FakeLink;
let clock: FakeClock;
let leadership: Leadership;
let session: FakeSession;
let proposed: Uint8Array[];
let writes: Writes;
let onPropose: (local: unknown) => void;
let turns: number;
let voters: number[];
let raft: Partial<RaftCore>;
let ops: ModelRedisOperations;

beforeEach(() => {
  link = new FakeLink();
  clock = new FakeClock();
  leadership = { isLeader: false, term: 5, leader: 2 };
  session = new FakeSession();
  proposed = [];
  onPropose = () => {};
  turns = 0;
  voters = [1];
  ops = new ModelRedisOperations();
  raft = {
    uncommitted: 0,
    holdsCommitNotice: false,
    get hasOtherVoters() {
      return voters.length > 1;
    },
    propose: (data, local) => {
      onPropose(local);
      proposed.push(data);
      return { ok: true, index: proposed.length, term: leadership.term };
    },
  };
  writes = new Writes({
    raft: raft as RaftCore,
    ops,
    clock,
    prng: fakePrng(),
    link,
    identity: { clusterId: "", nodeId: 1, incarnation: 3, runs: [] },
    leadership: () => leadership,
    advance: () => {},
    isHeldBack: () => false,
    schedule: () => turns++,
    stillWaits: () => false,
    giveUp: ({ session }, reply) => session.deliver(reply),
  });
});

function write(name: string, deadlineMs = Infinity): void {
  writes.take(pendingOf(session, ["SET", name, "1"], deadlineMs));
  writes.send();
}

/** What was sent to leaders: the first number and the keys. */
const sent = (): string[] =>
  link.forwarded.map(({ leader, term, segment }) => {
    const { firstSequence, commands } = decodeSegment(Buffer.from(segment, "latin1"));
    const keys = commands.map(({ argv }) => argv[1] ?? "-").join("");
    return `${leader}/${term}: ${firstSequence} ${keys}`;
  });

/** A segment of node 4 as it would send it. */
function foreign(firstSequence: number, keys: string): Uint8Array {
  const commands = [...keys].map((key) => ({ db: 0, argv: ["SET", key, "1"] }));
  const segment = { node: 4, incarnation: 1, firstSequence, commands };
  return Buffer.from(encodeSegment(segment), "latin1");
}

const proposedKeys = (): string[] =>
  proposed.flatMap((data) =>
    decodeBatch(data).segments.map(({ commands }) => commands.map(({ argv }) => argv[1]).join(""))
  );

test("with other voters a leader waits a moment for the clients that it has just answered", async () => {
  leadership = { isLeader: true, term: 5, leader: 1 };
  voters = [1, 2, 3];
  write("a");
  writes.settle(1);
  writes.outbox.push(pendingOf(session, ["SET", "b", "1"], Infinity));
  writes.entryApplied();
  writes.send();
  expect(proposedKeys()).toEqual(["a"]);
  write("c");
  expect(proposedKeys()).toEqual(["a", "bc"]);
  writes.settle(2);
  writes.settle(3);
  writes.entryApplied();
  write("d");
  expect(proposedKeys()).toEqual(["a", "bc"]);
  while (proposed.length < 3) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    writes.send();
  }
  expect(turns).toBeGreaterThan(0);
  expect(proposedKeys()).toEqual(["a", "bc", "d"]);
});

test("a commit is told with the next entry, or when none follows; at once to who waits for it", async () => {
  leadership = { isLeader: true, term: 5, leader: 1 };
  voters = [1, 2, 3];
  write("a");
  expect(raft.holdsCommitNotice).toBe(true);
  writes.settle(1);
  writes.entryApplied();
  while (raft.holdsCommitNotice) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(turns).toBeGreaterThan(0);
  writes.receive(4, 5, foreign(1, "x"));
  writes.send();
  expect(proposedKeys()).toEqual(["a", "x"]);
  expect(raft.holdsCommitNotice).toBe(false);
  // Until that is applied here, the entries behind it do not hold its notice back either.
  write("b");
  expect(raft.holdsCommitNotice).toBe(false);
});

test("a leader without other voters waits for nobody", () => {
  leadership = { isLeader: true, term: 5, leader: 1 };
  write("a");
  write("b");
  writes.settle(2);
  writes.entryApplied();
  write("c");
  expect(proposedKeys()).toEqual(["a", "b", "c"]);
});

test("a follower sends to the leader; all that is not applied goes to the next one", () => {
  write("a");
  write("b");
  expect(writes.settle(1)).toBeDefined();
  leadership = { isLeader: false, term: 6, leader: 3 };
  writes.leaderChanged();
  writes.send();
  expect(sent()).toEqual(["2/5: 1 a", "2/5: 2 b", "3/6: 2 b"]);
});

test("without a connection commands wait; what was never sent is certain not to happen", () => {
  link.isUp = false;
  write("a", 2000);
  link.isUp = true;
  writes.abandonOverdue(2000);
  expect(session.replies).toEqual([NOT_DONE]);
  write("b");
  expect(sent()).toEqual(["2/5: 1 -b"]);
});

test("what is not applied for a while is sent again, but not the first after an idle time", () => {
  clock.nowMs = 100_000;
  write("a");
  clock.nowMs += 1999;
  writes.abandonOverdue(clock.nowMs);
  writes.send();
  expect(sent()).toEqual(["2/5: 1 a"]);
  clock.nowMs++;
  writes.abandonOverdue(clock.nowMs);
  writes.send();
  expect(sent()).toEqual(["2/5: 1 a", "2/5: 1 a"]);
});

test("a command that was sent ends as unknown, and is not sent again", () => {
  write("a", 2000);
  write("b");
  writes.abandonOverdue(2000);
  expect(session.replies).toEqual([OUTCOME_UNKNOWN]);
  leadership = { isLeader: false, term: 6, leader: 3 };
  writes.leaderChanged();
  writes.send();
  expect(sent().at(-1)).toBe("3/6: 1 -b");
  writes.abandonOverdue(9000);
  expect(session.replies.length).toBe(1);
});

test("without progress a follower sends everything again", () => {
  write("a");
  writes.abandonOverdue(clock.nowMs + 5000);
  writes.send();
  expect(sent()).toEqual(["2/5: 1 a", "2/5: 1 a"]);
});

test("a leader takes other nodes' segments of its term, in order and of their own", () => {
  leadership = { isLeader: true, term: 5, leader: 1 };
  writes.receive(4, 5, foreign(1, "ab"));
  writes.receive(4, 4, foreign(3, "x"));
  writes.receive(4, 5, foreign(5, "y"));
  writes.receive(3, 5, foreign(3, "z"));
  writes.receive(4, 5, Buffer.from("no segment"));
  writes.receive(4, 5, foreign(3, "cd"));
  writes.send();
  expect(proposedKeys()).toEqual(["ab", "cd"]);
});

test("what a node has sent that is gone does not come behind what is done about that", () => {
  leadership = { isLeader: true, term: 5, leader: 1 };
  Object.assign(raft, { uncommitted: 4 });
  writes.receive(4, 5, foreign(1, "ab"));
  writes.send();
  expect(proposed).toEqual([]);
  writes.peerGone(4);
  Object.assign(raft, { uncommitted: 0 });
  writes.send();
  expect(proposed).toEqual([]);
  // It is back, and sends all of it again.
  writes.receive(4, 5, foreign(1, "abc"));
  writes.send();
  expect(proposedKeys()).toEqual(["abc"]);
});

test("a node that does not lead takes nothing", () => {
  writes.receive(4, 5, foreign(1, "a"));
  leadership = { isLeader: true, term: 5, leader: 1 };
  writes.send();
  expect(proposed).toEqual([]);
});

test("what a leader has in its log stays as it was when its client's time is up", () => {
  leadership = { isLeader: true, term: 5, leader: 1 };
  const locals: unknown[] = [];
  onPropose = (local) => locals.push(local);
  write("a", 2000);
  const before = JSON.stringify(locals, ["segments", "commands", "argv"]);
  writes.abandonOverdue(2000);
  expect(session.replies).toEqual([OUTCOME_UNKNOWN]);
  expect(before).toContain('"a"');
  expect(JSON.stringify(locals, ["segments", "commands", "argv"])).toBe(before);
});

test("a node's commands go on behind one that an earlier leader's entry has brought", () => {
  leadership = { isLeader: true, term: 5, leader: 1 };
  writes.receive(4, 5, foreign(1, "ab"));
  // The third came to be applied by an entry from before this term, and is not sent again.
  const origins = [{ node: 4, incarnation: 1, sequence: 3 }];
  ops.setApplied({ ...ops.applied, origins });
  writes.receive(4, 5, foreign(4, "d"));
  // A late copy of what was there before does not bring the expectation back.
  writes.receive(4, 5, foreign(1, "ab"));
  writes.receive(4, 5, foreign(5, "e"));
  writes.send();
  const numbers = decodeBatch(proposed[0]).segments.map(({ firstSequence }) => firstSequence);
  expect(numbers).toEqual([1, 4, 1, 5]);
});

test("a snapshot answers what it holds of this run, and leaves what is of an earlier one", () => {
  for (const name of ["a", "b", "c"]) write(name);
  const origins = (incarnation: number) => [{ node: 1, incarnation, sequence: 2 }];
  ops.setApplied({ ...ops.applied, origins: origins(2) });
  writes.snapshotInstalled();
  expect(session.replies).toEqual([]);
  ops.setApplied({ ...ops.applied, origins: origins(3) });
  writes.snapshotInstalled();
  expect(session.replies).toEqual([OUTCOME_UNKNOWN, OUTCOME_UNKNOWN]);
  expect(writes.outbox.length).toBe(1);
});

test("what follows a large command on a connection stays behind it", () => {
  const big = "x".repeat(3 * PIECE_BYTES);
  writes.take(pendingOf(session, ["SET", "a", big], Infinity));
  // Reads that turn to the log come in a row, whatever else is under way.
  writes.take(pendingOf(session, ["GET", "b"], Infinity));
  const other = new FakeSession();
  writes.take(pendingOf(other, ["GET", "c"], Infinity));
  const order: string[] = [];
  for (writes.large.feed(); writes.outbox.hasUnsent; writes.large.feed()) {
    const { firstSequence, commands } = writes.outbox.takeUnsent();
    for (const [i, item] of commands.entries()) {
      writes.outbox.settle(firstSequence + i);
      const whole = item.piece?.whole ?? item;
      if (item.piece?.isLast !== false) order.push(whole.argv[1]);
    }
  }
  expect(order).toEqual(["c", "a", "b"]);
});

test("a large command whose time is up is answered behind what came before it", () => {
  write("a", 2000);
  writes.take(pendingOf(session, ["SET", "b", "x".repeat(3 * PIECE_BYTES)], 2000));
  writes.abandonOverdue(2000);
  expect(session.replies).toEqual([OUTCOME_UNKNOWN, NOT_DONE]);
});

test("what follows a large command is answered behind it, whoever came between its pieces", () => {
  // All of it is in the outbox then, behind what came there before, and what follows is not.
  const bytes = (PIECES_UNDER_WAY_MAX - 0.5) * PIECE_BYTES;
  writes.take(pendingOf(session, ["SET", "a", "x".repeat(bytes)], 2000));
  // A read that turned to the log.
  writes.take(pendingOf(session, ["GET", "b"], 2000));
  const other = new FakeSession();
  writes.take(pendingOf(other, ["SET", "c", "1"], 3000));
  writes.send();
  writes.abandonOverdue(2000);
  expect(session.replies).toEqual([OUTCOME_UNKNOWN, NOT_DONE]);
  expect(other.replies).toEqual([]);
});

test("what follows a large command that has moved on is answered behind it", () => {
  writes.take(pendingOf(session, ["SET", "a", "x".repeat(3 * PIECE_BYTES)], 2000));
  // Reads that turned to the log.
  writes.take(pendingOf(session, ["GET", "b"], 2000));
  writes.take(pendingOf(session, ["GET", "c"], 2000));
  writes.send();
  clock.nowMs = 1000;
  // A piece is applied: the rest has as much time again.
  writes.settle(1);
  writes.send();
  clock.nowMs = 2000;
  writes.abandonOverdue(2000);
  expect(session.replies).toEqual([]);
  writes.abandonOverdue(Infinity);
  expect(session.replies.length).toBe(3);
});
