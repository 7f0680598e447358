import { MemoryMachine } from "./machine.ts";
import type { SimNode } from "./sim_node.ts";

/** As much of the log is kept for a follower that is slow, in times of what it begins to be cut at. */
const LOG_SHARE_MAX = 4;
const GARBAGE = "SELECT (SELECT count(*) FROM purge) + (SELECT count(*) FROM purge_owner) AS rows";

/** Purged entries that are still there. */
const PURGED = "SELECT count(*) AS rows FROM log WHERE last < ?1";

/** Without those of what was purged: they are deleted bit by bit, with what is written next. */
const ROWS = "SELECT coalesce(sum(length(data)), 0) AS bytes FROM log WHERE last >= ?1";

/** What a node has yet to do that has had time to come to rest; undefined: nothing. */
export function unfinished(node: SimNode): string | undefined {
  const { storage, machine, rules } = node;
  if (node.server === undefined || storage === undefined) return "it does not run";
  const { ops, log, snapshots, disk } = storage;
  const { applied, durable, memory } = ops;
  if (durable.index !== applied.index) return `${durable.index} of ${applied.index} is written`;
  if (memory.dirtyBytes !== 0) return `${memory.dirtyBytes} bytes wait to be written`;
  if (ops.backlogged) return "it takes no more changes";
  const state = machine instanceof MemoryMachine ? machine.state : undefined;
  const garbage = Number(state?.prepare(GARBAGE).get()?.rows ?? 0);
  if (garbage > 0) return `${garbage} databases and collections wait to be deleted`;
  if (log.bytes > rules.logBytesMax * LOG_SHARE_MAX) return `its log has ${log.bytes} bytes`;
  const rows = machine instanceof MemoryMachine
    ? machine.log?.prepare(ROWS).get(log.firstIndex)
    : undefined;
  if (rows !== undefined && Number(rows.bytes) !== log.bytes) {
    return `its log has ${rows.bytes} bytes, and counts ${log.bytes}`;
  }
  const hold = node.core?.cluster.snapshotHold() ?? Infinity;
  if (hold !== Infinity) return `its log is kept behind ${hold}`;
  // What an error has left behind the next start removes.
  if (machine instanceof MemoryMachine && machine.hasFailed) return undefined;
  const current = snapshots.current?.sha256.slice(0, 16) ?? "none";
  const left = disk.list(snapshots.directory)
    .find((name) => !name.startsWith("receive-") && !name.includes(current));
  return left && `${left} is there`;
}

/** Rows of the log that are purged and not deleted, a part of which the next append deletes. */
export function purgedRows({ storage, machine }: SimNode): number {
  if (storage === undefined || !(machine instanceof MemoryMachine)) return 0;
  return Number(machine.log?.prepare(PURGED).get(storage.log.firstIndex)?.rows ?? 0);
}
