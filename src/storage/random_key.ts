import type { Bytes } from "../base/bytes.ts";
import type { RedisOperations } from "./redis_operations.ts";

const RANDOM_PAGE = 64;

/**
 * A key of a database picked by `random`: uniform in one that fits a page, else from a page that
 * starts at a random id, so in O(log n); keys behind a gap of deleted ones are then likelier.
 */
export function randomKeyByScan(
  ops: RedisOperations,
  db: number,
  random: number,
  lastId: number,
): Bytes | undefined {
  if (ops.size(db) === 0) return undefined;
  const scaled = random * lastId;
  let cursor = ops.size(db) <= RANDOM_PAGE ? 0 : Math.floor(scaled);
  const within = cursor === 0 ? random : scaled - cursor;
  const found: Bytes[] = [];
  do {
    const page = ops.scan(db, cursor, RANDOM_PAGE);
    found.push(...page.keys);
    cursor = page.cursor;
  } while (found.length === 0 || (ops.size(db) <= RANDOM_PAGE && cursor !== 0));
  return found[Math.floor(within * found.length)];
}
