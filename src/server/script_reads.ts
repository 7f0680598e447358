import type { Bytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import type { DataCommand, RunnableCommand } from "../commands/command.ts";
import { parseHead } from "../commands/script_source.ts";
import type { ScriptSurroundings } from "../commands/script_surroundings.ts";
import { WRITES } from "../commands/script.ts";
import { resolve } from "../commands/table.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import { sha1Hex } from "../scripting/lua_module.ts";
import { AS_NAME, withoutUser } from "./run_as.ts";
import type { Pending } from "./session.ts";

/**
 * EVAL, EVALSHA or FCALL of what the cluster knows, and what promises not to write, as the request
 * that only reads, by its own name still; undefined for all else.
 */
export function asReadOfScript(
  scripting: ScriptSurroundings,
  command: RunnableCommand,
  request: readonly Bytes[],
): readonly [DataCommand, readonly Bytes[]] | undefined {
  if (request[0] === AS_NAME) return undefined;
  const { name } = command;
  if (name === "fcall") {
    const flags = scripting.libraries.find(request[1])?.[1].flags;
    if (!flags?.includes("no-writes")) return undefined;
    return [{ ...command as DataCommand, path: "read" }, request];
  }
  const argv = readOf(scripting, name, request);
  if (argv === undefined) return undefined;
  const read = resolve(argv);
  assert(!(read instanceof ErrorReply) && read.path === "read", "it takes the same words");
  return [{ ...read, name }, argv];
}

/** EVAL and EVALSHA in the words of a request that only reads. */
function readOf(
  scripting: ScriptSurroundings,
  name: Bytes,
  argv: readonly Bytes[],
): readonly Bytes[] | undefined {
  if (name !== "evalsha" && name !== "eval") return undefined;
  const isText = name === "eval";
  if (isText && !argv[1].startsWith("#!")) return undefined;
  const text = scripting.table.find(isText ? sha1Hex(argv[1]) : argv[1].toLowerCase());
  if (text === undefined) return undefined;
  const head = parseHead(text);
  if (head instanceof ErrorReply || !head.isReadOnly) return undefined;
  return [isText ? "EVAL_RO" : "EVALSHA_RO", ...argv.slice(1)];
}

/**
 * Whether a request taken for one that only reads is none any more: the library was replaced
 * between. `reply`: what it was answered.
 */
export function isReadNoMore({ name }: RunnableCommand, reply: Reply | undefined): boolean {
  return reply === WRITES && name === "fcall";
}

/**
 * What goes to the log for a request under way: FCALL as one that may write, for only there is it
 * known what its library says.
 */
export function asLogged(pending: Pending): Pending {
  const { command } = pending;
  if (command.path !== "read" || command.name !== "fcall") return pending;
  return { ...pending, command: { ...command, path: "write" } };
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
