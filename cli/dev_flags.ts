import type { Flag, FlagTable } from "./flags.ts";
import * as kinds from "./value_kinds.ts";

export const DEV_NODES_MAX = 9;

/** What `balsa dev` takes. Other settings of its nodes come from their environment names. */
export const DEV_FLAGS = {
  nodes: {
    kind: kinds.integer("N", 1, DEV_NODES_MAX),
    help: "how many nodes",
    defaultText: "3, or as many as the directory holds",
    notInEnvironment: true,
  },
  data: {
    kind: kinds.name("DIR"),
    default: "./balsa-data-dev",
    help: "directory with a data directory for each node",
    notInEnvironment: true,
  },
  port: {
    kind: kinds.integer("PORT", 1, 65_535 - DEV_NODES_MAX),
    default: 6379,
    help: "RESP port of the first node; the others follow",
  },
  "http-port": {
    kind: kinds.integer("PORT", 0, 65_535 - DEV_NODES_MAX),
    default: 8080,
    help: "HTTP port of the first node; 0 = off",
  },
  password: { kind: kinds.text("TEXT"), help: "ask RESP clients for this password", secret: true },
  "log-level": {
    kind: kinds.choice("debug", "info", "warn", "error"),
    default: "warn",
    help: "least level of the nodes' logs to show",
  },
  restart: {
    kind: kinds.toggle(),
    default: false,
    help: "start a node again that died",
    notInEnvironment: true,
  },
} as const satisfies FlagTable & Record<string, Flag<unknown>>;
