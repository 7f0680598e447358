import type { CommandMetadata, Metadata, ReplyDataObject } from "./metadata.ts";

const NONE = { "~": [] };
const ADMIN = ["@admin", "@slow", "@dangerous"];

interface OwnCommand {
  readonly arity: number;
  readonly summary: string;
  readonly arguments?: readonly ReplyDataObject[];
  readonly group?: string;
  readonly flags?: readonly string[];
  readonly categories?: readonly string[];
}

function describe(command: OwnCommand): CommandMetadata {
  const flags = command.flags ?? ["admin", "noscript", "loading", "stale"];
  return {
    info: [
      command.arity,
      flags.length === 0 ? NONE : { "~+": flags },
      0,
      0,
      0,
      { "~+": command.categories ?? ADMIN },
      NONE,
      NONE,
    ],
    docs: {
      summary: command.summary,
      since: "7.2.0",
      group: command.group ?? "cluster",
      complexity: "O(1)",
      ...(command.arguments === undefined ? {} : { arguments: command.arguments }),
    },
  };
}

const ID = { name: "id", type: "integer" };
const ADDRESS = { name: "address", type: "string" };
const OPTIONAL = { flags: { "~+": ["optional"] } };
const CONTAINER = { arity: -2, flags: [], categories: ["@slow"] };
const HELP = {
  arity: 2,
  flags: ["loading", "stale"],
  categories: ["@slow"],
  summary: "Show helpful text about the different subcommands",
};

/** Commands that Redis does not have. */
export const ownCommands: Metadata = {
  "acl|resttoken": describe({
    arity: 4,
    group: "server",
    flags: ["noscript", "loading", "stale"],
    categories: ADMIN,
    summary: "Return a token by which HTTP requests run as a user",
    arguments: [{ name: "username", type: "string" }, { name: "password", type: "string" }],
  }),
  "client|consistency": describe({
    arity: -2,
    group: "connection",
    flags: ["noscript", "loading", "stale"],
    categories: ["@slow", "@connection"],
    summary: "Show or set the read level of the connection",
    arguments: [{
      name: "level",
      type: "oneof",
      ...OPTIONAL,
      arguments: [
        { name: "linearizable", type: "pure-token", token: "LINEARIZABLE" },
        { name: "lease", type: "pure-token", token: "LEASE" },
        { name: "stale", type: "pure-token", token: "STALE" },
      ],
    }],
  }),
  "idempotent": describe({
    arity: -4,
    group: "generic",
    flags: ["write", "denyoom", "noscript", "movablekeys"],
    categories: ["@write", "@slow"],
    summary: "Run a write once for a key: repeated, it answers the reply of the first time",
    arguments: [
      { name: "key", type: "string" },
      { name: "ttl-ms", type: "integer" },
      { name: "command", type: "string" },
      { name: "arg", type: "string", flags: { "~+": ["optional", "multiple"] } },
    ],
  }),
  "raft.cluster": describe({
    ...CONTAINER,
    summary: "A container for commands on the cluster as a whole",
  }),
  "raft.cluster|init": describe({
    arity: -2,
    summary: "Get the id of the cluster that this node has founded",
    arguments: [{ name: "cluster-id", type: "string", ...OPTIONAL }],
  }),
  "raft.cluster|join": describe({
    arity: -3,
    summary: "Answers how a node joins a cluster: when it starts",
    arguments: [{ ...ADDRESS, flags: { "~+": ["multiple"] } }],
  }),
  "raft.cluster|status": describe({
    arity: 2,
    summary: "Get what this node knows of the cluster",
  }),
  "raft.cluster|help": describe(HELP),
  "raft.node": describe({
    ...CONTAINER,
    summary: "A container for commands on the members of the cluster",
  }),
  "raft.node|add": describe({
    arity: 4,
    summary: "Admit a node as a learner",
    arguments: [ID, ADDRESS],
  }),
  "raft.node|list": describe({ arity: 2, summary: "Get the members of the cluster" }),
  "raft.node|promote": describe({
    arity: 3,
    summary: "Make a learner a voter",
    arguments: [ID],
  }),
  "raft.node|remove": describe({ arity: 3, summary: "Remove a member", arguments: [ID] }),
  "raft.node|help": describe(HELP),
  "raft.transfer_leader": describe({
    arity: -1,
    summary: "Hand leadership to another voter",
    arguments: [{ ...ID, ...OPTIONAL }],
  }),
  "raft.snapshot": describe({ arity: 1, summary: "Take a snapshot on this node" }),
};
