import type { Bytes } from "../base/bytes.ts";
import type { ScoredMember, SortedSetOperations } from "../storage/collections.ts";
import type { DataContext } from "./data_context.ts";

/**
 * Makes a key a sorted set of these members, whatever it was before; deletes it when there are
 * none. Returns their number. `event` is Redis's name for it.
 */
export function storeSortedSet(
  context: DataContext,
  key: Bytes,
  members: readonly ScoredMember[],
  event: string,
): number {
  const existed = context.find(key) !== undefined;
  context.ops.del(context.db, key);
  if (members.length === 0) {
    if (existed) context.notify("generic", "del", key);
    return 0;
  }
  const zset = context.ops.edit(context.db, key, "zset");
  for (const { name, score } of members) zset.set(name, score);
  context.notify("zset", event, key);
  return members.length;
}

/** Tells that members have been removed, by Redis's name for it, and whether the key is gone. */
export function notifyRemoved(
  context: DataContext,
  key: Bytes,
  event: string,
  zset: SortedSetOperations,
): void {
  context.notify("zset", event, key);
  if (zset.size === 0) context.notify("generic", "del", key);
}
