import type { LogWriterMode } from "../storage/raft_log_types.ts";
import type { SqliteDriverName } from "../storage/sqlite_types.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "text" | "json";

/** Everything a node is told at its start, from flags, environment and configuration file. */
export interface ServeConfig {
  /** The data directory; created when missing. */
  readonly dataDirectory: string;
  /** The address that the RESP and HTTP listeners bind to. */
  readonly host: string;
  /** RESP; 0 picks a free port. */
  readonly port: number;
  /** HTTP: "off", or a port; 0 picks a free one. */
  readonly httpPort: number | "off";
  /** Between nodes; 0 picks a free port. */
  readonly peerPort: number;
  /** Required of RESP clients; "" asks for none. UTF-8 text, not Bytes. */
  readonly password: string;
  /** Required of HTTP clients; "" asks for none. */
  readonly token: string;
  /** Lets HTTP clients read; "" is no such token. */
  readonly readonlyToken: string;
  /** "*", or origins separated by commas, whose pages may use HTTP; "": none. */
  readonly corsOrigin: string;
  /** Memory for values in use, bytes. */
  readonly cacheBytes: number;
  /** Of what the change feed offers, kept on disk. */
  readonly changesBytes: number;
  readonly clientsMax: number;
  /** A client that is silent this long is disconnected; 0 = never. */
  readonly clientIdleTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly sqliteDriver: SqliteDriverName | "auto";
  /** Who writes the log, and waits for its fsyncs. */
  readonly logWriter: LogWriterMode;
  /** The port above was asked for, not derived: when it is in use, that is an error. */
  readonly isPeerPortFixed: boolean;
  /** The address that the peer listener binds to: `host`, or loopback where there is no secret. */
  readonly peerHost: string;
  /**
   * Where other nodes reach this one's peer listener: "host:port", or "host" and its port; "" is
   * its host and port.
   */
  readonly advertise: string;
  /** Peer addresses of a cluster to join; empty: found one alone. */
  readonly join: readonly string[];
  /** How many nodes found the cluster together; 0: no such founding. */
  readonly bootstrapExpect: number;
  /** What nodes prove to each other that they know. */
  readonly clusterSecret: string;
  /** How long a command waits for a leader, or for its commit. */
  readonly requestTimeoutMs: number;
}

/** Where a listener is reached. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A node that runs; made by startServer. */
export interface RunningServer {
  readonly respAddress: ListenAddress;
  /** Absent when HTTP is off. */
  readonly httpAddress?: ListenAddress;
  readonly peerAddress: ListenAddress;
  /** Resolves once it can serve reads and writes; rejects when it cannot start. */
  readonly ready: Promise<void>;
  /** Finishes what is in flight and closes the databases. */
  stop(): Promise<void>;
  /** Resolves when it has stopped by itself (SHUTDOWN) or by stop(); rejects when it failed. */
  readonly stopped: Promise<void>;
  /** Peer addresses of a cluster that it stops for, to join it as a new node; mostly none. */
  readonly joins: readonly string[];
}
