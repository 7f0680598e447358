import { addInt64, type Int64, toInt64 } from "../base/int64.ts";
import {
  READ_UNKNOWN,
  type StreamCounters,
  type StreamGroup,
  type StreamOperations,
} from "../storage/streams.ts";
import { compareIds, isZeroId, type StreamId } from "../storage/stream_id.ts";

/*
 * How many entries a group has read and has still to read, as far as Redis can tell without
 * counting: it knows how many were ever added, but not where in between some were deleted.
 */

/** An unsigned number as a signed one of the same bits, which is how Redis replies with it. */
export function signedOf(value: number | bigint): Int64 {
  return typeof value === "number" ? value : toInt64(BigInt.asIntN(64, value)) ?? 0;
}

/** Whether an entry at or behind this id was deleted by XDEL while others before it are there. */
export function hasDeletedAfter(stream: StreamOperations, id: StreamId): boolean {
  const { first, maxDeletedId } = stream;
  if (first === undefined || isZeroId(maxDeletedId)) return false;
  if (compareIds(first, maxDeletedId) > 0) return false;
  return compareIds(id, maxDeletedId) <= 0;
}

/** What is asked of a stream here. */
type Counted = Pick<StreamOperations, "first" | "length" | keyof StreamCounters>;

/** How many entries were added up to this id; READ_UNKNOWN where that cannot be told. */
export function readCountAt(stream: Counted, id: StreamId): Int64 {
  const { first, length, lastId, maxDeletedId } = stream;
  const added = signedOf(stream.entriesAdded);
  if (added === 0) return 0;
  const toLast = compareIds(id, lastId);
  if (first === undefined && toLast <= 0) return added;
  if (toLast === 0) return added;
  if (toLast > 0 || first === undefined) return READ_UNKNOWN;
  if (!isZeroId(maxDeletedId) && compareIds(maxDeletedId, first) >= 0) return READ_UNKNOWN;
  const toFirst = compareIds(id, first);
  if (toFirst > 0) return READ_UNKNOWN;
  return difference(added, toFirst < 0 ? length : length - 1);
}

/** How many entries a group has still to read; undefined where that cannot be told. */
export function lagOf(stream: StreamOperations, group: StreamGroup): Int64 | undefined {
  const added = signedOf(stream.entriesAdded);
  if (added === 0) return 0;
  if (group.entriesRead !== READ_UNKNOWN && !hasDeletedAfter(stream, group.lastId)) {
    return difference(added, group.entriesRead);
  }
  const read = readCountAt(stream, group.lastId);
  return read === READ_UNKNOWN ? undefined : difference(added, read);
}

/** In 64 bits. */
function difference(a: Int64, b: Int64): Int64 {
  const negative = typeof b === "number" ? -b : toInt64(-b);
  const sum = negative === undefined ? undefined : addInt64(a, negative);
  return sum ?? signedOf(BigInt(a) - BigInt(b));
}
