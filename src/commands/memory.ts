import { MapReply, OK, type Reply, VerbatimReply } from "../resp/reply.ts";
import { localContainer } from "./define_local.ts";
import { helpReply } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import { memoryUsage } from "./object.ts";

const DOCTOR = "Balsa keeps its data in SQLite on disk and has no memory detectors. What the " +
  "process takes is in INFO memory.\n";

/** Of MEMORY STATS, by their names in INFO. */
const FIGURES: readonly (readonly [name: string, infoName: string])[] = [
  ["total.allocated", "used_memory"],
  ["rss.allocated", "used_memory_rss"],
  ["dataset.bytes", "cache_bytes"],
  ["lua.caches", "used_memory_scripts"],
];

/** MEMORY STATS: the figures that there are. */
function stats({ node }: LocalContext): Reply {
  const info = new Map(
    node.info(["memory"]).split("\r\n").map((line) => line.split(":") as [string, string]),
  );
  return new MapReply(FIGURES.map(([name, infoName]) => [name, Number(info.get(infoName) ?? 0)]));
}

function mallocStats(): Reply {
  return "Stats not supported for the current allocator";
}

const HELP_LINES = [
  "DOCTOR",
  "    Return memory problems reports.",
  "MALLOC-STATS",
  "    Return internal statistics report from the memory allocator.",
  "PURGE",
  "    Attempt to purge dirty pages for reclamation by the allocator.",
  "STATS",
  "    Return information about the memory usage of the server.",
  "USAGE <key> [SAMPLES <count>]",
  "    Return memory in bytes used by <key> and its value. Nested values are",
  "    sampled up to <count> times (default: 5, 0 means sample all).",
];

/** The command MEMORY. The allocator is the runtime's: PURGE has nothing to ask of it. */
export const memoryCommand = localContainer("memory", [
  ["doctor", 2, () => new VerbatimReply("txt", DOCTOR)],
  ["malloc-stats", 2, mallocStats],
  ["purge", 2, () => OK],
  ["stats", 2, stats],
  ["help", 2, () => helpReply("MEMORY", HELP_LINES)],
], [["usage", memoryUsage]]);
