import { totalmem } from "node:os";
import process from "node:process";
import type { Bytes } from "../base/bytes.ts";
import { BALSA_VERSION, DATABASE_COUNT, REDIS_VERSION } from "../constants.ts";
import { RUNTIME_NAME, RUNTIME_VERSION } from "../runtime/runtime.ts";
import type { LogStore } from "../storage/raft_log_types.ts";
import type { SqliteDriver } from "../storage/sqlite_types.ts";
import type { ServeConfig } from "./config.ts";
import type { Limits } from "./limits.ts";
import { roleOf } from "./role.ts";
import type { Server } from "./server.ts";

/** What INFO reports on. */
export interface InfoSources {
  readonly server: Server;
  readonly config: ServeConfig;
  readonly log: LogStore;
  readonly sqlite: SqliteDriver;
  readonly respPort: number;
  readonly startedMs: number;
  readonly limits: Limits;
  readonly stateBytes: () => number;
  /** Of the working set: bytes in memory, and those of them not yet durable. */
  readonly cache: () => {
    readonly heldBytes: number;
    readonly dirtyBytes: number;
    readonly freedObjects: number;
  };
  /** Memory for recent entries of the log. */
  readonly logCacheBytes: () => number;
  /** What the program itself took when it had started. */
  readonly programBytes: number;
  /** Random hex that names this run of the process. */
  readonly runId: string;
}

type Lines = readonly (readonly [string, string | number])[];
type Section = (sources: InfoSources) => Lines;

const SECTIONS: Record<string, Section> = {
  server: serverSection,
  clients: clientsSection,
  memory: memorySection,
  persistence: persistenceSection,
  stats: statsSection,
  replication: replicationSection,
  cpu: cpuSection,
  modules: () => [],
  commandstats: commandStatsSection,
  latencystats: latencyStatsSection,
  errorstats: errorStatsSection,
  cluster: () => [["cluster_enabled", 0]],
  raft: raftSection,
  keyspace: keyspaceSection,
};
const NOT_IN_DEFAULT = new Set(["commandstats", "latencystats"]);

/** The text of INFO for these section names in lower case. */
export function formatInfo(names: readonly string[], sources: InfoSources): Bytes {
  const all = names.includes("all") || names.includes("everything");
  const byDefault = names.length === 0 || names.includes("default");
  const parts: string[] = [];
  for (const [name, section] of Object.entries(SECTIONS)) {
    const wanted = all || names.includes(name) || (byDefault && !NOT_IN_DEFAULT.has(name));
    if (!wanted) continue;
    const title = name === "cpu" ? "CPU" : `${name[0].toUpperCase()}${name.slice(1)}`;
    let text = `# ${title}\r\n`;
    for (const [key, value] of section(sources)) text += `${key}:${value}\r\n`;
    parts.push(text);
  }
  return parts.join("\r\n");
}

function serverSection({ server, config, sqlite, respPort, startedMs, runId }: InfoSources): Lines {
  const uptimeSeconds = Math.floor((server.wallMs() - startedMs) / 1000);
  return [
    ["redis_version", REDIS_VERSION],
    ["balsa_version", BALSA_VERSION],
    ["redis_git_sha1", "00000000"],
    ["redis_git_dirty", 0],
    ["redis_build_id", 0],
    ["redis_mode", "standalone"],
    ["os", `${process.platform} ${process.arch}`],
    ["arch_bits", 64],
    ["runtime", `${RUNTIME_NAME} ${RUNTIME_VERSION}`],
    ["sqlite_driver", sqlite.name],
    ["sqlite_version", sqlite.version],
    ["process_id", process.pid],
    ["process_supervised", "no"],
    ["run_id", runId],
    ["tcp_port", respPort],
    ["server_time_usec", server.wallMs() * 1000],
    ["uptime_in_seconds", uptimeSeconds],
    ["uptime_in_days", Math.floor(uptimeSeconds / 86400)],
    ["io_threads_active", 0],
    ["executable", process.execPath],
    ["data_directory", config.dataDirectory],
    ["config_file", ""],
  ];
}

function clientsSection({ server, limits }: InfoSources): Lines {
  let blocked = server.pause.heldCount;
  let inputMax = 0;
  let outputMax = 0;
  for (const session of server.sessions.values()) {
    if (session.blocked !== undefined) blocked++;
    inputMax = Math.max(inputMax, session.queryBufferBytes);
    outputMax = Math.max(outputMax, session.outputBufferBytes);
  }
  return [
    ["connected_clients", server.sessions.size],
    ["cluster_connections", 0],
    ["maxclients", limits.clientsMax],
    ["client_recent_max_input_buffer", inputMax],
    ["client_recent_max_output_buffer", outputMax],
    ["blocked_clients", blocked],
    ["tracking_clients", server.features.tracking.clientCount],
    ["clients_in_timeout_table", 0],
  ];
}

/** Bytes that are of use, by the node's own count; what is garbage is in used_memory_heap too. */
function usedBytes({ server, cache, logCacheBytes, programBytes }: InfoSources): number {
  let bytes = programBytes + cache().heldBytes + logCacheBytes();
  bytes += server.features.scripting.table.bytes;
  for (const { queryBufferBytes, outputBufferBytes } of server.sessions.values()) {
    bytes += queryBufferBytes + outputBufferBytes;
  }
  return bytes;
}

function memorySection(sources: InfoSources): Lines {
  const { server, config, cache } = sources;
  const { heldBytes, dirtyBytes, freedObjects } = cache();
  const { scripting } = server.features;
  const { rss, heapTotal } = process.memoryUsage();
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const used = usedBytes(sources);
  return [
    ["used_memory", used],
    ["used_memory_human", human(used)],
    ["used_memory_rss", rss],
    ["used_memory_rss_human", human(rss)],
    // The most that was resident: engines tell no peak of their heaps.
    ["used_memory_peak", peakBytes],
    ["used_memory_peak_human", human(peakBytes)],
    ["used_memory_heap", heapTotal],
    ["total_system_memory", totalmem()],
    ["total_system_memory_human", human(totalmem())],
    ["cache_bytes_max", config.cacheBytes],
    ["cache_bytes", heldBytes],
    ["cache_dirty_bytes", dirtyBytes],
    ["used_memory_scripts", scripting.table.bytes],
    ["number_of_cached_scripts", scripting.table.size],
    ["number_of_functions", scripting.libraries.functionCount],
    ["number_of_libraries", scripting.libraries.all.length],
    ["maxmemory", server.features.memoryLimit.maxBytes],
    ["maxmemory_human", human(server.features.memoryLimit.maxBytes)],
    ["maxmemory_policy", "noeviction"],
    ["mem_fragmentation_ratio", (rss / used).toFixed(2)],
    ["mem_allocator", RUNTIME_NAME],
    // What is deleted is out of the key space at once, its rows leave the disk later.
    ["lazyfree_pending_objects", 0],
    ["lazyfreed_objects", freedObjects - server.metrics.freedBefore],
  ];
}

function persistenceSection({ server, log, stateBytes }: InfoSources): Lines {
  const { metrics } = log;
  return [
    ["loading", 0],
    ["async_loading", 0],
    ["rdb_changes_since_last_save", 0],
    ["rdb_bgsave_in_progress", 0],
    // As LASTSAVE: what is acknowledged is on disk.
    ["rdb_last_save_time", Math.floor(server.wallMs() / 1000)],
    ["rdb_last_bgsave_status", "ok"],
    ["rdb_last_bgsave_time_sec", -1],
    ["rdb_current_bgsave_time_sec", -1],
    ["aof_enabled", 1],
    ["aof_rewrite_in_progress", 0],
    ["aof_rewrite_scheduled", 0],
    ["aof_last_rewrite_time_sec", -1],
    ["aof_current_rewrite_time_sec", -1],
    ["aof_last_bgrewrite_status", "ok"],
    ["aof_last_write_status", server.driver.diskFull ? "err" : "ok"],
    ["log_bytes", log.bytes],
    ["state_bytes", stateBytes()],
    ["durable_applied_index", server.ops.durable.index],
    ["fsyncs", metrics.fsyncs],
    ["fsync_ms_total", metrics.fsyncMsTotal.toFixed(3)],
    ["fsync_ms_max", metrics.fsyncMsMax.toFixed(3)],
  ];
}

function statsSection({ server }: InfoSources): Lines {
  const { metrics, keyFigures } = server;
  const { refused } = server.features.access;
  return [
    ["total_connections_received", metrics.connectionsReceived],
    ["tracking_total_keys", server.features.tracking.keyCount],
    ["tracking_total_items", server.features.tracking.itemCount],
    ["tracking_total_prefixes", server.features.tracking.prefixCount],
    ["total_commands_processed", metrics.commandsProcessed],
    ["instantaneous_ops_per_sec", metrics.operationsPerSecond],
    ["loop_late_ms_max", metrics.loopLateMsMax.toFixed(3)],
    ["total_net_input_bytes", metrics.bytesIn],
    ["total_net_output_bytes", metrics.bytesOut],
    ["rejected_connections", metrics.connectionsRejected],
    ["sync_full", 0],
    ["sync_partial_ok", 0],
    ["sync_partial_err", 0],
    ["expired_subkeys", keyFigures.expiredFields],
    ["expired_keys", keyFigures.expiredKeys],
    ["evicted_keys", 0],
    ["evicted_clients", 0],
    ["keyspace_hits", keyFigures.hits],
    ["keyspace_misses", keyFigures.misses],
    ["migrate_cached_sockets", server.features.migrations.connections.idleCount],
    ["acl_access_denied_auth", refused.auth],
    ["acl_access_denied_cmd", refused.command],
    ["acl_access_denied_key", refused.key],
    ["acl_access_denied_channel", refused.channel],
    ["latest_fork_usec", 0],
    ["total_forks", 0],
    ["total_error_replies", metrics.errorReplies],
    ["pubsub_channels", server.features.pubsub.names("channel").size],
    ["pubsub_patterns", server.features.pubsub.names("pattern").size],
    ["pubsubshard_channels", server.features.pubsub.names("shard").size],
  ];
}

function replicationSection({ server, log }: InfoSources): Lines {
  const view = roleOf(server);
  const lines: [string, string | number][] = view.role === "master"
    ? [["role", "master"], ["connected_slaves", view.replicas.length]]
    : [
      ["role", "slave"],
      ["master_host", view.leaderHost],
      ["master_port", view.leaderPort],
      ["master_link_status", view.state === "connected" ? "up" : "down"],
      ["slave_repl_offset", view.offset],
      ["slave_read_only", 0],
      ["connected_slaves", 0],
    ];
  if (view.role === "master") {
    for (const [i, { host, port, offset }] of view.replicas.entries()) {
      const lag = view.offset - offset;
      lines.push([
        `slave${i}`,
        `ip=${host},port=${port},state=online,offset=${offset},lag=${lag}`,
      ]);
    }
  }
  return [
    ...lines,
    ["master_failover_state", "no-failover"],
    ["master_replid", (log.identity?.clusterId ?? "").padEnd(40, "0")],
    ["master_replid2", "0".repeat(40)],
    ["master_repl_offset", log.lastIndex],
    ["second_repl_offset", -1],
    ["repl_backlog_active", 0],
    ["repl_backlog_size", 0],
    ["repl_backlog_first_byte_offset", 0],
    ["repl_backlog_histlen", 0],
  ];
}

function cpuSection(): Lines {
  const { user, system } = process.cpuUsage();
  return [
    ["used_cpu_sys", (system / 1e6).toFixed(6)],
    ["used_cpu_user", (user / 1e6).toFixed(6)],
    ["used_cpu_sys_children", "0.000000"],
    ["used_cpu_user_children", "0.000000"],
  ];
}

function commandStatsSection({ server }: InfoSources): Lines {
  const lines: [string, string][] = [];
  for (const [name, { calls, totalMs, rejected, failed }] of server.metrics.commands) {
    const usec = Math.round(totalMs * 1000);
    const perCall = calls === 0 ? "0.00" : (totalMs * 1000 / calls).toFixed(2);
    lines.push([
      `cmdstat_${name}`,
      `calls=${calls},usec=${usec},usec_per_call=${perCall},` +
      `rejected_calls=${rejected},failed_calls=${failed}`,
    ]);
  }
  return lines;
}

function latencyStatsSection({ server, limits }: InfoSources): Lines {
  if (!limits.tracksLatency) return [];
  return [...server.metrics.commands].filter(([, { calls }]) => calls > 0).map((
    [name, { latencyMs }],
  ) => [
    `latency_percentiles_usec_${name}`,
    limits.latencyPercentiles.map((percent) =>
      `p${percent}=${(latencyMs.percentile(percent) * 1000).toFixed(3)}`
    ).join(","),
  ]);
}

function errorStatsSection({ server }: InfoSources): Lines {
  return [...server.metrics.errors].map(([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}

function raftSection({ server, log }: InfoSources): Lines {
  const status = server.driver.raft.status();
  const lines: [string, string | number][] = [
    ["raft_role", status.role],
    ["raft_node_id", status.id],
    ["raft_cluster_id", log.identity?.clusterId ?? ""],
    ["raft_term", status.term],
    ["raft_voted_for", status.votedFor],
    ["raft_leader", status.leader],
    ["raft_commit", status.commit],
    ["raft_applied", status.applied],
    ["raft_last_index", status.lastIndex],
    ["raft_last_term", status.lastTerm],
    ["raft_persisted_index", status.persistedIndex],
    ["raft_snapshot_index", log.snapshot.index],
    ["raft_snapshot_term", log.snapshot.term],
    ["raft_log_bytes", log.bytes],
    ["raft_digest", server.ops.applied.digest.toString(16).padStart(8, "0")],
    ["raft_log_writer", log.writer],
    ["raft_fsyncs", log.metrics.fsyncs],
    ["raft_fsync_ms_total", log.metrics.fsyncMsTotal.toFixed(3)],
    ["raft_fsync_ms_max", log.metrics.fsyncMsMax.toFixed(3)],
    ["raft_voters", status.configuration.voters.length],
    ["raft_learners", status.configuration.learners.length],
  ];
  for (const peer of status.peers) {
    lines.push([
      `raft_peer_${peer.id}`,
      `state=${peer.state},match=${peer.match},lag=${status.lastIndex - peer.match},` +
      `next=${peer.next},inflight=${peer.inflight},active=${peer.active ? 1 : 0}`,
    ]);
  }
  return lines;
}

function keyspaceSection({ server }: InfoSources): Lines {
  const lines: [string, string][] = [];
  for (let db = 0; db < DATABASE_COUNT; db++) {
    const keys = server.ops.size(db);
    const expires = server.ops.sizeWithExpiry(db);
    if (keys > 0) lines.push([`db${db}`, `keys=${keys},expires=${expires},avg_ttl=0`]);
  }
  return lines;
}

function human(bytes: number): string {
  const units = ["B", "K", "M", "G", "T"];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? `${value}B` : `${value.toFixed(2)}${units[unit]}`;
}
