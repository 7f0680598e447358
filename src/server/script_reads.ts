import type { Bytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import type { DataCommand, RunnableCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { parseHead } from "../commands/script_source.ts";
import type { ScriptSurroundings } from "../commands/script_surroundings.ts";
import { WRITES } from "../commands/script.ts";
import { resolve } from "../commands/table.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import { sha1Hex } from "../scripting/lua_module.ts";
import { AS_NAME, withoutUser } from "./run_as.ts";
import type { Pending } from "./session.ts";

const FCALL = "FCALL";

/**
 * EVAL, EVALSHA or FCALL of what the cluster knows, and what promises not to write, as the request
 * that only reads, by its own name still; undefined for all else.
 */
export function asReadOfScript(
  scripting: ScriptSurroundings,
  { name }: RunnableCommand,
  request: readonly Bytes[],
): readonly [DataCommand, readonly Bytes[]] | undefined {
  const argv = readOf(scripting, name, request);
  if (argv === undefined) return undefined;
  const command = resolve(argv);
  assert(!(command instanceof ErrorReply) && command.path === "read", "it takes the same words");
  if (name === "fcall") return [{ ...command, name, run: runFunction }, argv];
  return [{ ...command, name }, argv];
}

/** The words of the request that only reads. */
function readOf(
  scripting: ScriptSurroundings,
  name: Bytes,
  argv: readonly Bytes[],
): readonly Bytes[] | undefined {
  if (argv[0] === AS_NAME) return undefined;
  if (name === "fcall") {
    const isReadOnly = scripting.libraries.find(argv[1])?.[1].flags.includes("no-writes");
    return isReadOnly ? ["FCALL_RO", ...argv.slice(1)] : undefined;
  }
  if (name !== "evalsha" && name !== "eval") return undefined;
  const isText = name === "eval";
  if (isText && !argv[1].startsWith("#!")) return undefined;
  const text = scripting.table.find(isText ? sha1Hex(argv[1]) : argv[1].toLowerCase());
  if (text === undefined) return undefined;
  const head = parseHead(text);
  if (head instanceof ErrorReply || !head.isReadOnly) return undefined;
  return [isText ? "EVAL_RO" : "EVALSHA_RO", ...argv.slice(1)];
}

/** FCALL_RO and, once it is in the log, FCALL. */
function runFunction(context: DataContext, argv: readonly Bytes[]): Reply {
  const command = resolve(argv);
  assert(!(command instanceof ErrorReply) && command.path !== "local", "a call of a function");
  return command.run(context, argv);
}

/**
 * Whether a request taken for one that only reads is none any more: the library was replaced
 * between. `reply`: what it was answered.
 */
export function isReadNoMore({ name }: RunnableCommand, reply: Reply | undefined): boolean {
  return reply === WRITES && name === "fcall";
}

/**
 * What goes to the log for a request under way: FCALL as it was sent, for only there is it known
 * what its library says.
 */
export function asLogged(pending: Pending): Pending {
  const { command, argv } = pending;
  if (command.path !== "read" || command.name !== "fcall") return pending;
  return { ...pending, command: { ...command, path: "write" }, argv: [FCALL, ...argv.slice(1)] };
}

/**
 * Whether a request runs a script or function that says what it does, and so would say that it may
 * be run when there is no room (allow-oom, no-writes), but does not.
 */
export function needsRoom(
  scripting: ScriptSurroundings,
  { name }: RunnableCommand,
  request: readonly Bytes[],
): boolean {
  const argv = withoutUser(request);
  if (name === "fcall") {
    const flags = scripting.libraries.find(argv[1])?.[1].flags;
    return flags !== undefined && !flags.includes("no-writes") && !flags.includes("allow-oom");
  }
  if (name !== "evalsha" && name !== "eval") return false;
  const text = name === "eval" ? argv[1] : scripting.table.find(argv[1].toLowerCase()) ?? "";
  const head = parseHead(text);
  if (head instanceof ErrorReply || !head.hasShebang) return false;
  return !head.isReadOnly && !head.allowsFull;
}
