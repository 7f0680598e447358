import type { Bytes } from "../base/bytes.ts";
import { err, type ErrorReply } from "../resp/reply.ts";

/**
 * The error for a command that means nothing over HTTP, where each request is a connection of its
 * own: it would change that connection, wait on it, or turn it into a stream.
 */
export function refusedOverHttp(argv: readonly Bytes[]): ErrorReply | undefined {
  const name = argv[0].toUpperCase();
  if (!REFUSED.has(name) && !refusedForm(name, argv)) return undefined;
  return err(`Command "${name}" is not allowed in REST or it has a special context path`);
}

function refusedForm(name: string, argv: readonly Bytes[]): boolean {
  if (name === "CLIENT") return argv.length > 1 && CLIENT_REFUSED.has(argv[1].toUpperCase());
  if (name !== "XREAD" && name !== "XREADGROUP") return false;
  for (const word of argv.slice(1)) {
    const option = word.toUpperCase();
    if (option === "BLOCK") return true;
    if (option === "STREAMS") return false;
  }
  return false;
}

const CLIENT_REFUSED: ReadonlySet<string> = new Set(["REPLY", "TRACKING", "CACHING"]);

// deno-fmt-ignore
const REFUSED: ReadonlySet<string> = new Set([
  "AUTH", "HELLO", "RESET", "QUIT", "SELECT", "SHUTDOWN", "ASKING", "READONLY", "READWRITE",
  "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "MONITOR", "SYNC", "PSYNC", "REPLCONF",
  "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
  "BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP",
]);
