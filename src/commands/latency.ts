import type { Bytes } from "../base/bytes.ts";
import { MapReply, type Reply, VerbatimReply } from "../resp/reply.ts";
import { localContainer } from "./define_local.ts";
import { errQuoting, helpReply, quoted } from "./help.ts";
import type { LocalContext } from "./local_context.ts";

// No events are sampled: the answers on them are those for "nothing recorded".

const DOCTOR = "Balsa samples no latency events, so there is nothing to diagnose. Slow commands " +
  "are in SLOWLOG GET; times of fsync and of log entries are in INFO raft and INFO persistence.\n";

/** LATENCY GRAPH event */
function graph(_context: LocalContext, argv: readonly Bytes[]): Reply {
  return errQuoting(`No samples available for event '${quoted(argv[2])}'`);
}

/** LATENCY HISTOGRAM [command …] */
function histogram({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const all = node.latencies();
  const wanted = argv.slice(2).map((name) => name.toLowerCase());
  const names = wanted.length === 0 ? [...all.keys()] : wanted.flatMap((name) => {
    return all.has(name) ? [name] : [...all.keys()].filter((each) => each.startsWith(`${name}|`));
  });
  return new MapReply(names.map((name) => {
    const { calls, upToUs } = all.get(name)!;
    return [
      name,
      new MapReply([["calls", calls], ["histogram_usec", new MapReply([...upToUs])]]),
    ];
  }));
}

const HELP_LINES = [
  "DOCTOR",
  "    Return a human readable latency analysis report.",
  "GRAPH <event>",
  "    Return an ASCII latency graph for the <event> class.",
  "HISTORY <event>",
  "    Return time-latency samples for the <event> class.",
  "LATEST",
  "    Return the latest latency samples for all events.",
  "RESET [<event> ...]",
  "    Reset latency data of one or more <event> classes.",
  "    (default: reset all data for all event classes)",
  "HISTOGRAM [COMMAND ...]",
  "    Return a cumulative distribution of latencies in the format of a histogram for the " +
  "specified command names.",
  "    If no commands are specified then all histograms are replied.",
];

/** The command LATENCY. */
export const latencyCommand = localContainer("latency", [
  ["doctor", 2, () => new VerbatimReply("txt", DOCTOR)],
  ["graph", 3, graph],
  ["help", 2, () => helpReply("LATENCY", HELP_LINES)],
  ["histogram", -2, histogram],
  ["history", 3, () => []],
  ["latest", 2, () => []],
  ["reset", -2, () => 0],
]);
