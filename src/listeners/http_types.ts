import type { Bytes } from "../base/bytes.ts";
import type { HttpUsers } from "./http_auth.ts";
import type { ClusterStatus } from "../commands/cluster_view.ts";
import type { Consistency } from "../commands/local_context.ts";
import type { Reply } from "../resp/reply.ts";
import type { Monitors } from "../server/monitors.ts";
import type { PubSub } from "../server/pubsub.ts";
import type { Readiness } from "../server/readiness.ts";
import type { ChangeFeed } from "../server/change_feed.ts";

/** How a request's commands are to be run. */
export interface ExecuteOptions {
  /** What reads may answer from; linearizable when absent. */
  readonly consistency?: Consistency;
  /** Whose request it is; one who may do everything when absent. */
  readonly user?: Bytes;
}

/** A place in the log. */
export interface Position {
  readonly index: number;
  /** Which command of that entry, so that every write has a position of its own. */
  readonly position: number;
}

/** What became of a request's commands. */
export interface Outcome {
  /** As many as commands, in their order. */
  readonly replies: readonly Reply[];
  /** How far this node had come when it gave the last of them. */
  readonly position: Position;
}

/** The node behind the listener, as each answer tells of it. */
export interface NodeState {
  /** Index of the last applied entry. */
  readonly index: number;
  readonly node: number;
  readonly role: string;
  /** Names the cluster; "" while there is none. */
  readonly clusterId: string;
}

/** What the HTTP listener needs of the server. Nothing of it rejects. */
export interface HttpExecutor {
  /**
   * Runs commands in order on one session of their own, as a pipelining connection would: each
   * sees what those before it wrote, and they share commits. Write replies come after the commit.
   */
  execute(commands: readonly (readonly Bytes[])[], options?: ExecuteOptions): Promise<Outcome>;
  state(): NodeState;
  /** Whether this node has applied an entry before a request's time is up. */
  reached(index: number): Promise<boolean>;
  /** Can this node serve now? The reason when not. */
  readiness(): Promise<Readiness>;
  /** What this node knows of its cluster; undefined while it is in none. */
  cluster(): ClusterStatus | undefined;
  /** The text of GET /metrics and its content type. */
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>;
  readonly users: HttpUsers;
  /** The channels; undefined while this node is in no cluster. */
  readonly pubsub: PubSub | undefined;
  /** The commands that run here; undefined while this node is in no cluster. */
  readonly monitors: Monitors | undefined;
  /** What the change feed offers; undefined while this node is in no cluster. */
  readonly changes: ChangeSource | undefined;
}

/** The changes of the last entries. */
export type ChangeSource = Pick<ChangeFeed, "trimmedIndex" | "read" | "follow">;

export interface HttpOptions {
  /** Any of these opens the door; empty: only users are known. */
  readonly tokens: readonly string[];
  /** These open it for those who only read. */
  readonly readonlyTokens?: readonly string[];
  /** A longer request body is refused with 413 and never held in memory. */
  readonly bodyBytesMax: number;
  /** "*" or origins separated by commas that a browser's pages may call from; none when absent. */
  readonly corsOrigin?: string;
  /** How long a request's body may take, before its length counts. */
  readonly bodyTimeoutMs?: number;
  /** Event streams at a time. */
  readonly streamsMax?: number;
  /** Silence on an event stream after which a heartbeat is sent. */
  readonly heartbeatMs?: number;
}

export type HttpStatus = 400 | 401 | 403 | 404 | 405 | 408 | 410 | 413 | 500 | 503;

/** A request that is refused before any command runs: a client's mistake, as a value. */
export class HttpProblem {
  readonly status: HttpStatus;
  /** What is wrong, for the `error` member of the body. */
  readonly text: string;
  /** For 405: the value of the Allow header. */
  readonly allow: string | undefined;
  /** More members of the body. */
  readonly members: Readonly<Record<string, number>> | undefined;

  constructor(
    status: HttpStatus,
    text: string,
    more: { allow?: string; members?: Readonly<Record<string, number>> } = {},
  ) {
    this.status = status;
    this.text = text;
    this.allow = more.allow;
    this.members = more.members;
  }
}
