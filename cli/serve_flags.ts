import { MAXCLIENTS_DEFAULT, REQUEST_TIMEOUT_MS } from "../src/constants.ts";
import type { Flag, FlagTable } from "./flags.ts";
import * as kinds from "./value_kinds.ts";

/** More voters than this make a cluster slower, not safer. */
const VOTERS_MAX = 9;

/** The one table of what `balsa serve` takes: parser, help, environment and file come from it. */
export const SERVE_FLAGS = {
  config: {
    kind: kinds.name("FILE"),
    help: "read settings from a JSON file with these names",
    notInFile: true,
  },
  data: { kind: kinds.name("DIR"), default: "./balsa-data", help: "data directory" },
  host: { kind: kinds.name("ADDRESS"), default: "127.0.0.1", help: "address to listen on" },
  port: { kind: kinds.port(), default: 6379, help: "RESP port; 0 picks a free one" },
  "http-port": {
    kind: kinds.portOrAuto(),
    default: 8080,
    help: "HTTP port; 0 = off, auto picks a free one",
  },
  "peer-port": {
    kind: kinds.port(),
    help: "port for other nodes; 0 picks a free one",
    defaultText: "port + 10000",
  },
  join: {
    kind: kinds.peerAddresses(),
    help: "nodes of the cluster to join",
  },
  "bootstrap-expect": {
    kind: kinds.integer("N", 1, VOTERS_MAX),
    help: "found a cluster of the N nodes that --join names",
  },
  advertise: {
    kind: kinds.advertisedAddress(),
    help: "where other nodes reach this one",
    defaultText: "host:peer-port",
  },
  "cluster-secret": {
    kind: kinds.text("TEXT"),
    help: "what all nodes of a cluster know; needed off loopback",
    secret: true,
  },
  "request-timeout": {
    kind: kinds.duration(1),
    default: REQUEST_TIMEOUT_MS,
    defaultText: "10s",
    help: "how long a command waits for a leader or its commit",
  },
  password: {
    kind: kinds.text("TEXT"),
    help: "ask RESP clients for this password",
    secret: true,
  },
  token: {
    kind: kinds.text("TEXT"),
    help: "ask HTTP clients for this token",
    defaultText: "the password",
    secret: true,
  },
  "readonly-token": {
    kind: kinds.text("TEXT"),
    help: "let HTTP clients with this token read only",
    secret: true,
  },
  "cors-origin": {
    kind: kinds.text("ORIGINS"),
    help: "origins (with commas) whose web pages may use HTTP; * = any",
  },
  insecure: {
    kind: kinds.toggle(),
    default: false,
    help: "allow a --host that others reach without a password",
  },
  "cache-mb": {
    kind: kinds.integer("MB", 1, 1024 * 1024),
    help: "memory for values in use",
    defaultText: "a sixteenth of the machine's, 8 to 128",
  },
  "changes-mb": {
    kind: kinds.integer("MB", 1, 1024 * 1024),
    default: 16,
    help: "disk for the changes that GET /changes offers",
  },
  maxclients: {
    kind: kinds.integer("N", 1, 1_000_000),
    default: MAXCLIENTS_DEFAULT,
    help: "RESP connections at a time",
  },
  timeout: {
    kind: kinds.duration(),
    default: 0,
    help: "disconnect a client that is silent this long; 0 = never",
  },
  "sqlite-driver": {
    kind: kinds.choice("auto", "bun:sqlite", "better-sqlite3", "node:sqlite"),
    default: "auto",
    help: "how SQLite is reached",
  },
  "log-writer": {
    kind: kinds.choice("auto", "inline", "worker"),
    default: "auto",
    help: "what waits for fsyncs; auto: a thread if they are slow",
  },
  "log-level": {
    kind: kinds.choice("debug", "info", "warn", "error"),
    default: "info",
    help: "least level to log",
  },
  "log-format": { kind: kinds.choice("text", "json"), default: "text", help: "form of the log" },
} as const satisfies FlagTable & Record<string, Flag<unknown>>;
