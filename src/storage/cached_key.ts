import type { Bytes } from "../base/bytes.ts";
import type { Collection } from "./collection.ts";
import {
  type KeyRecord,
  type KeyType,
  NO_EXPIRY,
  type StringEncoding,
} from "./redis_operations.ts";
import type { StoredDetails } from "./state_tables.ts";

/**
 * Bytes held per key beyond those of name and value: the record, two string headers, the Map's
 * entry, and a tenth for the slack of the heap. Measured as RSS on Bun, see README.md.
 */
export const RECORD_OVERHEAD_BYTES = 320;

/** A collection of this many bytes takes milliseconds to read, so it stays while it is in use … */
const LARGE_BYTES = 1024 * 1024;
/** … which ends so many seconds after the last use. */
const LARGE_IDLE_S = 4;

/** What a key's row has of its collection, as of the record's generation. */
export interface CollectionDetails extends StoredDetails {
  readonly collection: Collection;
  owner: number;
  size: number;
  encoding: Bytes;
  nextExpiryMs: number;
}

/** The details of strings whose encoding their value does not tell. */
const STRING_DETAILS: Readonly<Record<StringEncoding, StoredDetails>> = {
  raw: { encoding: "raw", owner: 0, size: 0, nextExpiryMs: NO_EXPIRY },
  embstr: { encoding: "embstr", owner: 0, size: 0, nextExpiryMs: NO_EXPIRY },
};

export function stringDetails(encoding: StringEncoding | undefined): StoredDetails | undefined {
  return encoding === undefined ? undefined : STRING_DETAILS[encoding];
}

/** The details of a collection as it is now. */
export function detailsOf(collection: Collection): CollectionDetails {
  const { owner, encoding, elementCount, nextExpiryMs } = collection;
  return { collection, owner, encoding, size: elementCount, nextExpiryMs };
}

/**
 * A key in memory. What KeyRecord shows of a string never changes; of a collection it does, until
 * the record is flushed. The rest is the working set's bookkeeping.
 *
 * A record whose `id` is 0 says that the key is absent: a deletion not yet flushed, or a lookup
 * that found nothing.
 */
export class CachedKey implements KeyRecord {
  readonly key: Bytes;
  readonly type: KeyType;
  readonly value: Bytes;
  readonly expireAtMs: number;
  version: number;
  /** Undefined for most strings; CollectionDetails for a collection. */
  readonly details: StoredDetails | undefined;
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
    details: StoredDetails | undefined,
    id: number,
    rowId: number,
    generation: number,
  ) {
    this.key = key;
    this.type = type;
    this.value = value;
    this.expireAtMs = expireAtMs;
    this.version = version;
    this.details = details;
    this.id = id;
    this.rowId = rowId;
    this.generation = generation;
  }

  get encoding(): Bytes | undefined {
    return this.details?.encoding;
  }

  get size(): number {
    return this.details === undefined ? 0 : this.details.size;
  }

  /** When the key or an element of it expires. */
  get dueAtMs(): number {
    const { expireAtMs, details } = this;
    return details === undefined || details.nextExpiryMs > expireAtMs
      ? expireAtMs
      : details.nextExpiryMs;
  }

  get collection(): Collection | undefined {
    return this.details === undefined
      ? undefined
      : (this.details as Partial<CollectionDetails>).collection;
  }

  /**
   * Whether its collection is too large to be dropped and read again while it is in use. What such
   * ones take beyond the cache is bounded by how much can be read in that time.
   */
  isKept(nowS: number): boolean {
    const { collection } = this;
    if (collection === undefined || collection.isSparse) return false;
    if (collection.bytes < LARGE_BYTES) return false;
    return nowS - Math.abs(this.usedAtS) < LARGE_IDLE_S;
  }

  /** Bytes it holds in memory, about, without those of a collection. */
  get bytes(): number {
    return RECORD_OVERHEAD_BYTES + this.key.length + this.value.length;
  }
}
