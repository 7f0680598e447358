import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { SCRIPT_UNITS_MAX } from "../constants.ts";
import { CalledErrorReply, err, ErrorReply, NOT_INTEGER, OK, type Reply } from "../resp/reply.ts";
import type { LuaSource, ScriptOutcome } from "../scripting/lua_engine.ts";
import { sha1Hex } from "../scripting/lua_module.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { type DataRun, readCommand, writeCommand } from "./define.ts";
import { localContainer } from "./define_local.ts";
import { errQuoting, helpReply } from "./help.ts";
import { optionName, parseOffset } from "./parse.ts";
import { type CommandTable, ScriptCalls } from "./script_calls.ts";
import { parseHead, type ScriptHead } from "./script_source.ts";
import type { ScriptSurroundings } from "./script_surroundings.ts";
import { decodeFromScript, decodeStrings } from "./script_values.ts";

const NO_SCRIPT = new ErrorReply("NOSCRIPT No matching script. Please use EVAL.");
export const NOT_BUSY = new ErrorReply("NOTBUSY No scripts in execution right now.");
const TOO_MANY_KEYS = err("Number of keys can't be greater than number of args");
const NEGATIVE_KEYS = err("Number of keys can't be negative");
export const WRITES = err("Can not execute a script with write flag using *_ro command.");
const NO_DEBUGGER = err("there is no debugger for scripts");

/** How many keys `argv` has from its fourth argument on, or Redis's error. */
export function keyCountOf(
  argv: readonly Bytes[],
  notInteger = NOT_INTEGER,
): number | ErrorReply {
  const count = parseOffset(argv[2]);
  if (count === undefined) return notInteger;
  if (count > argv.length - 3) return TOO_MANY_KEYS;
  return count < 0 ? NEGATIVE_KEYS : count;
}

/** What scripts run with: set in every context in which a command on data runs. */
export function surroundingsOf(context: DataContext): ScriptSurroundings {
  assert(context.scripting !== undefined, "scripts run where there is data");
  return context.scripting;
}

/**
 * The reply that is the outcome of a run; `name`: of the script or function, for errors;
 * `calledErrors`: texts of those that were told of where they came from.
 */
function replyOf(outcome: ScriptOutcome, name: Bytes, calledErrors?: ReadonlySet<Bytes>): Reply {
  const { kind, bytes } = outcome;
  if (kind === "done") return decodeFromScript(bytes, calledErrors);
  if (kind === "error") {
    const { text } = decodeFromScript(bytes) as ErrorReply;
    return errQuoting(`Error running script ${name}, ${text}`);
  }
  const [, message, source, line] = decodeStrings(bytes);
  const where = source && line ? ` script: ${name}, on ${source}:${line}.` : "";
  if (kind === "exhausted") {
    return err(`Script stopped after ${SCRIPT_UNITS_MAX} units of work.${where}`);
  }
  if (line === undefined) return errQuoting(`Error running script ${name}, ${message}`);
  const text = (message + where).replace(/[\r\n]+$/, "").replace(/[\r\n]/g, " ");
  return calledErrors?.has(message) ? new CalledErrorReply(text) : new ErrorReply(text);
}

function sourceOf(sha1: Bytes, text: Bytes, head: ScriptHead): LuaSource {
  return { id: sha1, kind: "script", text: head.length === 0 ? text : text.slice(head.length) };
}

/** Redis's error for a script that does not compile. */
function compileError(surroundings: ScriptSurroundings, source: LuaSource): ErrorReply | undefined {
  const { kind, bytes } = surroundings.engine.compile(source);
  if (kind === "done") return undefined;
  const { text } = decodeFromScript(bytes) as ErrorReply;
  return errQuoting(`Error compiling script (new function): ${text}`);
}

/** The script of an EVAL or EVALSHA. */
interface Found {
  readonly sha1: Bytes;
  readonly source: LuaSource;
  readonly head: ScriptHead;
}

/** The script with this text, which is added when the cluster does not know it, or its error. */
function ofText(context: DataContext, text: Bytes, isRead: boolean): Found | ErrorReply {
  const surroundings = surroundingsOf(context);
  const sha1 = sha1Hex(text);
  const head = parseHead(text);
  if (head instanceof ErrorReply) return head;
  const source = sourceOf(sha1, text, head);
  if ((isRead ? surroundings.findToRead(sha1) : surroundings.table.find(sha1)) === undefined) {
    const error = compileError(surroundings, source);
    if (error !== undefined) return error;
    if (isRead) surroundings.keepToRead(sha1, text);
    else surroundings.table.add(sha1, text);
  }
  return { sha1, source, head };
}

function ofSha1(context: DataContext, name: Bytes, isRead: boolean): Found | ErrorReply {
  const surroundings = surroundingsOf(context);
  const sha1 = name.toLowerCase();
  const text = isRead ? surroundings.findToRead(sha1) : surroundings.table.find(sha1);
  if (text === undefined) return NO_SCRIPT;
  const head = parseHead(text);
  assert(!(head instanceof ErrorReply), "what is known was looked at");
  return { sha1, source: sourceOf(sha1, text, head), head };
}

/** What of Lua is run. */
export interface Runnable {
  readonly source: LuaSource;
  /** It may not write. */
  readonly isReadOnly: boolean;
  /** For errors. */
  readonly name: Bytes;
  /** The function of a library, whose name it is. */
  readonly isFunction: boolean;
}

/** Runs Lua with `keyCount` keys and arguments of `argv`, from the fourth word on. */
export function runLua(
  context: DataContext,
  argv: readonly Bytes[],
  keyCount: number,
  { source, isReadOnly, name, isFunction }: Runnable,
  commands: CommandTable,
): Reply {
  const surroundings = surroundingsOf(context);
  const calls = new ScriptCalls(context, surroundings, commands, isReadOnly);
  const keys = argv.slice(3, 3 + keyCount);
  const args = argv.slice(3 + keyCount);
  const { db } = context;
  context.isInScript = true;
  const outcome = surroundings.engine.run(source, keys, args, calls, isFunction ? name : undefined);
  context.isInScript = false;
  context.db = db;
  return replyOf(outcome, name, calls.observedErrors);
}

/** Runs a script with the keys and arguments of `argv`. */
function runScript(
  context: DataContext,
  argv: readonly Bytes[],
  keyCount: number,
  { sha1, source, head }: Found,
  isRead: boolean,
  commands: CommandTable,
): Reply {
  if (isRead && head.hasShebang && !head.isReadOnly) return WRITES;
  const isReadOnly = isRead || head.isReadOnly;
  return runLua(
    context,
    argv,
    keyCount,
    { source, isReadOnly, name: sha1, isFunction: false },
    commands,
  );
}

type Find = (context: DataContext, name: Bytes, isRead: boolean) => Found | ErrorReply;

function evaluate(find: Find, isRead: boolean, commands: CommandTable): DataRun {
  return (context, argv) => {
    if (find === ofSha1 && argv[1].length !== 40) return NO_SCRIPT;
    const keyCount = keyCountOf(argv);
    if (keyCount instanceof ErrorReply) return keyCount;
    const found = find(context, argv[1], isRead);
    if (found instanceof ErrorReply) return found;
    return runScript(context, argv, keyCount, found, isRead, commands);
  };
}

/** SCRIPT LOAD script */
function load(context: DataContext, argv: readonly Bytes[]): Reply {
  const found = ofText(context, argv[2], false);
  return found instanceof ErrorReply ? found : found.sha1;
}

/** SCRIPT EXISTS sha1 [sha1 …] */
function exists(context: DataContext, argv: readonly Bytes[]): Reply {
  const { table } = surroundingsOf(context);
  return argv.slice(2).map((sha1) => table.find(sha1.toLowerCase()) === undefined ? 0 : 1);
}

/** SCRIPT FLUSH [ASYNC|SYNC] */
function flush(context: DataContext, argv: readonly Bytes[]): Reply {
  const mode = argv.length === 3 ? optionName(argv[2]) : "sync";
  if (argv.length > 3 || (mode !== "sync" && mode !== "async")) {
    return err("SCRIPT FLUSH only support SYNC|ASYNC option");
  }
  surroundingsOf(context).clear();
  return OK;
}

/** SCRIPT DEBUG YES|SYNC|NO */
function debug(argv: readonly Bytes[]): Reply {
  const mode = optionName(argv[2]);
  if (mode === "no") return OK;
  return mode === "yes" || mode === "sync" ? NO_DEBUGGER : err("Use SCRIPT DEBUG YES/SYNC/NO");
}

const HELP_LINES = [
  "DEBUG (YES|SYNC|NO)",
  "    Set the debug mode for subsequent scripts executed.",
  "EXISTS <sha1> [<sha1> ...]",
  "    Return information about the existence of the scripts in the script cache.",
  "FLUSH [ASYNC|SYNC]",
  "    Flush the Lua scripts cache. Very dangerous on replicas.",
  "    When called without the optional mode argument, the behavior is determined by the",
  "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
  "    * ASYNC: Asynchronously flush the scripts cache.",
  "    * SYNC: Synchronously flush the scripts cache.",
  "KILL",
  "    Kill the currently executing Lua script.",
  "LOAD <script>",
  "    Load a script into the scripts cache without executing it.",
];

/** EVAL and its kin. A script is one command of the log, or, by the _RO commands, a read. */
export function scriptCommands(commands: CommandTable): readonly Command[] {
  return [
    writeCommand("eval", -3, evaluate(ofText, false, commands)),
    writeCommand("evalsha", -3, evaluate(ofSha1, false, commands)),
    readCommand("eval_ro", -3, evaluate(ofText, true, commands)),
    readCommand("evalsha_ro", -3, evaluate(ofSha1, true, commands)),
    localContainer("script", [
      // A script runs from its start to its end before anything else does.
      ["kill", 2, () => NOT_BUSY],
      ["debug", 3, (_context, argv) => debug(argv)],
      ["help", 2, () => helpReply("SCRIPT", HELP_LINES)],
    ], [
      ["load", writeCommand("script|load", 3, load)],
      ["exists", readCommand("script|exists", -3, exists)],
      ["flush", writeCommand("script|flush", -2, flush)],
    ]),
  ];
}
