import type { Metadata } from "./metadata.ts";

const ON_OFF = [{
  name: "enabled",
  type: "oneof",
  arguments: [
    { name: "on", type: "pure-token", token: "ON" },
    { name: "off", type: "pure-token", token: "OFF" },
  ],
}];

/** Commands that came to Redis after 7.0, as Redis 7.2 describes them. */
export const newerCommands: Metadata = {
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
