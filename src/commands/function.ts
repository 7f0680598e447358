import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, MapReply, OK, type Reply, SetReply, Status } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { type DataRun, readCommand, writeCommand } from "./define.ts";
import { localContainer } from "./define_local.ts";
import { FOOTER_BYTES, hasRightFooter, withFooter, WRONG_FOOTER } from "./dump.ts";
import type { Library } from "./function_library.ts";
import { globMatches } from "./glob.ts";
import { errQuoting, helpReply, unknownSubcommandOrArity } from "./help.ts";
import { optionName } from "./parse.ts";
import { BadDump, Reader } from "./rdb/reader.ts";
import { writeString } from "./rdb/writer.ts";
import { keyCountOf, NOT_BUSY, runLua, surroundingsOf, WRITES } from "./script.ts";
import type { CommandTable } from "./script_calls.ts";

/** Stands before each library in what FUNCTION DUMP gives. */
const DUMPED_LIBRARY = 245;

/** FUNCTION LOAD [REPLACE] function-code */
function load(context: DataContext, argv: readonly Bytes[]): Reply {
  let replaces = false;
  for (const option of argv.slice(2, -1)) {
    if (optionName(option) !== "replace") return errQuoting(`Unknown option given: ${option}`);
    replaces = true;
  }
  return surroundingsOf(context).libraries.load(argv[argv.length - 1], replaces);
}

/** FUNCTION DELETE library-name */
function remove(context: DataContext, argv: readonly Bytes[]): Reply {
  return surroundingsOf(context).libraries.delete(argv[2]) ? OK : err("Library not found");
}

/** FUNCTION FLUSH [ASYNC|SYNC] */
function flush(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 3) return unknownSubcommandOrArity("function", argv[1]);
  const mode = argv.length === 3 ? optionName(argv[2]) : "sync";
  if (mode !== "sync" && mode !== "async") {
    return err("FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  surroundingsOf(context).libraries.clear();
  return OK;
}

/** FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE] */
function list(context: DataContext, argv: readonly Bytes[]): Reply {
  let withCode = false;
  let pattern: Bytes | undefined;
  for (let i = 2; i < argv.length; i++) {
    const option = optionName(argv[i]);
    if (option === "withcode" && !withCode) withCode = true;
    else if (option === "libraryname" && pattern === undefined) {
      if (i + 1 === argv.length) return err("library name argument was not given");
      pattern = argv[++i].toLowerCase();
    } else return errQuoting(`Unknown argument ${argv[i]}`);
  }
  return surroundingsOf(context).libraries.all
    .filter(({ name }) => pattern === undefined || globMatches(pattern, name.toLowerCase()))
    .map((library) => describe(library, withCode));
}

function describe({ name, code, functions }: Library, withCode: boolean): Reply {
  const described = functions.map((each) =>
    new MapReply([
      ["name", each.name],
      ["description", each.description],
      ["flags", new SetReply(each.flags.map((flag) => new Status(flag)))],
    ])
  );
  const entries: [Reply, Reply][] = [
    ["library_name", name],
    ["engine", "LUA"],
    ["functions", described],
  ];
  if (withCode) entries.push(["library_code", code]);
  return new MapReply(entries);
}

/** FUNCTION STATS: no function runs while another command does. */
function stats(context: DataContext): Reply {
  const { libraries } = surroundingsOf(context);
  const lua = new MapReply([
    ["libraries_count", libraries.all.length],
    ["functions_count", libraries.functionCount],
  ]);
  return new MapReply([["running_script", null], ["engines", new MapReply([["LUA", lua]])]]);
}

/** FUNCTION DUMP */
function dump(context: DataContext): Reply {
  let payload = "";
  for (const { code } of surroundingsOf(context).libraries.all) {
    payload += String.fromCharCode(DUMPED_LIBRARY) + writeString(code);
  }
  return withFooter(payload);
}

/** FUNCTION RESTORE serialized-value [FLUSH|APPEND|REPLACE] */
function restore(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 4) return unknownSubcommandOrArity("function", argv[1]);
  const policy = argv.length === 4 ? optionName(argv[3]) : "append";
  if (policy !== "flush" && policy !== "append" && policy !== "replace") {
    return err("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  if (!hasRightFooter(argv[2])) return WRONG_FOOTER;
  const codes = readCodes(argv[2].slice(0, -FOOTER_BYTES));
  if (codes instanceof ErrorReply) return codes;
  return surroundingsOf(context).libraries.restore(codes, policy) ?? OK;
}

function readCodes(payload: Bytes): Bytes[] | ErrorReply {
  const reader = new Reader(payload);
  const codes: Bytes[] = [];
  try {
    while (!reader.isAtEnd) {
      if (reader.byte() !== DUMPED_LIBRARY) return err("given type is not a function");
      codes.push(reader.string());
    }
  } catch (error) {
    if (error instanceof BadDump) return err("Failed loading library payload");
    throw error;
  }
  return codes;
}

/** FCALL function numkeys [key …] [arg …] */
function call(isRead: boolean, commands: CommandTable): DataRun {
  return (context, argv) => {
    const found = surroundingsOf(context).libraries.find(argv[1]);
    if (found === undefined) return err("Function not found");
    const keyCount = keyCountOf(argv, err("Bad number of keys provided"));
    if (keyCount instanceof ErrorReply) return keyCount;
    const [library, { name, flags }] = found;
    const isReadOnly = flags.includes("no-writes");
    // FCALL runs as a read where its library said that it is one.
    if ((isRead || context.isLocal) && !isReadOnly) return WRITES;
    const { source } = library;
    return runLua(
      context,
      argv,
      keyCount,
      { source, isReadOnly, name, isFunction: true },
      commands,
    );
  };
}

const HELP_LINES = [
  "LOAD [REPLACE] <FUNCTION CODE>",
  "    Create a new library with the given library name and code.",
  "DELETE <LIBRARY NAME>",
  "    Delete the given library.",
  "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
  "    Return general information on all the libraries:",
  "    * Library name",
  "    * The engine used to run the Library",
  "    * Library description",
  "    * Functions list",
  "    * Library code (if WITHCODE is given)",
  "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
  "STATS",
  "    Return information about the current function running:",
  "    * Function name",
  "    * Command used to run the function",
  "    * Duration in MS that the function is running",
  "    If no function is running, return nil",
  "    In addition, returns a list of available engines.",
  "KILL",
  "    Kill the current running function.",
  "FLUSH [ASYNC|SYNC]",
  "    Delete all the libraries.",
  "    When called without the optional mode argument, the behavior is determined by the",
  "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
  "    * ASYNC: Asynchronously flush the libraries.",
  "    * SYNC: Synchronously flush the libraries.",
  "DUMP",
  "    Return a serialized payload representing the current libraries, can be restored using " +
  "FUNCTION RESTORE command",
  "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
  "    Restore the libraries represented by the given payload, it is possible to give a restore " +
  "policy to",
  "    control how to handle existing libraries (default APPEND):",
  "    * FLUSH: delete all existing libraries.",
  "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
  "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace " +
  "the old",
  "      libraries with the new libraries (notice that even on this option there is a chance of " +
  "failure",
  "      in case of functions name collision with another library).",
];

/** FUNCTION and FCALL: libraries of scripts, a part of the state. */
export function functionCommands(commands: CommandTable): readonly Command[] {
  return [
    writeCommand("fcall", -3, call(false, commands)),
    readCommand("fcall_ro", -3, call(true, commands)),
    localContainer("function", [
      ["kill", 2, () => NOT_BUSY],
      ["help", 2, () => helpReply("FUNCTION", HELP_LINES)],
    ], [
      ["load", writeCommand("function|load", -3, load)],
      ["delete", writeCommand("function|delete", 3, remove)],
      ["flush", writeCommand("function|flush", -2, flush)],
      ["restore", writeCommand("function|restore", -3, restore)],
      ["list", readCommand("function|list", -2, list)],
      ["stats", readCommand("function|stats", 2, stats)],
      ["dump", readCommand("function|dump", 2, dump)],
    ]),
  ];
}
