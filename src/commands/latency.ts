import type { Bytes } from "../base/bytes.ts";
import { MapReply, type Reply, VerbatimReply } from "../resp/reply.ts";
import { localContainer } from "./define_local.ts";
import { errQuoting, helpReply, quoted } from "./help.ts";
import { latencyGraph, latencyReport } from "./latency_report.ts";
import type { LocalContext, NodeView } from "./local_context.ts";

/** LATENCY HISTORY event */
function history({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const samples = node.latencyMonitor.events.get(argv[2])?.samples ?? [];
  return samples.map(({ atSeconds, durationMs }) => [atSeconds, durationMs]);
}

/** LATENCY LATEST */
function latest({ node }: LocalContext): Reply {
  return [...node.latencyMonitor.events].map(([name, { samples, maxMs }]) => {
    const { atSeconds, durationMs } = samples[samples.length - 1];
    return [name, atSeconds, durationMs, maxMs];
  });
}

/** LATENCY RESET [event …] */
function reset({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const { latencyMonitor } = node;
  if (argv.length === 2) return latencyMonitor.reset();
  return argv.slice(2).reduce((count, name) => count + latencyMonitor.reset(name), 0);
}

/** LATENCY GRAPH event */
function graph({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const event = node.latencyMonitor.events.get(argv[2]);
  if (event === undefined) {
    return errQuoting(`No samples available for event '${quoted(argv[2])}'`);
  }
  return new VerbatimReply("txt", latencyGraph(argv[2], event, nowSeconds(node)));
}

/** LATENCY DOCTOR */
function doctor({ node }: LocalContext): Reply {
  const { events } = node.latencyMonitor;
  const [thresholdMs, slowLogUs] = ["latency-monitor-threshold", "slowlog-log-slower-than"]
    .map((name) => Number(node.configGet(name)[0][1]));
  const sources = { events, thresholdMs, slowLogUs, nowSeconds: nowSeconds(node) };
  return new VerbatimReply("txt", latencyReport(sources));
}

function nowSeconds(node: NodeView): number {
  return Math.floor(node.nowUs() / 1_000_000);
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
  ["doctor", 2, doctor],
  ["graph", 3, graph],
  ["help", 2, () => helpReply("LATENCY", HELP_LINES)],
  ["histogram", -2, histogram],
  ["history", 3, history],
  ["latest", 2, latest],
  ["reset", -2, reset],
]);
