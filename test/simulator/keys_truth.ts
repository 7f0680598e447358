import type { NodeStorage } from "../../src/server/node_storage.ts";
import type { KeyRecord, RedisOperations } from "../../src/storage/redis_operations.ts";
import { endOf, type Reference, type Version, versionAt } from "./reference.ts";
import { collectionText, sizeOf } from "./reference_collections.ts";
import { CHANCE_KEY } from "./workload_commands.ts";

/** A key, "db/key", that a node has otherwise than the log says, or "some keys"; else undefined. */
export function wrongKey(reference: Reference, { ops }: NodeStorage): string | undefined {
  const expected = reference.behind(ops.applied.index);
  for (const db of [0, 1]) expected.delete(`${db}/${CHANCE_KEY}`);
  let count = 0;
  for (const db of [0, 1]) {
    for (const key of ops.keys(db)) {
      if (key === CHANCE_KEY) continue;
      const record = ops.find(db, key);
      const version = expected.get(`${db}/${key}`);
      if (!isAs(record, version, ops.applied.logTimeMs)) return `${db}/${key}`;
      if (record === undefined || version === undefined) continue;
      if (record.type !== "string" && storedText(ops, db, key, record) !== version.value) {
        return `${db}/${key}`;
      }
      count++;
    }
  }
  return count === expected.size ? undefined : "some keys";
}

/**
 * The same of the keys alone that the entry changed which a node has just applied: their types,
 * strings, sizes and expiry, so that each change is seen before the next one hides it.
 */
export function wrongChange(reference: Reference, { ops }: NodeStorage): string | undefined {
  const { index, logTimeMs } = ops.applied;
  for (const name of reference.takeChanged(index)) {
    const [db, key] = [Number(name[0]), name.slice(2)];
    if (key === CHANCE_KEY) continue;
    const version = versionAt(reference.versions(db, key), endOf(index));
    if (!isAs(ops.peek(db, key), version, logTimeMs)) return name;
  }
  return undefined;
}

/** Whether a node has a key as the reference has it, but for the elements of a collection. */
function isAs(
  record: KeyRecord | undefined,
  version: Version | undefined,
  logTimeMs: number,
): boolean {
  // One whose time has come may still lie there.
  if (version?.value === undefined) return record === undefined || record.expireAtMs <= logTimeMs;
  if (record === undefined || record.expireAtMs !== version.expireAtMs) return false;
  return record.type === "string"
    ? record.value === version.value
    : record.type[0] === version.value[0] && record.size === sizeOf(version.value);
}

/** A collection as the reference has it. */
function storedText(
  ops: RedisOperations,
  db: number,
  key: string,
  { type }: KeyRecord,
): string | undefined {
  switch (type) {
    case "list":
      return collectionText("l", [...ops.collection(db, key, "list")!.values(0)]);
    case "set":
      return collectionText("s", [...ops.collection(db, key, "set")!.members()]);
    case "hash": {
      const fields = [...ops.collection(db, key, "hash")!.entries()];
      return collectionText("h", fields.flatMap(([name, { value }]) => [name, value]));
    }
    case "zset": {
      const members = [...ops.collection(db, key, "zset")!.range(0, Infinity)];
      return collectionText("z", members.flatMap(({ name, score }) => [name, String(score)]));
    }
  }
  return undefined;
}
