import type { Position } from "./http_types.ts";

/** Characters of the cluster's id in a token. */
const TAG_LENGTH = 8;

/**
 * The value of Upstash-Sync-Token for a position: `CLUSTER-INDEX-POSITION`. It differs after each
 * write, also of those that share an entry.
 */
export function syncToken(clusterId: string, { index, position }: Position): string {
  return `${clusterId.slice(0, TAG_LENGTH)}-${index}-${position}`;
}

/** The index in a token of this cluster; 0 for any other text, which asks for nothing. */
export function indexOfSyncToken(token: string, clusterId: string): number {
  const [tag, index, position, ...more] = token.trim().split("-");
  const isOurs = tag !== "" && tag === clusterId.slice(0, TAG_LENGTH) && more.length === 0;
  if (!isOurs || position === undefined || !/^\d{1,15}$/.test(index)) return 0;
  return Number(index);
}
