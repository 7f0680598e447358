import type { Bytes } from "../base/bytes.ts";
import type { KeyRecord, KeyType } from "./redis_operations.ts";

/**
 * Bytes held per key beyond those of name and value: the record, two string headers, the Map's
 * entry, and a tenth for the slack of the heap. Measured as RSS on Bun, see README.md.
 */
export const RECORD_OVERHEAD_BYTES = 320;

/**
 * A key in memory. What KeyRecord shows never changes; the rest is the working set's bookkeeping.
 *
 * A record whose `id` is 0 says that the key is absent: a deletion not yet flushed, or a lookup
 * that found nothing.
 */
export class CachedKey implements KeyRecord {
  readonly key: Bytes;
  readonly type: KeyType;
  readonly value: Bytes;
  readonly expireAtMs: number;
  readonly version: number;
  /** Counts the keys created in the slot; 0 when the key is absent. */
  readonly id: number;
  /** Id of the row that SQL has for this name, as of the last completed flush; 0 for none. */
  rowId: number;
  /** The generation of changes it belongs to; 0 when it was read from SQL. */
  readonly generation: number;
  /** Where it stands in the dirty list of its generation. */
  dirtyIndex = 0;
  /** Where it stands in an ExpiryHeap; -1 when in none. */
  heapIndex = -1;
  /** When it was last used, by Ledger's clock; negative once the clock hand has passed since. */
  usedAtS = 1;
  /** A newer record took its place while it was being flushed. */
  superseded = false;

  constructor(
    key: Bytes,
    type: KeyType,
    value: Bytes,
    expireAtMs: number,
    version: number,
    id: number,
    rowId: number,
    generation: number,
  ) {
    this.key = key;
    this.type = type;
    this.value = value;
    this.expireAtMs = expireAtMs;
    this.version = version;
    this.id = id;
    this.rowId = rowId;
    this.generation = generation;
  }

  /** Bytes it holds in memory, about. */
  get bytes(): number {
    return RECORD_OVERHEAD_BYTES + this.key.length + this.value.length;
  }
}
