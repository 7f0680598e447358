import type { Bytes } from "../base/bytes.ts";
import { err, OK, type Reply } from "../resp/reply.ts";
import { localContainer } from "./define_local.ts";
import { helpReply, unknownSubcommandOrArity } from "./help.ts";
import type { LocalContext, SlowLogEntry } from "./local_context.ts";
import { parseOffset } from "./parse.ts";

const ENTRIES_DEFAULT = 10;
/** SLOWLOG GET [count]; -1 for all. */
function get({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 3) return unknownSubcommandOrArity("slowlog", argv[1]);
  let count = ENTRIES_DEFAULT;
  if (argv.length > 2) {
    const parsed = parseOffset(argv[2]);
    if (parsed === undefined || parsed < -1) {
      return err("count should be greater than or equal to -1");
    }
    count = parsed === -1 ? Infinity : parsed;
  }
  return node.slowLog.entries.slice(0, count).map(entryReply);
}

function entryReply(entry: SlowLogEntry): Reply {
  return [
    entry.id,
    Math.floor(entry.atMs / 1000),
    Math.floor(entry.durationUs),
    entry.argv,
    entry.remoteAddress,
    entry.clientName,
  ];
}

const HELP_LINES = [
  "GET [<count>]",
  "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
  "    Entries are made of:",
  "    id, timestamp, time in microseconds, arguments array, client IP and port,",
  "    client name",
  "LEN",
  "    Return the length of the slowlog.",
  "RESET",
  "    Reset the slowlog.",
];

/** The command SLOWLOG. */
export const slowLogCommand = localContainer("slowlog", [
  ["get", -2, get],
  ["len", 2, ({ node }) => node.slowLog.entries.length],
  ["reset", 2, ({ node }) => {
    node.slowLog.reset();
    return OK;
  }],
  ["help", 2, () => helpReply("SLOWLOG", HELP_LINES)],
]);
