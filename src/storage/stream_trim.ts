import type { StreamEntries } from "./stream_entries.ts";
import { compareIds, idOf, type StreamId } from "./stream_id.ts";
import type { StreamNode, StreamNodes } from "./stream_nodes.ts";
import type { TrimRequest } from "./streams.ts";

/** What was trimmed. */
export interface Trimmed {
  readonly count: number;
  /** Entries up to here are gone; undefined: there were none. */
  readonly upTo: StreamId | undefined;
  /** Bytes of memory that they held. */
  readonly heldBytes: number;
}

/**
 * Takes the oldest entries out, as Redis trims: from node to node, whole ones first. `changed` is
 * called with each node as it is then, or when it is gone.
 */
export function trimStream(
  request: TrimRequest,
  entries: StreamEntries,
  nodes: StreamNodes,
  changed: (node: StreamNode, isGone: boolean) => void,
): Trimmed {
  const { isApproximate, limit } = request;
  let [count, heldBytes] = [0, 0];
  let upTo: StreamId | undefined;
  const takeUpTo = (id: StreamId, taken: number) => {
    heldBytes += entries.takeUpTo(id, taken);
    count += taken;
    if (taken > 0) upTo = idOf(id);
  };
  for (let node = nodes.first; node !== undefined; node = nodes.first) {
    if ("lengthMax" in request && entries.size <= request.lengthMax) break;
    if (limit > 0 && count + node.live > limit) break;
    const isWhole = "lengthMax" in request
      ? entries.size - node.live >= request.lengthMax
      : compareIds(node.lastId, request.minId) < 0;
    if (isWhole) {
      takeUpTo(node.lastId, node.live);
      changed(node, true);
      continue;
    }
    if (!isApproximate) {
      const before = count;
      for (let left = node.live; left > 0 && isTooOld(request, entries); left--) {
        takeUpTo(entries.first as StreamId, 1);
      }
      const taken = count - before;
      if (taken > 0) {
        changed({ ...node, live: node.live - taken, deleted: node.deleted + taken }, false);
      }
    }
    break;
  }
  return { count, upTo, heldBytes };
}

/** Whether the first entry is to go. */
function isTooOld(request: TrimRequest, entries: StreamEntries): boolean {
  if ("lengthMax" in request) return entries.size > request.lengthMax;
  const { first } = entries;
  return first !== undefined && compareIds(first, request.minId) < 0;
}
