import { beforeEach, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { ConfigStore } from "../../src/commands/config_store.ts";
import type { NodeView } from "../../src/commands/local_context.ts";
import { BatchSession } from "../../src/listeners/batch_session.ts";
import { RespSession } from "../../src/listeners/resp_session.ts";
import type { RaftCore, RaftStatus } from "../../src/raft/types.ts";
import { Limits } from "../../src/server/limits.ts";
import { PONG } from "../../src/resp/reply.ts";
import { Server } from "../../src/server/server.ts";
import type { RaftLog } from "../../src/storage/raft_log.ts";
import type { AppliedState, RedisOperations } from "../../src/storage/redis_operations.ts";
import { makeBesideKeys } from "../../src/server/beside_keys.ts";
import { FakeClock, FakeLink } from "./fakes.ts";

const OPTIONS = {
  id: 1,
  nowMs: 0,
  remoteAddress: "",
  localAddress: "",
  passwordRequired: () => false,
};

let server: Server;
let turns: (() => void)[];
let written: string;
let session: RespSession;
let clock: FakeClock;

beforeEach(() => {
  turns = [];
  clock = new FakeClock();
  written = "";
  const identity = { clusterId: "", nodeId: 1, incarnation: 1, runs: [] };
  const hardState = { term: 1, votedFor: 0, commit: 0 };
  const raft: Partial<RaftCore> = {
    status: () => ({ term: 1, commit: 0, applied: 0 }) as Partial<RaftStatus> as RaftStatus,
    ready: () => undefined,
    snapshotInstalled: () => {},
    tick: () => {},
  };
  const applied = { index: 0, logTimeMs: 0, origins: [] } as Partial<AppliedState> as AppliedState;
  server = new Server({
    raft: raft as RaftCore,
    log: { identity, hardState } as Partial<RaftLog> as RaftLog,
    ops: { applied, nextExpiryMs: () => Infinity } as Partial<RedisOperations> as RedisOperations,
    beside: makeBesideKeys(),
    clock,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    seed: 1,
    schedule: (turn) => turns.push(turn),
    link: new FakeLink(),
    fatal: (error) => {
      throw error;
    },
    requestTimeoutMs: 10_000,
    isBacklogged: () => false,
    noRoom: () => false,
  });
  server.node = {
    pauseClients: (timeoutMs, mode) =>
      server.pause.set(server.monotonicMs() + timeoutMs, timeoutMs > 0 ? mode : "none"),
    shutdown: () => new Promise(() => {}),
  } as Partial<NodeView> as NodeView;
  const socket = {
    writableLength: 0,
    write: (text: string) => {
      written += text;
      return true;
    },
    pause: () => {},
    resume: () => {},
    end: () => {},
  } as unknown as Socket;
  session = new RespSession(
    server,
    socket,
    OPTIONS,
    new Limits(new ConfigStore({})),
  );
  server.sessions.set(1, session);
});

function run(): void {
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
}

test("commands behind a CLIENT UNPAUSE are answered behind it", () => {
  session.receive(Buffer.from("CLIENT PAUSE 1000 WRITE\r\nCLIENT UNPAUSE\r\nPING\r\n"));
  run();
  expect(written).toBe("+OK\r\n+OK\r\n+PONG\r\n");
});

test("a command without a connection goes on when CLIENT PAUSE is over", async () => {
  server.pause.set(server.monotonicMs() + 1000, "all");
  const replies = new BatchSession(server, [["PING"]], OPTIONS).run();
  run();
  server.pause.set(0, "none");
  run();
  expect(await Promise.race([replies, "still held"])).toMatchObject({ replies: [PONG] });
});

test("a CLIENT PAUSE does not end sooner for a shorter one behind it", () => {
  session.receive(Buffer.from("CLIENT PAUSE 60000 WRITE\r\nCLIENT PAUSE 1 WRITE\r\n"));
  session.receive(Buffer.from("SET k v\r\n"));
  run();
  server.pause.tick(server.monotonicMs() + 30_000);
  expect(server.pause.heldCount).toBe(1);
  server.pause.tick(server.monotonicMs() + 61_000);
  expect(server.pause.heldCount).toBe(0);
});

test("a stop does not wait for the SHUTDOWN that asked for it", () => {
  session.receive(Buffer.from("SHUTDOWN\r\n"));
  run();
  expect(session.localRunning).toBe(true);
  expect(server.quiet).toBe(true);
});

test("nothing is kept of what follows a protocol error that waits for its turn", () => {
  session.receive(Buffer.from("GET key\r\n*nonsense\r\n"));
  run();
  expect(session.pendingReads).toBe(1);
  const flood = Buffer.alloc(1024 * 1024, "x");
  for (let i = 0; i < 4; i++) session.receive(flood);
  expect(session.queryBufferBytes).toBeLessThan(1024 * 1024);
});

test("a connection goes on behind an EXEC that is refused", () => {
  session.receive(Buffer.from("MULTI\r\nSET k v\r\nPING\r\n"));
  run();
  server.beginStop();
  session.receive(Buffer.from("EXEC\r\nPING\r\n"));
  run();
  expect(written).toMatch(/^\+OK\r\n\+QUEUED\r\n\+QUEUED\r\n-EXECABORT [^\r]*\r\n\+PONG\r\n$/);
  expect(server.quiet).toBe(true);
});

test("a snapshot that has what was given up before lets nothing overtake a wait", () => {
  session.receive(Buffer.from("SET k v\r\n"));
  run();
  clock.nowMs += 11_000;
  server.tick();
  session.receive(Buffer.from("BLPOP q 0\r\n"));
  run();
  expect(session.localRunning).toBe(true);
  (server.ops.applied as { origins: unknown }).origins = [
    { node: 1, incarnation: 1, sequence: 1 },
  ];
  server.snapshotInstalled(1);
  expect(session.localRunning).toBe(true);
});
