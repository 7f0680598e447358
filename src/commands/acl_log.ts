import type { Bytes } from "../base/bytes.ts";
import { DoubleReply, MapReply, NOT_INTEGER, OK, type Reply } from "../resp/reply.ts";
import type { AclLogEntry } from "./acl_view.ts";
import { unknownSubcommandOrArity } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import { parseOffset } from "./parse.ts";

const COUNT_DEFAULT = 10;

/** ACL LOG [count | RESET] */
export function aclLogReply({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 3) return unknownSubcommandOrArity("acl", argv[1]);
  const { log } = node.acl;
  if (argv.length === 3 && argv[2].toLowerCase() === "reset") {
    log.reset();
    return OK;
  }
  const count = argv.length === 2 ? COUNT_DEFAULT : parseOffset(argv[2]);
  if (count === undefined) return NOT_INTEGER;
  const nowMs = Math.floor(node.nowUs() / 1000);
  return log.entries.slice(0, Math.max(0, count)).map((entry) => entryReply(entry, nowMs));
}

function entryReply(entry: AclLogEntry, nowMs: number): Reply {
  return new MapReply([
    ["count", entry.count],
    ["reason", entry.reason],
    ["context", entry.context],
    ["object", entry.object],
    ["username", entry.username],
    ["age-seconds", new DoubleReply(String((nowMs - entry.atMs) / 1000))],
    ["client-info", entry.clientInfo],
    ["entry-id", entry.id],
    ["timestamp-created", entry.createdAtMs],
    ["timestamp-last-updated", entry.atMs],
  ]);
}
