import type { CommandMetadata, Metadata } from "./metadata.ts";
import { newerHashCommands } from "./newer_hash.ts";

const ON_OFF = [{
  name: "enabled",
  type: "oneof",
  arguments: [
    { name: "on", type: "pure-token", token: "ON" },
    { name: "off", type: "pure-token", token: "OFF" },
  ],
}];

/** ZRANK and ZREVRANK with the WITHSCORE of 7.2. */
function rankCommand(order: string): CommandMetadata {
  const key = {
    flags: { "~+": ["RO", "access"] },
    begin_search: { type: "index", spec: { index: 1 } },
    find_keys: { type: "range", spec: { lastkey: 0, keystep: 1, limit: 0 } },
  } as const;
  return {
    info: [
      -3,
      { "~+": ["readonly", "fast"] },
      1,
      1,
      1,
      { "~+": ["@read", "@sortedset", "@fast"] },
      { "~": [] },
      { "~": [key] },
    ],
    docs: {
      summary: `Returns the index of a member in a sorted set ordered by ${order} scores.`,
      since: "2.0.0",
      group: "sorted-set",
      complexity: "O(log(N)) with N being the number of elements in the sorted set.",
      history: { "~": [["7.2.0", "Added the optional `WITHSCORE` argument."]] },
      arguments: [
        { name: "key", type: "key", key_spec_index: 0 },
        { name: "member", type: "string" },
        {
          name: "withscore",
          type: "pure-token",
          token: "WITHSCORE",
          flags: { "~+": ["optional"] },
        },
      ],
    },
  };
}

/** Commands that came to Redis after 7.0, or took new forms, as Redis 7.2 describes them. */
export const newerCommands: Metadata = {
  zrank: rankCommand("ascending"),
  zrevrank: rankCommand("descending"),
  ...newerHashCommands,
  waitaof: {
    info: [
      4,
      { "~+": ["noscript"] },
      0,
      0,
      0,
      { "~+": ["@slow", "@connection"] },
      { "~": ["request_policy:all_shards", "response_policy:agg_min"] },
      { "~": [] },
    ],
    docs: {
      summary: "Blocks until all of the preceding write commands sent by the connection are " +
        "written to the append-only file of the master and/or replicas.",
      since: "7.2.0",
      group: "generic",
      complexity: "O(1)",
      arguments: [
        { name: "numlocal", type: "integer" },
        { name: "numreplicas", type: "integer" },
        { name: "timeout", type: "integer" },
      ],
    },
  },
  "client|no-touch": {
    info: [
      3,
      { "~+": ["noscript", "loading", "stale"] },
      0,
      0,
      0,
      { "~+": ["@slow", "@connection"] },
      { "~": [] },
      { "~": [] },
    ],
    docs: {
      summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
      since: "7.2.0",
      group: "connection",
      complexity: "O(1)",
      arguments: ON_OFF,
    },
  },
  "client|setinfo": {
    info: [
      4,
      { "~+": ["noscript", "loading", "stale"] },
      0,
      0,
      0,
      { "~+": ["@slow", "@connection"] },
      { "~": ["request_policy:all_nodes", "response_policy:all_succeeded"] },
      { "~": [] },
    ],
    docs: {
      summary: "Sets information specific to the client or connection.",
      since: "7.2.0",
      group: "connection",
      complexity: "O(1)",
      arguments: [{
        name: "attr",
        type: "oneof",
        arguments: [
          { name: "libname", type: "string", token: "LIB-NAME" },
          { name: "libver", type: "string", token: "LIB-VER" },
        ],
      }],
    },
  },
};
