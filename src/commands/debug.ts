import type { Bytes } from "../base/bytes.ts";
import {
  AnnouncedReply,
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  err,
  ErrorReply,
  MapReply,
  OK,
  PushReply,
  type Reply,
  SetReply,
  VerbatimReply,
} from "../resp/reply.ts";
import type { LocalCommand } from "./command.ts";
import { localCommand } from "./define_local.ts";
import { helpReply, unknownSubcommandOrArity } from "./help.ts";
import { debugOnData } from "./debug_value.ts";
import type { LocalContext, NodeView } from "./local_context.ts";
import { optionName } from "./parse.ts";

/** DEBUG PROTOCOL: one reply of each kind, for the tests of clients. */
const PROTOCOL_SAMPLES: Readonly<Record<string, Reply>> = {
  string: "Hello World",
  integer: 12345,
  double: new DoubleReply("3.141"),
  null: null,
  array: [0, 1, 2],
  set: new SetReply([0, 1, 2]),
  map: new MapReply([
    [0, new BooleanReply(false)],
    [1, new BooleanReply(true)],
    [2, new BooleanReply(false)],
  ]),
  attrib: new AnnouncedReply(
    new MapReply([["key-popularity", ["key:123", 90]]]),
    "Some real reply following the attribute",
  ),
  push: new AnnouncedReply(
    new PushReply(["server-cpu-usage", 42]),
    "Some real reply following the push reply",
  ),
  bignum: new BigNumberReply("1234567999999999999999999999999999999"),
  true: new BooleanReply(true),
  false: new BooleanReply(false),
  verbatim: new VerbatimReply("txt", "This is a verbatim\nstring"),
};

const HELP_LINES = [
  "DIGEST",
  "    Return a digest of all keys and values of this node.",
  "DIGEST-VALUE <key> [<key> ...]",
  "    Return a digest of the value of each key.",
  "ERROR <string>",
  "    Return a Redis protocol error with <string> as message. Useful for clients",
  "    unit tests to simulate Redis errors.",
  "OBJECT <key>",
  "    Show how the value of a key is held.",
  "PAUSE-CRON <0|1>",
  "    Accepted; there is no cron.",
  "PROTOCOL <type>",
  "    Reply with a test value of the specified type. <type> can be: string,",
  "    integer, double, null, array, set, map, attrib, push, verbatim, true,",
  "    false, bignum.",
  "QUICKLIST-PACKED-THRESHOLD <size>",
  "    Accepted; elements of a list are held alike whatever their size.",
  "RELOAD [NOSAVE|NOFLUSH|MERGE]",
  "    Write what is in memory to state.db, forget it, and read it from there again.",
  "    Options are accepted. LOADAOF does the same.",
  "REPLYBUFFER <PEAK-RESET-TIME <ms>|RESIZING <0|1>>",
  "    Accepted; replies have no buffer of a size of its own.",
  "SET-ACTIVE-EXPIRE <0|1>",
  "    Whether this node, while it leads, deletes expired keys that nobody asks for.",
  "SLEEP <seconds>",
  "    Stop the server for <seconds>. Decimals allowed.",
];

/** DEBUG subcommand [argument …] */
function debug({ node, client }: LocalContext, argv: readonly Bytes[]): Reply {
  const subcommand = optionName(argv[1]);
  if (subcommand === "help" && argv.length === 2) return helpReply("DEBUG", HELP_LINES);
  if (subcommand === "reload" || (subcommand === "loadaof" && argv.length === 2)) {
    return reload(node, argv);
  }
  if (subcommand === "replybuffer" && argv.length === 4) return OK;
  if (argv.length === 3) {
    switch (subcommand) {
      case "sleep": {
        const seconds = Number.parseFloat(argv[2]);
        node.sleepBlocking(seconds > 0 ? seconds * 1000 : 0);
        return OK;
      }
      case "set-active-expire":
        node.setActiveExpire(argv[2] !== "0");
        return OK;
      case "quicklist-packed-threshold":
      case "pause-cron":
        return OK;
      case "error":
        return new ErrorReply(argv[2].replace(/[\r\n]/g, " "));
      case "protocol":
        return protocolSample(optionName(argv[2]), client.protocol);
    }
  }
  return unknownSubcommandOrArity("debug", argv[1]);
}

function reload(node: NodeView, argv: readonly Bytes[]): Reply {
  const options = argv.slice(2).map(optionName);
  if (options.some((option) => !["nosave", "noflush", "merge"].includes(option))) {
    return err("DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
  }
  node.reload();
  return OK;
}

/** The reply of DEBUG PROTOCOL. */
export function protocolSample(type: string, protocol: 2 | 3): Reply {
  const sample = Object.hasOwn(PROTOCOL_SAMPLES, type) ? PROTOCOL_SAMPLES[type] : undefined;
  if (type === "push" && protocol === 2) {
    return err("RESP2 is not supported by this command");
  }
  if (sample !== undefined) return sample;
  return err(
    "Wrong protocol type name. Please use one of the following: " +
      "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
  );
}

/** The command DEBUG. */
export const debugCommand: LocalCommand = {
  ...localCommand("debug", -2, debug),
  onData: debugOnData,
};
