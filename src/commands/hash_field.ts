import type { Bytes } from "../base/bytes.ts";
import type { HashField, HashOperations } from "../storage/collections.ts";
import type { DataContext } from "./data_context.ts";

/** A field of a hash that has not expired. */
export function findField(
  context: DataContext,
  hash: HashOperations | undefined,
  name: Bytes,
): HashField | undefined {
  const field = hash?.get(name);
  return field === undefined || isAlive(context, field) ? field : undefined;
}

/** Whether a field has not expired; see DataContext.dueSeen. */
export function isAlive(context: DataContext, field: HashField): boolean {
  if (field.expireAtMs > context.nowMs) return true;
  if (field.expireAtMs <= context.logTimeMs) return false;
  context.dueSeen = true;
  return true;
}

/** The fields that have not expired, with their values, in stored order. */
export function livingFields(
  context: DataContext,
  hash: HashOperations,
): (readonly [name: Bytes, value: Bytes])[] {
  const living: (readonly [Bytes, Bytes])[] = [];
  for (const [name, field] of hash.entries()) {
    if (isAlive(context, field)) living.push([name, field.value]);
  }
  return living;
}
