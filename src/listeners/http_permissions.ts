import { type Bytes, utf8Encode } from "../base/bytes.ts";
import { resolve } from "../commands/table.ts";
import { ErrorReply } from "../resp/reply.ts";

/** Of the commands that read no data, those that a read-only token may use. */
const HARMLESS: ReadonlySet<string> = new Set(["ping", "echo", "time"]);
/** They read, but as much as there is: Upstash refuses them too. */
const EXHAUSTIVE: ReadonlySet<string> = new Set(["keys", "scan", "randomkey"]);

/** The error for a command that a read-only token may not use. */
export function refusedToReaders(argv: readonly Bytes[]): ErrorReply | undefined {
  const command = resolve(argv);
  // It will be answered as it is to anyone.
  if (command instanceof ErrorReply) return undefined;
  const [name] = command.name.split("|");
  const isAllowed = command.path === "read"
    ? !EXHAUSTIVE.has(name)
    : HARMLESS.has(name) || name === "command";
  return isAllowed ? undefined : noPermission(name);
}

/** Redis's answer to a command that its user may not use. */
export function noPermission(name: string): ErrorReply {
  return new ErrorReply(
    `NOPERM this user has no permissions to run the '${utf8Encode(name)}' command ` +
      "or its subcommand",
  );
}
