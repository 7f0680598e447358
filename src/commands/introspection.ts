import type { Bytes } from "../base/bytes.ts";
import {
  err,
  ErrorReply,
  MapReply,
  type Reply,
  SetReply,
  Status,
  SYNTAX_ERROR,
} from "../resp/reply.ts";
import { findKeys, mayHaveKeys } from "./command_keys.ts";
import type { Command, RunnableCommand } from "./command.ts";
import { localCommand, localContainer, type LocalRun } from "./define_local.ts";
import { globMatches } from "./glob.ts";
import { helpReply } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import { type CommandMetadata, loadMetadata, type Metadata } from "./metadata/metadata.ts";
import { statusesOf, toReply } from "./metadata/metadata.ts";
import { optionName } from "./parse.ts";

/** The offered commands by name in lower case. */
type Table = ReadonlyMap<string, Command>;

/** The command COMMAND. The table is asked for when one of its subcommands runs. */
export function introspectionCommands(table: () => Table): readonly Command[] {
  const info: LocalRun = async (_context, argv) => infoReply(table(), await loadMetadata(), argv);
  const getKeys = (withFlags: boolean): LocalRun => async (_context, argv) =>
    keysReply(table(), await loadMetadata(), argv.slice(2), withFlags);
  const subcommands: readonly (readonly [string, number, LocalRun])[] = [
    ["count", 2, () => table().size],
    ["docs", -2, async (_context, argv) => docsReply(table(), await loadMetadata(), argv)],
    ["getkeys", -4, getKeys(false)],
    ["getkeysandflags", -4, getKeys(true)],
    ["help", 2, help],
    ["info", -2, info],
    ["list", -2, async (_context, argv) => listReply(table(), await loadMetadata(), argv)],
  ];
  return [{
    ...localContainer("command", subcommands),
    arity: -1,
    alone: localCommand("command", -1, info),
  }];
}

function help(_context: LocalContext): Reply {
  return helpReply("COMMAND", [
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
  ]);
}

/** The command of a full name in any case: "get", "Client|List". */
function lookUp(table: Table, name: Bytes): Command | undefined {
  const [first, second, ...rest] = name.toLowerCase().split("|");
  const command = table.get(first);
  if (second === undefined || command === undefined || rest.length > 0) {
    return rest.length > 0 ? undefined : command;
  }
  return command.path === "container" ? command.subcommands.get(second) : undefined;
}

/** What is known of a command; one that Redis does not have describes itself. */
export function metadataOf(metadata: Metadata, command: Command): CommandMetadata {
  const known = metadata[command.name];
  if (known !== undefined) return known;
  const flags = command.path === "write" ? ["write"] : command.path === "read" ? ["readonly"] : [];
  const { first, last, step } = command.keys ?? { first: 0, last: 0, step: 0 };
  const none = { "~": [] };
  const keySpecs = command.keys === undefined ? none : {
    "~": [{
      flags: { "~+": command.path === "write" ? ["RW", "access", "update"] : ["RO", "access"] },
      begin_search: { type: "index", spec: { index: first } },
      find_keys: {
        type: "range",
        spec: { lastkey: last < 0 ? last : last - first, keystep: step, limit: 0 },
      },
    }],
  } as const;
  return {
    info: [
      command.arity,
      flags.length > 0 ? { "~+": flags } : none,
      first,
      last,
      step,
      {
        "~+": command.path === "local" ? ["@admin", "@slow"] : [`@${flags[0] ?? "slow"}`, "@slow"],
      },
      none,
      keySpecs,
    ],
    docs: { summary: "", since: "7.2.0", group: "server" },
  };
}

/** COMMAND; COMMAND INFO [command-name …] */
function infoReply(table: Table, metadata: Metadata, argv: readonly Bytes[]): Reply {
  if (argv.length <= 2) return [...table.values()].map((command) => infoRow(metadata, command));
  return argv.slice(2).map((name) => {
    const command = lookUp(table, name);
    return command === undefined ? null : infoRow(metadata, command);
  });
}

function infoRow(metadata: Metadata, command: Command): Reply {
  const { info } = metadataOf(metadata, command);
  const subcommands = command.path === "container"
    ? [...command.subcommands.values()].map((sub) => infoRow(metadata, sub))
    : new SetReply([]);
  return [command.name, ...info.map(toReply), subcommands];
}

/** COMMAND DOCS [command-name …] */
function docsReply(table: Table, metadata: Metadata, argv: readonly Bytes[]): Reply {
  const wanted = argv.length === 2
    ? [...table.values()]
    : argv.slice(2).map((name) => lookUp(table, name)).filter((found) => found !== undefined);
  return new MapReply(wanted.map((command) => [command.name, docsOf(metadata, command)]));
}

function docsOf(metadata: Metadata, command: Command): Reply {
  const { docs } = metadataOf(metadata, command);
  const entries: [Reply, Reply][] = Object.entries(docs).map(([key, value]) => [
    key,
    toReply(value),
  ]);
  if (command.path === "container") {
    const subcommands = [...command.subcommands.values()];
    entries.push([
      "subcommands",
      new MapReply(subcommands.map((sub) => [sub.name, docsOf(metadata, sub)])),
    ]);
  }
  return new MapReply(entries);
}

/** COMMAND GETKEYS command [arg …]; COMMAND GETKEYSANDFLAGS command [arg …] */
function keysReply(
  table: Table,
  metadata: Metadata,
  request: readonly Bytes[],
  withFlags: boolean,
): Reply {
  const command = runnable(table, request);
  if (command === undefined) return err("Invalid command specified");
  const known = metadataOf(metadata, command);
  if (!mayHaveKeys(known)) return err("The command has no key arguments");
  const { arity } = command;
  if (arity > 0 ? request.length !== arity : request.length < -arity) {
    return err("Invalid number of arguments specified for command");
  }
  const keys = findKeys(command.name, known, request);
  if (keys.length === 0) {
    const optional = statusesOf(known.info[1]).includes("no_mandatory_keys");
    return optional ? [] : err("Invalid arguments specified for command");
  }
  if (!withFlags) return keys.map(({ key }) => key);
  return keys.map(({ key, flags }) => [key, new SetReply(flags.map((flag) => new Status(flag)))]);
}

function runnable(table: Table, request: readonly Bytes[]): RunnableCommand | undefined {
  const command = table.get(request[0].toLowerCase());
  if (command?.path !== "container") return command;
  if (request.length === 1) return command.alone;
  return command.subcommands.get(request[1].toLowerCase());
}

/** COMMAND LIST [FILTERBY <MODULE name | ACLCAT category | PATTERN pattern>] */
function listReply(table: Table, metadata: Metadata, argv: readonly Bytes[]): Reply {
  const accepts = parseFilter(metadata, argv);
  if (accepts instanceof ErrorReply) return accepts;
  const names: Bytes[] = [];
  for (const command of table.values()) {
    if (accepts(command)) names.push(command.name);
    if (command.path !== "container") continue;
    for (const sub of command.subcommands.values()) if (accepts(sub)) names.push(sub.name);
  }
  return argv.length === 2 ? new SetReply(names) : names;
}

function parseFilter(
  metadata: Metadata,
  argv: readonly Bytes[],
): ((command: Command) => boolean) | ErrorReply {
  if (argv.length === 2) return () => true;
  if (argv.length !== 5 || optionName(argv[2]) !== "filterby") return SYNTAX_ERROR;
  const argument = argv[4].toLowerCase();
  switch (optionName(argv[3])) {
    case "module":
      return () => false;
    case "aclcat":
      return (command) =>
        statusesOf(metadataOf(metadata, command).info[5]).includes(`@${argument}`);
    case "pattern":
      return (command) => globMatches(argument, command.name);
    default:
      return SYNTAX_ERROR;
  }
}
