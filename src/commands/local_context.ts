import type { Bytes } from "../base/bytes.ts";
import type { ErrorReply, Reply } from "../resp/reply.ts";
import type { AclView } from "./acl_view.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { LatencyMonitorView } from "./latency_view.ts";
import type { MigrateRequest } from "./migrate.ts";
import type { TrackingOptions, TrackingState } from "./tracking_view.ts";
import type { PubSubView, SubscriptionView } from "./pubsub_view.ts";

/** What reads may answer from, strongest first. */
export type Consistency = "linearizable" | "lease" | "stale";

export function isConsistency(word: string): word is Consistency {
  return word === "linearizable" || word === "lease" || word === "stale";
}

/** What a connection command may see and change of a connection. Times are Unix milliseconds. */
export interface ClientView {
  readonly id: number;
  /** "127.0.0.1:50000", or "" for one that is gone. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** "normal" or "pubsub": the type that CLIENT LIST TYPE and CLIENT KILL TYPE filter by. */
  readonly type: "normal" | "pubsub";
  readonly createdAtMs: number;
  readonly lastActiveMs: number;
  /** Full name in lower case of the last command, "client|list"; "NULL" before the first. */
  readonly lastCommand: string;
  /** Bytes of a request that is not yet complete. */
  readonly queryBufferBytes: number;
  /** Bytes of replies not yet taken by the socket. */
  readonly outputBufferBytes: number;
  /** The channels it listens to; undefined while there are none. */
  readonly subscription: SubscriptionView | undefined;
  /** CLIENT TRACKING; undefined when it is off. */
  readonly tracking: TrackingState | undefined;
  /** MONITOR is on. */
  readonly monitor: object | undefined;
  /** Its command waits for data. */
  readonly blocked: object | undefined;
  /** What it has queued since MULTI; undefined outside of it. */
  readonly transaction: { readonly commands: readonly unknown[] } | undefined;
  /** The keys it watches, if any; `isDirty`: one has changed. */
  readonly watches: { readonly isDirty: boolean } | undefined;
  name: Bytes;
  libName: Bytes;
  libVersion: Bytes;
  db: number;
  protocol: 2 | 3;
  authenticated: boolean;
  /** The user name it authenticated as: "default". */
  user: Bytes;
  noEvict: boolean;
  noTouch: boolean;
  /** CLIENT CONSISTENCY */
  consistency: Consistency;
  /**
   * CLIENT REPLY. The server drops the reply of a command that found or left this at other than
   * "on", unless it left it at "on"; after a command that found "skip" it sets "on" again.
   */
  replyMode: "on" | "off" | "skip";
  /** Closes the connection after the replies that are due, or (`now`) at once. */
  close(now?: boolean): void;
  beginTransaction(): void;
  /** Leaves MULTI, with all that was queued and watched. */
  endTransaction(): void;
  unwatch(): void;
  /** Back to the state of a new connection (RESET), authentication excepted where none is needed. */
  reset(): void;
}

/** One SLOWLOG entry. */
export interface SlowLogEntry {
  readonly id: number;
  readonly atMs: number;
  readonly durationUs: number;
  readonly argv: readonly Bytes[];
  readonly remoteAddress: string;
  readonly clientName: Bytes;
}

/** How long the calls of a command took. */
export interface LatencyView {
  readonly calls: number;
  /** Of each bucket that has any: its upper bound in microseconds, and the calls up to it. */
  readonly upToUs: readonly (readonly [upTo: number, calls: number])[];
}

/** What ROLE answers. */
export type RoleView =
  | {
    readonly role: "master";
    /** How far the log has come. */
    readonly offset: number;
    readonly replicas: readonly {
      readonly host: string;
      readonly port: number;
      readonly offset: number;
    }[];
  }
  | {
    readonly role: "slave";
    readonly leaderHost: string;
    readonly leaderPort: number;
    readonly state: "connect" | "connecting" | "sync" | "connected";
    readonly offset: number;
  };

/** What a command may see and do of this node. */
export interface NodeView {
  /** Unix time in microseconds. */
  nowUs(): number;
  /** Whether commands need AUTH on this node. */
  readonly passwordRequired: boolean;
  readonly acl: AclView;
  /** Has a client go on as a user, if the password is right; `word`: how it put the request. */
  authenticate(client: ClientView, user: Bytes, password: Bytes, word: Bytes): boolean;
  /** Every open connection, ascending by id. */
  clients(): Iterable<ClientView>;
  client(id: number): ClientView | undefined;
  /** The text of INFO for these sections in lower case ("all", "everything", "default", names). */
  info(sections: readonly string[]): Bytes;
  /** Names and values of configuration parameters that match a glob pattern. */
  configGet(pattern: Bytes): readonly (readonly [Bytes, Bytes])[];
  /** Sets parameters, all or none; an error reply when one is unknown, immutable or invalid. */
  configSet(pairs: readonly (readonly [Bytes, Bytes])[]): ErrorReply | undefined;
  configResetStat(): void;
  /** How long commands took, from their arrival to the reply, by full name. */
  latencies(): ReadonlyMap<string, LatencyView>;
  readonly latencyMonitor: LatencyMonitorView;
  /** Entries newest first. */
  slowLog: { readonly entries: readonly SlowLogEntry[]; reset(): void };
  /** Stops the node in order; a promise that never settles when it succeeds. */
  shutdown(): Promise<ErrorReply>;
  /** Whether expired keys that nobody asks for are deleted while this node leads. */
  setActiveExpire(on: boolean): void;
  /** Makes all data durable and forgets what memory holds of it: DEBUG RELOAD. */
  reload(): void;
  /** Blocks this node's whole loop, as DEBUG SLEEP does. */
  sleepBlocking(milliseconds: number): void;
  readonly role: RoleView;
  readonly cluster: ClusterView;
  readonly pubsub: PubSubView;
  /**
   * WAIT: how many other nodes are known to hold all that this connection has written, once it is
   * `wanted` or the time is up (0: never); an error when CLIENT UNBLOCK says so.
   */
  waitForReplicas(
    client: ClientView,
    wanted: number,
    timeoutMs: number,
  ): Promise<number | ErrorReply>;
  /** MIGRATE: moves keys of a database to another server. */
  migrate(db: number, request: MigrateRequest): Promise<Reply>;
  /** CLIENT PAUSE: holds back writes, or every command, of all clients for a time; 0 ends it. */
  pauseClients(timeoutMs: number, mode: "write" | "all"): void;
  /** CLIENT TRACKING. */
  readonly tracking: {
    enable(client: ClientView, options: TrackingOptions): void;
    disable(client: ClientView): void;
  };
  /** MONITOR: the client is told of each command from now on. */
  monitor(client: ClientView): void;
  /** CLIENT UNBLOCK: ends the wait of a blocked client; false when it is not blocked. */
  unblockClient(id: number, reply: "timeout" | "error"): Promise<boolean>;
}

/** What a local command runs with. */
export interface LocalContext {
  readonly client: ClientView;
  readonly node: NodeView;
}
