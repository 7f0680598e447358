import process from "node:process";
import type { Histogram } from "../base/histogram.ts";
import type { ClusterStatus } from "../commands/cluster_view.ts";
import { BALSA_VERSION, DATABASE_COUNT } from "../constants.ts";
import type { HttpCounts } from "../listeners/http_counts.ts";
import type { RaftStatus } from "../raft/types.ts";
import { RUNTIME_NAME, RUNTIME_VERSION } from "../runtime/runtime.ts";
import type { CommandFigures } from "../server/metrics.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import type { Server } from "../server/server.ts";
import type { SnapshotCounts } from "./snapshots.ts";

/** What the figures are taken from. */
export interface MetricSources {
  readonly server: Server;
  readonly storage: NodeStorage;
  readonly cluster: ClusterStatus;
  readonly raft: RaftStatus;
  readonly http: HttpCounts | undefined;
  readonly snapshots: SnapshotCounts;
  /** How late the loop's clockwork was, milliseconds. */
  readonly loopDelayMs: Histogram;
  readonly sqliteVersion: string;
  readonly startedMs: number;
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string | number>>;
  /** A histogram's is in milliseconds, and shown in seconds. */
  readonly value: number | Histogram;
}

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly read: (sources: MetricSources) => readonly Sample[];
}

function family(
  type: MetricFamily["type"],
  name: string,
  help: string,
  read: (sources: MetricSources) => number | Histogram | readonly Sample[],
): MetricFamily {
  return {
    name: `balsa_${name}`,
    help,
    type,
    read: (sources) => {
      const result = read(sources);
      return Array.isArray(result) ? result : [{ value: result as number | Histogram }];
    },
  };
}

const gauge = family.bind(undefined, "gauge");
const counter = family.bind(undefined, "counter");
const histogram = family.bind(undefined, "histogram");

function byCommand(
  value: (figures: CommandFigures) => number | Histogram,
): (sources: MetricSources) => readonly Sample[] {
  return ({ server }) =>
    [...server.metrics.commands].map(([name, figures]) => ({
      labels: { command: name },
      value: value(figures),
    }));
}

function byPeer(
  value: (member: ClusterStatus["members"][number]) => number | undefined,
): (sources: MetricSources) => readonly Sample[] {
  return ({ cluster }) =>
    cluster.members.flatMap((member) => {
      const figure = member.id === cluster.nodeId ? undefined : value(member);
      return figure === undefined ? [] : [{ labels: { peer: member.id }, value: figure }];
    });
}

const ROLES = ["leader", "follower", "candidate", "pre_candidate", "learner"];

const OF_CLIENTS: readonly MetricFamily[] = [
  histogram(
    "command_duration_seconds",
    "From the arrival of a command to its reply, its commit included.",
    byCommand(({ latencyMs }) => latencyMs),
  ),
  counter(
    "command_run_seconds_total",
    "Time that commands ran, without waiting.",
    byCommand(({ totalMs }) => totalMs / 1000),
  ),
  counter(
    "commands_failed_total",
    "Commands that answered an error.",
    byCommand(({ failed }) => failed),
  ),
  counter(
    "commands_rejected_total",
    "Commands that were refused before they ran.",
    byCommand(({ rejected }) => rejected),
  ),
  counter(
    "errors_total",
    "Errors answered, by their code.",
    ({ server }) =>
      [...server.metrics.errors].map(([code, value]) => ({ labels: { code }, value })),
  ),
  gauge("clients", "Open RESP connections.", ({ server }) => server.sessions.size),
  counter(
    "connections_received_total",
    "RESP connections accepted.",
    ({ server }) => server.metrics.connectionsReceived,
  ),
  counter(
    "connections_rejected_total",
    "RESP connections over maxclients.",
    ({ server }) => server.metrics.connectionsRejected,
  ),
  counter("received_bytes_total", "Bytes from RESP clients.", (s) => s.server.metrics.bytesIn),
  counter("sent_bytes_total", "Bytes to RESP clients.", (s) => s.server.metrics.bytesOut),
  counter(
    "http_requests_total",
    "HTTP requests answered, by status code.",
    ({ http }) => [...http?.answers ?? []].map(([code, value]) => ({ labels: { code }, value })),
  ),
  counter(
    "http_received_bytes_total",
    "Bytes of the bodies of HTTP requests.",
    ({ http }) => http?.bytesIn ?? 0,
  ),
  counter(
    "http_sent_bytes_total",
    "Bytes of the bodies of HTTP answers and of event streams.",
    ({ http }) => http?.bytesOut ?? 0,
  ),
  gauge(
    "http_requests_under_way",
    "HTTP requests that are not answered yet.",
    ({ http }) => http?.underWay ?? 0,
  ),
  gauge("http_streams", "Open event streams.", ({ http }) => http?.streams ?? 0),
  counter(
    "http_streams_dropped_total",
    "Event streams ended because their reader was too slow.",
    ({ http }) => http?.streamsDropped ?? 0,
  ),
];

const OF_RAFT: readonly MetricFamily[] = [
  gauge("raft_term", "Current term.", ({ raft }) => raft.term),
  gauge(
    "raft_role",
    "1 for the role that this node has.",
    ({ cluster }) =>
      ROLES.map((role) => ({ labels: { role }, value: role === cluster.role ? 1 : 0 })),
  ),
  gauge("raft_leader", "Node that leads; 0: unknown.", ({ raft }) => raft.leader),
  gauge("raft_commit_index", "Last entry known to be committed.", ({ raft }) => raft.commit),
  gauge(
    "raft_applied_index",
    "Last entry applied to the data.",
    ({ server }) => server.ops.applied.index,
  ),
  gauge("raft_last_index", "Last entry of the log.", ({ raft }) => raft.lastIndex),
  gauge(
    "raft_snapshot_index",
    "Entries up to this one are gone from the log.",
    ({ server }) => server.snapshotIndex,
  ),
  gauge(
    "raft_peer_lag_entries",
    "Entries that a peer lacks, as the leader knows.",
    byPeer(({ lag }) => lag),
  ),
  gauge(
    "raft_peer_connected",
    "Whether there is a connection to a peer.",
    byPeer(({ isConnected }) => isConnected ? 1 : 0),
  ),
  counter("snapshots_made_total", "Snapshots made.", ({ snapshots }) => snapshots.made),
  counter("snapshots_sent_total", "Snapshots sent to peers.", ({ snapshots }) => snapshots.sent),
  counter(
    "snapshots_installed_total",
    "Snapshots installed here.",
    ({ snapshots }) => snapshots.installed,
  ),
];

const OF_STORAGE: readonly MetricFamily[] = [
  histogram(
    "log_fsync_seconds",
    "Commits of the log, each an fsync.",
    ({ storage }) => storage.log.metrics.fsyncMs,
  ),
  gauge("log_bytes", "Bytes of entries in the log.", ({ storage }) => storage.log.bytes),
  gauge("state_bytes", "Bytes of state.db and its WAL.", ({ storage }) => storage.stateBytes()),
  gauge(
    "state_durable_index",
    "Last entry whose effect is in state.db.",
    ({ storage }) => storage.ops.durable.index,
  ),
  gauge("keys", "Keys, by database.", ({ server: { ops } }) => {
    const databases = Array.from({ length: DATABASE_COUNT }, (_, db) => db);
    return databases.filter((db) => db === 0 || ops.size(db) > 0)
      .map((db) => ({ labels: { db }, value: ops.size(db) }));
  }),
  gauge("cache_bytes", "Keys and values in memory.", (s) => s.storage.ops.memory.heldBytes),
  gauge("cache_dirty_bytes", "Of them, not yet written.", (s) => s.storage.ops.memory.dirtyBytes),
  counter("cache_lookups_total", "Lookups of keys.", (s) => s.storage.ops.memory.lookups),
  counter(
    "cache_misses_total",
    "Lookups that memory could not answer.",
    (s) => s.storage.ops.memory.misses,
  ),
  counter(
    "expired_keys_total",
    "Keys deleted as their time had come.",
    ({ server }) => server.keyFigures.expiredKeys,
  ),
  gauge(
    "remembered_replies",
    "Replies remembered by idempotency key.",
    ({ storage }) => storage.beside.idempotency.size,
  ),
  gauge(
    "changes_trimmed_index",
    "Changes up to this entry are gone.",
    ({ storage }) => storage.beside.changes.trimmedIndex,
  ),
  gauge(
    "disk_full",
    "1 while there is no room for writes.",
    ({ server }) => server.isDiskFull ? 1 : 0,
  ),
];

const OF_PROCESS: readonly MetricFamily[] = [
  gauge("info", "1; what runs, in labels.", ({ sqliteVersion, cluster }) => [{
    labels: {
      version: BALSA_VERSION,
      runtime: `${RUNTIME_NAME} ${RUNTIME_VERSION}`,
      sqlite: sqliteVersion,
      node: cluster.nodeId,
    },
    value: 1,
  }]),
  histogram(
    "loop_delay_seconds",
    "How late the loop's clockwork was.",
    ({ loopDelayMs }) => loopDelayMs,
  ),
  gauge("start_time_seconds", "Unix time of the start.", ({ startedMs }) => startedMs / 1000),
  gauge("resident_memory_bytes", "Memory of the process.", () => process.memoryUsage().rss),
  counter("cpu_seconds_total", "Processor time of the process.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }),
];

/** All that GET /metrics tells of. */
export const FAMILIES: readonly MetricFamily[] = [
  ...OF_CLIENTS,
  ...OF_RAFT,
  ...OF_STORAGE,
  ...OF_PROCESS,
];
