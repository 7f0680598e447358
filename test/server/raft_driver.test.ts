import { beforeEach, expect, test } from "bun:test";
import { EMPTY_CONFIGURATION } from "../../src/raft/membership.ts";
import type {
  Entry,
  HardState,
  Message,
  RaftCore,
  RaftStatus,
  Ready,
  Role,
  SnapshotMeta,
} from "../../src/raft/types.ts";
import { RaftDriver } from "../../src/server/raft_driver.ts";
import type { AppendOutcome, LogStore } from "../../src/storage/raft_log_types.ts";
import { entriesOf } from "../storage/raft_log_fixture.ts";

const NOTHING: Ready = {
  hardState: undefined,
  commit: 0,
  entries: [],
  persistToken: undefined,
  messages: [],
  messagesAfterPersist: [],
  committed: [],
  readStates: [],
  readsFailed: [],
  snapshotsNeeded: [],
  dropped: [],
  installSnapshot: undefined,
  roleChange: undefined,
};

const SNAPSHOT: SnapshotMeta = { index: 9, term: 1, configuration: EMPTY_CONFIGURATION };

/** What happened, in order. */
let events: string[];
let readies: Ready[];
/** Ends the append under way; undefined when there is none. */
let end: ((outcome: AppendOutcome) => void) | undefined;
let ended: AppendOutcome | undefined;
let driver: RaftDriver;
let tokens: number;
let role: Role;
/** Term, vote and commit that the log was given last. */
let stored: HardState;

beforeEach(() => {
  events = [];
  readies = [];
  end = ended = undefined;
  tokens = 0;
  role = "leader";
  const raft: Partial<RaftCore> = {
    tick: () => {},
    ready: () => readies.shift(),
    persisted: ({ sequence }) => events.push(`persisted ${sequence}`),
    status: () => ({ id: 1, term: 3, role }) as Partial<RaftStatus> as RaftStatus,
    reportSnapshot: () => {},
  };
  stored = { term: 1, votedFor: 0, commit: 0 };
  const log: Partial<LogStore> = {
    hardState: stored,
    append(entries, hardState, written) {
      const what = entries.map(({ index, term }) => `${index}/${term}`).join(" ");
      const { term, votedFor } = stored;
      stored = hardState ?? stored;
      const isChanged = stored.term !== term || stored.votedFor !== votedFor;
      events.push(`append ${what}${isChanged ? ` term ${stored.term}` : ""}`);
      // As the store does: what changes term or vote is durable at once.
      if (isChanged || written === undefined) return true;
      expect(end).toBeUndefined();
      end = written;
      return false;
    },
    poll() {
      if (ended === undefined) return;
      const [outcome, written] = [ended, end];
      end = ended = undefined;
      written?.(outcome);
    },
  };
  driver = new RaftDriver(raft as RaftCore, log as LogStore, {
    committed: () => {},
    send: (messages) => events.push(`send ${messages.map(({ term }) => term).join()}`),
    readable: () => {},
    unreadable: () => {},
    roleChanged: () => {},
    snapshotsNeeded: () => {},
    install: (snapshot) => events.push(`install ${snapshot.index}`),
  });
});

/** The core hands out a write, with a message of `term` to send when it is durable. */
function hand(term: number, entries: Entry[], hardState?: HardState, commit = 0): void {
  const message: Message = { type: "heartbeat_response", from: 1, to: 2, term, round: 0 };
  const persistToken = { term, sequence: ++tokens };
  const written = { entries, hardState, commit, persistToken };
  readies.push({ ...NOTHING, ...written, messagesAfterPersist: [message] });
  driver.advance();
}

function finish(outcome: AppendOutcome): void {
  ended = outcome;
  driver.poll();
}

test("what gathers while an append is under way is the next one; nothing leaves before", () => {
  hand(1, entriesOf(1, 2));
  hand(1, entriesOf(3, 3));
  hand(1, []);
  hand(1, entriesOf(4, 5));
  driver.poll();
  expect(events).toEqual(["append 1/1 2/1"]);
  finish("durable");
  expect(events).toEqual(["append 1/1 2/1", "persisted 1", "send 1", "append 3/1 4/1 5/1"]);
  events = [];
  finish("durable");
  expect(events).toEqual([
    "persisted 2",
    "send 1",
    "persisted 3",
    "send 1",
    "persisted 4",
    "send 1",
  ]);
});

test("the commit index goes along with what is written, as it was when that was handed out", () => {
  hand(1, entriesOf(1, 3), undefined, 1);
  expect(stored.commit).toBe(1);
  hand(1, entriesOf(4, 4), undefined, 3);
  hand(1, [], undefined, 3);
  // In a write of its own: where it replaces what is in the log, less of that may be committed.
  hand(2, entriesOf(4, 4, 2), { term: 2, votedFor: 0, commit: 3 }, 3);
  finish("durable");
  expect(stored).toEqual({ term: 1, votedFor: 0, commit: 3 });
  finish("durable");
  expect(stored).toEqual({ term: 2, votedFor: 0, commit: 3 });
});

test("entries that replace others are a write of their own, behind those", () => {
  hand(1, entriesOf(1, 3));
  hand(1, entriesOf(4, 4));
  hand(2, entriesOf(2, 2, 2), { term: 2, votedFor: 0, commit: 0 });
  finish("durable");
  finish("durable");
  expect(events.filter((event) => event.startsWith("append"))).toEqual([
    "append 1/1 2/1 3/1",
    "append 4/1",
    "append 2/2 term 2",
  ]);
  expect(events.slice(-2)).toEqual(["persisted 3", "send 2"]);
});

test("a vote waits for the append under way", () => {
  hand(1, entriesOf(1, 1));
  hand(2, [], { term: 2, votedFor: 2, commit: 0 });
  expect(events).toEqual(["append 1/1"]);
  finish("durable");
  expect(events).toEqual([
    "append 1/1",
    "persisted 1",
    "send 1",
    "append  term 2",
    "persisted 2",
    "send 2",
  ]);
});

test("a snapshot is told of at once, to be installed behind all that is to be written", () => {
  hand(1, entriesOf(1, 1));
  readies.push({ ...NOTHING, installSnapshot: SNAPSHOT });
  driver.advance();
  expect(events).toEqual(["append 1/1", "install 9"]);
  expect(driver.hasUnwritten).toBe(true);
  finish("full");
  expect(driver.hasUnwritten).toBe(true);
  driver.tick(1e6);
  finish("durable");
  expect(driver.hasUnwritten).toBe(false);
});

test("who leads no more tells nobody to install what it has sent", () => {
  driver.snapshotSent(2, SNAPSHOT);
  role = "follower";
  driver.snapshotSent(2, SNAPSHOT);
  expect(events).toEqual(["send 3"]);
});

test("a full disk: all is written again, in order, when there is room", () => {
  hand(1, entriesOf(1, 1));
  finish("full");
  hand(1, entriesOf(2, 2));
  expect(driver.diskFull).toBe(true);
  expect(events).toEqual(["append 1/1"]);
  driver.tick(1e6);
  expect(driver.diskFull).toBe(false);
  finish("durable");
  expect(events).toEqual([
    "append 1/1",
    "append 1/1 2/1",
    "persisted 1",
    "send 1",
    "persisted 2",
    "send 1",
  ]);
});
