import type { Target } from "./servers.ts";

/** Tests that do not pass, for one reason. */
interface KnownFailures {
  /** Behind "fails since". */
  readonly reason: string;
  /** By unit, the names; "*" at the end of one stands for any rest. */
  readonly tests: Readonly<Record<string, readonly string[]>>;
  /** Only there; absent: on both. */
  readonly target?: Target;
}

/** What `bun run compat suite` finds and does not take for a fault. */
const KNOWN: readonly KnownFailures[] = [
  {
    reason:
      "it reads Redis's replication stream, or sets CONFIG of replicas: nodes replicate by Raft",
    tests: {
      "unit/type/string": [
        "GETDEL propagate as DEL command to replica",
        "GETEX without argument does not propagate to replica",
      ],
      "unit/type/list": [
        "SWAPDB wants to wake blocked client, but the key already expired",
        "BLMPOP propagate as pop with count command to replica",
        "LMPOP propagate as pop with count command to replica",
        "MULTI + LPUSH + EXPIRE + DEBUG SLEEP on blocked client, key already expired",
      ],
      "unit/type/zset": [
        "ZMPOP propagate as pop with count command to replica",
        "BZMPOP propagate as pop with count command to replica",
      ],
      "unit/expire": [
        "All TTL in commands are propagated as absolute timestamp in replication stream",
        "GETEX propagate as to replica as PERSIST, DEL, or nothing",
        "SCAN: Lazy-expire should not be wrapped in MULTI/EXEC",
        "RANDOMKEY: Lazy-expire should not be wrapped in MULTI/EXEC",
      ],
      "unit/multi": [
        "MULTI / EXEC is propagated correctly*",
        "MULTI / EXEC is not propagated*",
        "MULTI / EXEC with REPLICAOF",
        "MULTI propagation of *",
        "exec with write commands and state change",
        "exec with read commands and stale replica state change",
      ],
      "unit/maxmemory": ["propagation with eviction*"],
      "unit/introspection": [
        "CONFIG SET with multiple args",
      ],
      "unit/slowlog": [
        "SLOWLOG - Certain commands are omitted that contain sensitive information",
      ],
    },
  },
  {
    reason: "nothing is evicted: data are on disk, and maxmemory-policy is noeviction",
    tests: {
      "unit/maxmemory": [
        "With maxmemory and *",
        "maxmemory - *",
        "Don't rehash if used memory exceeds maxmemory after rehash",
      ],
      "unit/dump": ["RESTORE can set LRU", "RESTORE can set LFU"],
      "unit/pubsub": ["Keyspace notifications: evicted events"],
      "unit/tracking": [
        "Tracking invalidation message of eviction keys should be before response",
      ],
    },
  },
  {
    reason: "there is no maxmemory-clients: each client's buffers have bounds of their own",
    tests: {
      "unit/maxmemory": ["eviction due to *"],
      "unit/client-eviction": ["*"],
    },
  },
  {
    reason: "a node listens where it was told to at its start",
    tests: { "unit/introspection": ["CONFIG SET rollback on apply error"] },
  },
  {
    reason: "there are no hidden parameters",
    tests: { "unit/introspection": ["CONFIG GET hidden configs"] },
  },
  {
    reason: "CLUSTER is not offered",
    tests: {
      "unit/introspection-2": ["COMMAND LIST FILTERBY PATTERN - list all commands/subcommands"],
    },
  },
  {
    reason: "PFCOUNT only reads: it does not keep its result in the value",
    tests: {
      "unit/hyperloglog": ["PFADD / PFCOUNT cache invalidation works"],
    },
  },
  {
    reason: "keys expire by the log's clock, which CLIENT PAUSE of one node does not stop",
    tests: {
      "unit/pause": ["Test both active and passive expires are skipped during client pause"],
    },
  },
  {
    reason: "a script's first run makes it known to all nodes, and so is a write",
    tests: {
      "unit/pause": [
        "Test RO scripts are not blocked by pause RO",
        "Test read-only scripts in mutli-exec are not blocked by pause RO",
      ],
    },
  },
  {
    reason: "nothing is left to save, so no changes are counted",
    tests: { "unit/bitops": ["SETBIT/BITFIELD only increase dirty when the value changed"] },
  },
  {
    reason: "the log is always written: appendonly cannot be switched off",
    tests: { "unit/other": ["EXPIRES after AOF reload (without rewrite)"] },
  },
  {
    reason: "clients' buffers are the runtime's, whose sizes are not known",
    tests: {
      "unit/querybuf": ["query buffer resized correctly*"],
      "unit/replybufsize": ["verify reply buffer limits"],
    },
  },
  {
    reason: "it asks for jemalloc",
    tests: { "unit/type/string": ["trim on SET with big value"] },
  },
  {
    reason: "DEBUG SET-ACTIVE-EXPIRE is of the node that leads",
    tests: {
      "unit/expire": ["Redis should lazy expire keys"],
      "unit/tracking": [
        "Tracking invalidation message is not interleaved with multiple keys response",
      ],
    },
    target: "follower",
  },
  {
    reason: "writes go to the leader, so that replies of a pipeline leave one after the other",
    tests: {
      "unit/obuf-limits": [
        "No response for multi commands in pipeline if client output buffer limit is enforced",
      ],
    },
    target: "follower",
  },
  {
    reason: "a reply of a billion elements is refused, not cut off",
    tests: { "unit/obuf-limits": ["Obuf limit, HRANDFIELD with huge count stopped mid-run"] },
  },
  {
    reason: "the commands of Redis Cluster are not offered",
    tests: { "unit/scripting": ["CLUSTER RESET can not be invoke from within a script*"] },
  },
  {
    reason: "a script ends by itself after a fixed amount of work: there is nothing to kill",
    tests: {
      "unit/scripting": [
        "Timedout read-only scripts can be killed by SCRIPT KILL*",
        "Timedout script does not cause a false dead client*",
        "Timedout script link is still usable after Lua returns*",
      ],
      "unit/functions": [
        "FUNCTION - test function kill",
        "FUNCTION - test script kill not working on function",
        "FUNCTION - test function kill not working on eval",
      ],
      "unit/multi": [
        "MULTI and script timeout",
        "EXEC and script timeout",
        "MULTI-EXEC body and script timeout",
        "just EXEC and script timeout",
      ],
    },
  },
  {
    reason: "its script adds a million members, which is more work than a script may do",
    tests: { "unit/latency-monitor": ["LATENCY of expire events are correctly collected"] },
  },
  {
    reason: "a script may not sleep, and what has expired by log time is gone at once",
    tests: {
      "unit/scripting": [
        "Script block the time during execution*",
        "Script delete the expired key*",
      ],
    },
  },
  {
    reason: "there are no replicas in Redis's sense: nodes replicate by Raft",
    tests: {
      "unit/scripting": [
        "SPOP: We can call scripts rewriting client->argv from Lua",
        "MGET: mget shouldn't be propagated in Lua",
        "EXPIRE: We can call scripts rewriting client->argv from Lua",
        "INCRBYFLOAT: We can call scripts expanding client->argv from Lua",
        "not enough good replicas",
      ],
    },
  },
  {
    reason: "DEBUG RELOAD reads state.db, which has no options",
    tests: { "unit/functions": ["FUNCTION - test debug reload different options"] },
  },
  {
    reason: "maxmemory, which is about the disk, holds back only scripts that have flags",
    tests: {
      "unit/scripting": [
        "Script - disallow write on OOM",
        "EVAL - Return table with a metatable that call redis #2",
        "allow-oom shebang flag",
        "Consistent eval error reporting",
      ],
    },
  },
];

/** Why a test is known to fail; undefined when it is to pass. */
export function knownReason(unit: string, test: string, target: Target): string | undefined {
  const matches = (name: string) =>
    name.endsWith("*") ? test.startsWith(name.slice(0, -1)) : name === test;
  return KNOWN.find((known) =>
    (known.target === undefined || known.target === target) && known.tests[unit]?.some(matches)
  )?.reason;
}
