/** Why commands of Redis 7.2 are not offered; a container's reason holds for its subcommands. */
export const NOT_OFFERED: Readonly<Record<string, string>> = {
  "asking": "of Redis Cluster: every node has all the data",
  "cluster": "of Redis Cluster: every node has all the data; see RAFT.CLUSTER, RAFT.NODE",
  "module|load": "there are no modules",
  "module|loadex": "there are no modules",
  "module|unload": "there are no modules",
  "pfdebug": "of Redis's own tests",
  "pfselftest": "of Redis's own tests",
  "psync": "of Redis replication: nodes replicate by Raft",
  "readonly": "of Redis Cluster: see CLIENT CONSISTENCY",
  "readwrite": "of Redis Cluster: see CLIENT CONSISTENCY",
  "replconf": "of Redis replication: nodes replicate by Raft",
  "restore-asking": "of Redis Cluster: every node has all the data",
  "sync": "of Redis replication: nodes replicate by Raft",
};

/** What lacks of commands that are offered. */
export const PARTIAL: Readonly<Record<string, string>> = {
  "bgrewriteaof": "answers as if done: nothing is left to save",
  "bgsave": "answers as if done: nothing is left to save",
  "config|get": "the parameters that mean something here",
  "config|rewrite": "refused: settings come from flags, the environment and --config",
  "config|set": "on this node; the parameters that mean something here",
  "debug": "the subcommands that mean something here: DEBUG HELP",
  "failover": "refused: see RAFT.TRANSFER_LEADER",
  "replicaof": "only NO ONE: see RAFT.NODE",
  "slaveof": "only NO ONE: see RAFT.NODE",
  "script|debug": "there is no debugger: only NO",
  "lastsave": "the time of asking: what is acknowledged is on disk",
  "memory|doctor": "points to INFO",
  "memory|malloc-stats": "points to INFO",
  "memory|stats": "four figures, which INFO has too",
  "memory|usage": "an estimate of its own",
  "migrate": "not within MULTI or scripts; a key that changes meanwhile stays",
  "object|freq": "refused as under a policy that is not LFU: nothing is evicted",
  "restore": "IDLETIME and FREQ are checked and not kept",
  "save": "answers as if done: nothing is left to save",
};

/** What 7.2 has beyond 7.0 and this server does not. */
export const NEWER_NOT_OFFERED: Readonly<Record<string, string>> = {
  "cluster|myshardid": "cluster",
};
