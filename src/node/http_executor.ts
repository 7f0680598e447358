import { type Bytes, utf8Decode } from "../base/bytes.ts";
import { makeHttpUsers } from "./http_users.ts";
import { BatchSession } from "../listeners/batch_session.ts";
import type { HttpExecutor, NodeState } from "../listeners/http_types.ts";
import type { ChangeFeed } from "../server/change_feed.ts";
import { ErrorReply } from "../resp/reply.ts";
import { NOT_STARTED } from "../server/errors.ts";
import type { Readiness } from "../server/readiness.ts";
import type { Server } from "../server/server.ts";
import type { MetricsPage } from "./metrics_page.ts";

const JOINING: NodeState = { index: 0, node: 0, role: "joining", clusterId: "" };

/** How long GET /ready waits for a read that only a node that is well can answer. */
const READY_WAIT_MS = 1000;

/** Runs what HTTP requests ask for on sessions of their own; `current` is set once a node runs. */
export function makeHttpExecutor(
  current: () => Server | undefined,
  changes: ChangeFeed,
  page: MetricsPage,
  nodePassword: Bytes,
): HttpExecutor {
  const execute: HttpExecutor["execute"] = (commands, options) => {
    const server = current();
    if (server === undefined) {
      const position = { index: 0, position: 0 };
      return Promise.resolve({ replies: commands.map(() => NOT_STARTED), position });
    }
    return new BatchSession(server, commands, {
      id: 0,
      nowMs: server.wallMs(),
      remoteAddress: "",
      localAddress: "",
      passwordRequired: () => false,
      consistency: options?.consistency,
      user: options?.user,
    }).run();
  };
  return {
    execute,
    state() {
      const server = current();
      if (server === undefined) return JOINING;
      const { identity, ops, role } = server;
      const { nodeId, clusterId } = identity;
      return { index: ops.applied.index, node: nodeId, role: ROLES[role], clusterId };
    },
    reached: (index) => current()?.whenApplied(index) ?? Promise.resolve(false),
    readiness: () => readiness(current(), execute),
    cluster: () => current()?.node.cluster.status(),
    metrics: () => page.render(),
    users: makeHttpUsers(() => current()?.features.access, nodePassword),
    get monitors() {
      return current()?.features.monitors;
    },
    get pubsub() {
      return current()?.features.pubsub;
    },
    get changes() {
      return current() === undefined ? undefined : changes;
    },
  };
}

/**
 * Ready is who answers a linearizable read: its leader is known, can be reached and has a majority,
 * and its own state has come as far as the leader's was when it asked.
 */
async function readiness(
  server: Server | undefined,
  execute: HttpExecutor["execute"],
): Promise<Readiness> {
  if (server === undefined) return { ready: false, reason: "joining a cluster" };
  const known = server.readiness();
  if (!known.ready) return known;
  const { nodeId, leader, members } = server.node.cluster.status();
  const leaderView = members.find(({ id }) => id === leader);
  if (leader !== nodeId && leaderView?.isConnected !== true) {
    return { ready: false, reason: `the leader, node ${leader}, cannot be reached` };
  }
  const read = execute([["EXISTS", ""]]).then(({ replies }) => replies[0]);
  const reply = await within(READY_WAIT_MS, read);
  if (typeof reply === "number") return { ready: true, reason: "" };
  if (reply instanceof ErrorReply) return { ready: false, reason: utf8Decode(reply.text) };
  const { index } = server.ops.applied;
  return { ready: false, reason: `index ${index} is applied, the leader is ahead or silent` };
}

/** What the promise gives, or undefined when that takes longer. */
async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  const value = await Promise.race([promise, timeout]);
  clearTimeout(timer);
  return value;
}

const ROLES = {
  leader: "leader",
  follower: "follower",
  candidate: "candidate",
  pre_candidate: "candidate",
} as const;
