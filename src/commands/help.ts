import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, type Reply, Status } from "../resp/reply.ts";

/** The reply of `NAME HELP`: Redis's head line, these lines, and the line about HELP itself. */
export function helpReply(name: string, lines: readonly string[]): readonly Reply[] {
  return [
    `${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    "HELP",
    "    Prints this help.",
  ].map((line) => new Status(line));
}

/**
 * An `ERR` reply that quotes client bytes: CR and LF are cut off its end and become spaces within,
 * which keeps the reply one line, as Redis does.
 */
export function errQuoting(text: Bytes): ErrorReply {
  return err(oneLine(text));
}

/** The same of an error with another code, NOGROUP. */
export function noGroup(text: Bytes): ErrorReply {
  return new ErrorReply(oneLine(`NOGROUP ${text}`));
}

function oneLine(text: Bytes): Bytes {
  return text.replace(/[\r\n]+$/, "").replace(/[\r\n]/g, " ");
}

/** Client bytes as C's `%.{limit}s` prints them: up to the first NUL, at most `limit` bytes. */
export function quoted(bytes: Bytes, limit = Infinity): Bytes {
  const nul = bytes.indexOf("\0");
  return bytes.slice(0, Math.min(limit, nul < 0 ? bytes.length : nul));
}

/** Redis's answer where a command without a subcommand table meets one that it does not know. */
export function unknownSubcommandOrArity(name: string, subcommand: Bytes): ErrorReply {
  return errQuoting(
    `unknown subcommand or wrong number of arguments for '${quoted(subcommand, 128)}'. ` +
      `Try ${name.toUpperCase()} HELP.`,
  );
}
