import type { IdMap } from "./id_map.ts";
import { compareIds } from "./stream_id.ts";
import type { StreamNode, StreamNodes } from "./stream_nodes.ts";
import type { StreamEntry, TrimRequest } from "./streams.ts";

/**
 * Takes the oldest entries out, as Redis trims: from node to node, whole ones first. Returns them;
 * `changed` is called with each node as it is then, or when it is gone.
 */
export function trimStream(
  request: TrimRequest,
  entries: IdMap<StreamEntry>,
  nodes: StreamNodes,
  changed: (node: StreamNode, isGone: boolean) => void,
): StreamEntry[] {
  const { isApproximate, limit } = request;
  const removed: StreamEntry[] = [];
  const takeFirst = (count: number) => {
    for (const entry of entries.takeFirst(count)) removed.push(entry);
  };
  for (let node = nodes.first; node !== undefined; node = nodes.first) {
    if ("lengthMax" in request && entries.size <= request.lengthMax) break;
    if (limit > 0 && removed.length + node.live > limit) break;
    const isWhole = "lengthMax" in request
      ? entries.size - node.live >= request.lengthMax
      : compareIds(node.lastId, request.minId) < 0;
    if (isWhole) {
      takeFirst(node.live);
      changed(node, true);
      continue;
    }
    if (!isApproximate) {
      const before = removed.length;
      for (let left = node.live; left > 0 && isTooOld(request, entries); left--) takeFirst(1);
      const count = removed.length - before;
      if (count > 0) {
        changed({ ...node, live: node.live - count, deleted: node.deleted + count }, false);
      }
    }
    break;
  }
  return removed;
}

/** Whether the first entry is to go. */
function isTooOld(request: TrimRequest, entries: IdMap<StreamEntry>): boolean {
  if ("lengthMax" in request) return entries.size > request.lengthMax;
  const { first } = entries;
  return first !== undefined && compareIds(first, request.minId) < 0;
}
