import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import type { Denial } from "../commands/acl_check.ts";
import { NEW_USER } from "../commands/acl_user.ts";
import type { DataCommand, RunnableCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { resolve } from "../commands/table.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { User } from "../storage/users_table.ts";

/** Names in the log a script that runs for a user who is held to rules: `AS_NAME, user, word …`. */
export const AS_NAME = "\0as";

/** Whether what a request does beside its words is a script's doing. */
export function runsScript(command: RunnableCommand, argv: readonly Bytes[]): boolean {
  if (command.name === "idempotent") return SCRIPT.test(argv[3]?.toLowerCase() ?? "");
  return SCRIPT.test(command.name);
}

const SCRIPT = /^(eval|evalsha|fcall)(_ro)?$/;

/** The request without the user whom it runs for, if that is in it. */
export function withoutUser(argv: readonly Bytes[]): readonly Bytes[] {
  return argv[0] === AS_NAME ? argv.slice(2) : argv;
}

/**
 * A script of a session's user as it is queued and logged; `refused` is told of what the script
 * was refused here.
 */
export function asUser(
  { user, restriction }: { readonly user: Bytes; readonly restriction?: User },
  command: DataCommand,
  argv: readonly Bytes[],
  refused: (denial: Denial) => void,
): readonly [DataCommand, readonly Bytes[]] {
  if (command.path === "read") {
    // Reads run on this node alone, where there are no users in the context.
    const run = (context: DataContext, words: readonly Bytes[]) =>
      runFor(context, command, words, restriction ?? NEW_USER, refused);
    return [{ ...command, run }, argv];
  }
  const run = (context: DataContext, words: readonly Bytes[]) => runAs(context, words, refused);
  return [{ ...command, run }, [AS_NAME, user, ...argv]];
}

/** The command in such words of the log. */
export function resolveAs(words: readonly Bytes[]): DataCommand | ErrorReply {
  const command = resolve(words.slice(2));
  if (command instanceof ErrorReply) return command;
  assert(command.path === "write", "a script that may write");
  return { ...command, run: (context, argv) => runAs(context, argv) };
}

function runAs(
  context: DataContext,
  words: readonly Bytes[],
  refused?: (denial: Denial) => void,
): Reply {
  const argv = words.slice(2);
  const command = resolve(argv);
  assert(!(command instanceof ErrorReply) && command.path === "write", "it was looked at before");
  // One that is gone by now may do nothing.
  return runFor(context, command, argv, context.users?.find(words[1]) ?? NEW_USER, refused);
}

function runFor(
  context: DataContext,
  command: DataCommand,
  argv: readonly Bytes[],
  user: User,
  refused?: (denial: Denial) => void,
): Reply {
  context.scriptUser = { user, refused };
  try {
    return command.run(context, argv);
  } finally {
    context.scriptUser = undefined;
  }
}
