import type { Bytes } from "../base/bytes.ts";
import type { DataCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { dumpPayload } from "../commands/dump.ts";
import type { KeyRecord } from "../storage/redis_operations.ts";

/** Names in the log the deletion of a key that another server has; no client can send it. */
export const MOVED_NAME = "\0moved";

const CHECKSUM_BYTES = 8;

/** A key as it was when it was dumped. */
export interface DumpedKey {
  readonly key: Bytes;
  /** What WATCH compares. */
  readonly version: number;
  /** Unix milliseconds, or NO_EXPIRY. */
  readonly expireAtMs: number;
  readonly payload: Bytes;
  /** Of the payload, where a change need not make a new version; "" elsewhere. */
  readonly checksum: Bytes;
}

export function dumpKey(context: DataContext, key: Bytes, record: KeyRecord): DumpedKey {
  const payload = dumpPayload(context, key, record);
  const { version, expireAtMs } = record;
  return { key, version, expireAtMs, payload, checksum: checksumOf(record, payload) };
}

/** Groups and consumers of a stream change without a new version, as in Redis. */
function checksumOf({ type }: KeyRecord, payload: Bytes): Bytes {
  return type === "stream" ? payload.slice(-CHECKSUM_BYTES) : "";
}

/** `MOVED_NAME, key, version, checksum` */
export function encodeMoved({ key, version, checksum }: DumpedKey): Bytes[] {
  return [MOVED_NAME, key, String(version), checksum];
}

/** Deletes the key if it is as it was: 1, or 0 when it is not. A dump is equal on every node. */
function deleteMoved(context: DataContext, [, key, version, checksum]: readonly Bytes[]): number {
  const record = context.find(key);
  if (record === undefined || record.version !== Number(version)) return 0;
  if (checksum !== "" && dumpKey(context, key, record).checksum !== checksum) return 0;
  context.ops.del(context.db, key);
  context.notify("generic", "del", key);
  return 1;
}

/** What `encodeMoved`'s words mean in the log. */
export const DELETE_MOVED: DataCommand = {
  name: "del",
  arity: 4,
  path: "write",
  run: deleteMoved,
};
