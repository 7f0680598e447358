import type { Bytes } from "../base/bytes.ts";
import { type Int64, parseInt64 } from "../base/int64.ts";
import { err, ErrorReply, NOT_INTEGER, OK, type Reply } from "../resp/reply.ts";
import { READ_UNKNOWN, type StreamGroup, type StreamOperations } from "../storage/streams.ts";
import { ID_ZERO, type StreamId } from "../storage/stream_id.ts";
import type { Command, ContainerCommand, DataCommand, LocalCommand } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { SUBCOMMAND_KEY, writeCommand } from "./define.ts";
import { localCommand } from "./define_local.ts";
import { helpReply, noGroup, quoted, unknownSubcommandOrArity } from "./help.ts";
import { optionName } from "./parse.ts";
import { parseId, parseIdOrEnd } from "./stream_id.ts";

const NEEDS_KEY = err(
  "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the " +
    "MKSTREAM option to create an empty stream automatically.",
);
const READ_NEGATIVE = err("value for ENTRIESREAD must be positive or -1");
const BUSY_GROUP = new ErrorReply("BUSYGROUP Consumer Group name already exists");

const HELP_LINES = [
  "CREATE <key> <groupname> <id|$> [option]",
  "    Create a new consumer group. Options are:",
  "    * MKSTREAM",
  "      Create the empty stream if it does not exist.",
  "    * ENTRIESREAD entries_read",
  "      Set the group's entries_read counter (internal use).",
  "CREATECONSUMER <key> <groupname> <consumer>",
  "    Create a new consumer in the specified group.",
  "DELCONSUMER <key> <groupname> <consumer>",
  "    Remove the specified consumer.",
  "DESTROY <key> <groupname>",
  "    Remove the specified group.",
  "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
  "    Set the current group ID and entries_read counter.",
];

interface PositionOptions {
  makeStream: boolean;
  entriesRead: Int64;
}

/** What follows the id. */
function parseOptions(argv: readonly Bytes[], isCreate: boolean): PositionOptions | ErrorReply {
  const options: PositionOptions = { makeStream: false, entriesRead: READ_UNKNOWN };
  for (let i = 5; i < argv.length; i++) {
    const name = optionName(argv[i]);
    if (isCreate && name === "mkstream") {
      options.makeStream = true;
    } else if (name === "entriesread" && i + 1 < argv.length) {
      const parsed = parseInt64(argv[++i]);
      if (parsed === undefined) return NOT_INTEGER;
      if (parsed < READ_UNKNOWN) return READ_NEGATIVE;
      options.entriesRead = parsed;
    } else {
      return unknownSubcommandOrArity("xgroup", argv[1]);
    }
  }
  return options;
}

/** XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD entries-read] */
function create(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = parseOptions(argv, true);
  if (options instanceof ErrorReply) return options;
  const [, , key, name, idText] = argv;
  const found = context.read(key, "stream");
  if (found instanceof ErrorReply) return found;
  if (found === undefined && !options.makeStream) return NEEDS_KEY;
  if (argv.length > 8) return unknownSubcommandOrArity("xgroup", argv[1]);
  const id = idText === "$" ? found?.lastId ?? ID_ZERO : parseId(idText);
  if (id instanceof ErrorReply) return id;
  if (found?.group(name) !== undefined) return BUSY_GROUP;
  const stream = context.edit(key, "stream");
  if (stream instanceof ErrorReply) return stream;
  if (found === undefined) stream.setCounters({});
  stream.addGroup(name, id, options.entriesRead);
  context.notify("stream", "xgroup-create", key);
  return OK;
}

/** XGROUP SETID key group id|$ [ENTRIESREAD entries-read] */
function setId(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = parseOptions(argv, false);
  if (options instanceof ErrorReply) return options;
  const found = editGroup(context, argv);
  if (found instanceof ErrorReply) return found;
  const { stream, group } = found;
  if (argv.length !== 5 && argv.length !== 7) return unknownSubcommandOrArity("xgroup", argv[1]);
  const id: StreamId | ErrorReply = argv[4] === "$" ? stream.lastId : parseIdOrEnd(argv[4]);
  if (id instanceof ErrorReply) return id;
  group.setPosition(id, options.entriesRead);
  context.notify("stream", "xgroup-setid", argv[2]);
  return OK;
}

/** XGROUP DESTROY key group */
function destroy(context: DataContext, argv: readonly Bytes[]): Reply {
  const stream = editStream(context, argv[2]);
  if (stream instanceof ErrorReply) return stream;
  if (!stream.removeGroup(argv[3])) return 0;
  context.notify("stream", "xgroup-destroy", argv[2]);
  return 1;
}

/** XGROUP CREATECONSUMER key group consumer */
function createConsumer(context: DataContext, argv: readonly Bytes[]): Reply {
  const found = editGroup(context, argv);
  if (found instanceof ErrorReply) return found;
  if (found.group.consumer(argv[4]) !== undefined) return 0;
  found.group.see(argv[4], context.nowMs);
  context.notify("stream", "xgroup-createconsumer", argv[2]);
  return 1;
}

/** XGROUP DELCONSUMER key group consumer */
function deleteConsumer(context: DataContext, argv: readonly Bytes[]): Reply {
  const found = editGroup(context, argv);
  if (found instanceof ErrorReply) return found;
  if (found.group.consumer(argv[4]) === undefined) return 0;
  const pending = found.group.removeConsumer(argv[4]);
  context.notify("stream", "xgroup-delconsumer", argv[2]);
  return pending;
}

/** A stream that is there, to be changed. */
function editStream(context: DataContext, key: Bytes): StreamOperations | ErrorReply {
  if (context.find(key) === undefined) return NEEDS_KEY;
  return context.edit(key, "stream");
}

/** The group that argv[3] names of the stream at argv[2]. */
function editGroup(
  context: DataContext,
  argv: readonly Bytes[],
): { readonly stream: StreamOperations; readonly group: StreamGroup } | ErrorReply {
  const [, , key, name] = argv;
  const stream = editStream(context, key);
  if (stream instanceof ErrorReply) return stream;
  const group = stream.group(name);
  if (group === undefined) return noGroupOf(key, name);
  return { stream, group };
}

/** Redis's error for a group that is not there. */
export function noGroupOf(key: Bytes, name: Bytes): ErrorReply {
  return noGroup(`No such consumer group '${quoted(name)}' for key name '${quoted(key)}'`);
}

const xgroup: ContainerCommand = {
  name: "xgroup",
  arity: -2,
  path: "container",
  subcommands: new Map<string, DataCommand | LocalCommand>([
    ["create", writeCommand("xgroup|create", -5, create, SUBCOMMAND_KEY)],
    ["setid", writeCommand("xgroup|setid", -5, setId, SUBCOMMAND_KEY)],
    ["destroy", writeCommand("xgroup|destroy", 4, destroy, SUBCOMMAND_KEY)],
    [
      "createconsumer",
      writeCommand("xgroup|createconsumer", 5, createConsumer, SUBCOMMAND_KEY),
    ],
    ["delconsumer", writeCommand("xgroup|delconsumer", 5, deleteConsumer, SUBCOMMAND_KEY)],
    ["help", localCommand("xgroup|help", 2, () => helpReply("XGROUP", HELP_LINES))],
  ]),
};

/** The command that makes and changes consumer groups. */
export const streamGroupCommands: readonly Command[] = [xgroup];
