import type { CachedKey } from "./cached_key.ts";

const RECORDS_PER_BUCKET = 256;
/** A larger bucket is left as it is: sorting it would take too long at once. */
const BUCKET_SORT_MAX = 8192;

/**
 * Sorts records by row, in steps: neighbours in the table are then written together, which saves
 * most of the page reads and writes when the changed keys are scattered. Only about sorted where
 * the ids are very unevenly spread.
 */
export class WriteOrder {
  readonly #records: readonly CachedKey[];
  readonly #buckets: CachedKey[][];
  readonly #min: number;
  readonly #scale: number;
  readonly #sorted: CachedKey[] = [];
  #distributed = 0;
  #taken = 0;

  constructor(records: readonly CachedKey[]) {
    let min = Infinity;
    let max = 0;
    for (const record of records) {
      const id = rowOf(record);
      if (id < min) min = id;
      if (id > max) max = id;
    }
    const buckets = Math.ceil(records.length / RECORDS_PER_BUCKET);
    this.#records = records;
    this.#buckets = Array.from({ length: buckets }, () => []);
    this.#min = min;
    this.#scale = buckets / (max - min + 1);
  }

  /** Does a part of the work, about 0.1 ms; returns the records in order when it is done. */
  step(): CachedKey[] | undefined {
    if (this.#distributed < this.#records.length) {
      const end = Math.min(this.#records.length, this.#distributed + 4 * RECORDS_PER_BUCKET);
      for (; this.#distributed < end; this.#distributed++) {
        const record = this.#records[this.#distributed];
        this.#buckets[Math.floor((rowOf(record) - this.#min) * this.#scale)].push(record);
      }
      return undefined;
    }
    if (this.#taken === this.#buckets.length) return this.#sorted;
    const bucket = this.#buckets[this.#taken];
    this.#buckets[this.#taken++] = [];
    if (bucket.length <= BUCKET_SORT_MAX) bucket.sort((a, b) => rowOf(a) - rowOf(b));
    for (const record of bucket) this.#sorted.push(record);
    return undefined;
  }
}

/** The id of the row that writing the record touches; 0 for none. */
function rowOf(record: CachedKey): number {
  return record.id === 0 ? record.rowId : record.id;
}
