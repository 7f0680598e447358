import { ACL_LOG_DEFAULT, DATABASE_COUNT, MAXCLIENTS_DEFAULT } from "../constants.ts";
import {
  choice,
  type ConfigParameter,
  eventClasses,
  fixed,
  integer,
  memory,
  memoryOrPercent,
  outputLimits,
  percentiles,
  text,
  yesNo,
} from "./config_types.ts";

const INT_MAX = 2147483647n;
const INT_MIN = -2147483648n;
const UINT_MAX = 4294967295n;
const LONG_MAX = 9223372036854775807n;
const ULONG_MAX = 18446744073709551615n;
const MEBIBYTE = 1024n * 1024n;

/** Redis's defaults. */
const OUTPUT_LIMITS = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";

const POLICIES = [
  "volatile-lru",
  "volatile-lfu",
  "volatile-random",
  "volatile-ttl",
  "allkeys-lru",
  "allkeys-lfu",
  "allkeys-random",
  "noeviction",
];

/**
 * The configuration parameters that exist, with Redis's names, types, ranges and defaults.
 *
 * Those that say what a Balsa node always does take that one value only.
 */
export const CONFIG_PARAMETERS: readonly ConfigParameter[] = [
  { name: "maxclients", value: `${MAXCLIENTS_DEFAULT}`, type: integer(1n, UINT_MAX) },
  { name: "timeout", value: "0", type: integer(0n, INT_MAX) },
  { name: "tcp-keepalive", value: "300", type: integer(0n, INT_MAX) },
  { name: "requirepass", value: "", type: text() },
  { name: "acllog-max-len", value: `${ACL_LOG_DEFAULT}`, type: integer(0n, LONG_MAX) },
  {
    name: "acl-pubsub-default",
    value: "resetchannels",
    type: choice("allchannels", "resetchannels"),
  },
  { name: "slowlog-log-slower-than", value: "10000", type: integer(-1n, LONG_MAX) },
  { name: "slowlog-max-len", value: "128", type: integer(0n, LONG_MAX) },
  { name: "latency-tracking", value: "yes", type: yesNo() },
  { name: "latency-tracking-info-percentiles", value: "50 99 99.9", type: percentiles() },
  {
    name: "client-output-buffer-limit",
    value: OUTPUT_LIMITS,
    type: outputLimits(OUTPUT_LIMITS),
  },
  { name: "latency-monitor-threshold", value: "0", type: integer(0n, LONG_MAX) },
  { name: "proto-max-bulk-len", value: "512mb", type: memory(MEBIBYTE, LONG_MAX) },
  { name: "client-query-buffer-limit", value: "1gb", type: memory(MEBIBYTE, LONG_MAX) },
  { name: "loglevel", value: "notice", type: choice("debug", "verbose", "notice", "warning") },
  // Whatever it says, RESTORE looks at every byte.
  { name: "sanitize-dump-payload", value: "yes", type: choice("no", "yes", "clients") },
  { name: "tracking-table-max-keys", value: "1000000", type: integer(0n, LONG_MAX) },
  { name: "notify-keyspace-events", value: "", type: eventClasses() },

  { name: "maxmemory", value: "0", type: memory(0n, ULONG_MAX) },
  { name: "maxmemory-policy", value: "noeviction", type: fixed("noeviction", choice(...POLICIES)) },
  { name: "maxmemory-samples", value: "5", type: integer(1n, INT_MAX) },
  { name: "maxmemory-clients", value: "0", type: fixed("0", memoryOrPercent(LONG_MAX)) },
  { name: "appendonly", value: "yes", type: fixed("yes", yesNo()) },
  // There is one form of what is kept on disk.
  { name: "aof-use-rdb-preamble", value: "yes", type: yesNo() },
  {
    name: "appendfsync",
    value: "always",
    type: fixed("always", choice("everysec", "always", "no")),
  },
  { name: "save", value: "", type: fixed("", text()) },

  { name: "lazyfree-lazy-eviction", value: "no", type: yesNo() },
  { name: "lazyfree-lazy-expire", value: "no", type: yesNo() },
  { name: "lazyfree-lazy-server-del", value: "no", type: yesNo() },
  { name: "lazyfree-lazy-user-del", value: "no", type: yesNo() },
  { name: "lazyfree-lazy-user-flush", value: "no", type: yesNo() },

  {
    name: "hash-max-listpack-entries",
    alias: "hash-max-ziplist-entries",
    value: "512",
    type: integer(0n, LONG_MAX),
  },
  {
    name: "hash-max-listpack-value",
    alias: "hash-max-ziplist-value",
    value: "64",
    type: memory(0n, LONG_MAX),
  },
  {
    name: "list-max-listpack-size",
    alias: "list-max-ziplist-size",
    value: "-2",
    type: integer(INT_MIN, INT_MAX),
  },
  { name: "list-compress-depth", value: "0", type: integer(0n, INT_MAX) },
  { name: "set-max-intset-entries", value: "512", type: integer(0n, LONG_MAX) },
  { name: "set-max-listpack-entries", value: "128", type: integer(0n, LONG_MAX) },
  { name: "set-max-listpack-value", value: "64", type: integer(0n, LONG_MAX) },
  {
    name: "zset-max-listpack-entries",
    alias: "zset-max-ziplist-entries",
    value: "128",
    type: integer(0n, LONG_MAX),
  },
  {
    name: "zset-max-listpack-value",
    alias: "zset-max-ziplist-value",
    value: "64",
    type: memory(0n, LONG_MAX),
  },
  { name: "hll-sparse-max-bytes", value: "3000", type: memory(0n, LONG_MAX) },
  { name: "stream-node-max-bytes", value: "4096", type: memory(0n, LONG_MAX) },
  { name: "stream-node-max-entries", value: "100", type: integer(0n, LONG_MAX) },

  { name: "databases", value: `${DATABASE_COUNT}`, type: integer(1n, INT_MAX), immutable: true },
  { name: "port", value: "6379", type: integer(0n, 65535n), immutable: "another value" },
  { name: "bind", value: "127.0.0.1", type: text(), immutable: "another value" },
  { name: "daemonize", value: "no", type: yesNo(), immutable: true },
  { name: "replicaof", alias: "slaveof", value: "", type: text(), immutable: true },
  { name: "dir", value: "", type: text(), immutable: true },
  { name: "dbfilename", value: "state.db", type: text(), immutable: true },
  { name: "cluster-enabled", value: "no", type: yesNo(), immutable: true },
  { name: "enable-debug-command", value: "yes", type: text(), immutable: true },
];
