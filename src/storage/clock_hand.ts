import type { CachedKey } from "./cached_key.ts";
import type { Keyspace, Ledger } from "./keyspace.ts";

/** A collection that takes more of the cache is left to SQL also while it is in use. */
const SHED_SHARE = 0.25;

/** The hand of the clock that drops records from memory which were not used since it last passed. */
export class ClockHand {
  /** The database whose records it passes. */
  #db = 0;

  /**
   * Passes up to `stepsMax` records and drops the clean, unused ones among them, until no more
   * than `cacheBytes` are held. A bounded effort: when most are dirty, memory exceeds its limit
   * until the next flush.
   */
  evict(
    keyspaces: readonly Keyspace[],
    ledger: Ledger,
    cacheBytes: number,
    wholeElementsMax: number,
    stepsMax: number,
  ): void {
    let keyspacesLeft = keyspaces.length + 1;
    for (let steps = 0; steps < stepsMax && ledger.heldBytes > cacheBytes; steps++) {
      const keyspace = keyspaces[this.#db];
      const record = keyspace.records.advance();
      if (record === undefined) {
        this.#db = (this.#db + 1) % keyspaces.length;
        if (--keyspacesLeft === 0) return;
        continue;
      }
      if (shed(record, cacheBytes, wholeElementsMax)) continue;
      if (record.generation >= ledger.cleanBelow) continue;
      if (record.isKept(ledger.nowS)) continue;
      if (record.usedAtS > 0) record.usedAtS = -record.usedAtS;
      else keyspace.drop(record);
    }
  }
}

/** Leaves the elements of a large collection to SQL, be it dirty or in use; not of all types. */
function shed(record: CachedKey, cacheBytes: number, elementsMax: number): boolean {
  const { collection } = record;
  if (collection === undefined) return false;
  if (record.usedAtS > 0 && collection.bytes < cacheBytes * SHED_SHARE) return false;
  return collection.shed(elementsMax);
}
