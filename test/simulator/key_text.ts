import type { Bytes } from "../../src/base/bytes.ts";
import type { KeyRecord, RedisOperations } from "../../src/storage/redis_operations.ts";

/** All that a key is, of any type, in the order in which it is stored; "" for none. */
export function keyText(ops: RedisOperations, db: number, key: Bytes): string {
  const record = ops.peek(db, key);
  if (record === undefined) return "";
  const { type, value, expireAtMs, version, size } = record;
  return [type, version, expireAtMs, size, value, elementsText(ops, db, key, record)].join("\n");
}

function elementsText(ops: RedisOperations, db: number, key: Bytes, { type }: KeyRecord): string {
  switch (type) {
    case "list":
      return JSON.stringify([...ops.collection(db, key, "list")!.values(0)]);
    case "set":
      return JSON.stringify([...ops.collection(db, key, "set")!.members()]);
    case "hash":
      return JSON.stringify(
        [...ops.collection(db, key, "hash")!.entries()]
          .map(([name, { value, expireAtMs }]) => [name, value, String(expireAtMs)]),
      );
    case "zset":
      return JSON.stringify(
        [...ops.collection(db, key, "zset")!.range(0, Infinity)]
          .map(({ name, score }) => [name, String(score)]),
      );
    case "stream": {
      const stream = ops.collection(db, key, "stream")!;
      const { first, last } = stream;
      // Ends that are remembered are those that there are.
      return JSON.stringify([stream.contents(), first, last], plain);
    }
  }
  return "";
}

/** Numbers of 64 bits as text, and properties in their order. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort());
}
