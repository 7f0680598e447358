import type { Bytes } from "../base/bytes.ts";
import type { CachedKey } from "./cached_key.ts";

const SLOTS_MIN = 64;

/**
 * A hash table with open addressing: a record stands at the slot of its hash, or at the next free
 * one behind. Hashes are never 0, which marks a free slot, and always odd.
 */
export class HashShard {
  #mask = SLOTS_MIN - 1;
  #size = 0;
  #hashes = new Int32Array(SLOTS_MIN);
  #records: (CachedKey | undefined)[] = new Array(SLOTS_MIN).fill(undefined);

  get(key: Bytes, hash: number): CachedKey | undefined {
    const slot = this.#slotOf(key, hash);
    return this.#hashes[slot] === 0 ? undefined : this.#records[slot];
  }

  /** What probably is the record of this hash: without a look at its name. */
  near(hash: number): CachedKey | undefined {
    const mask = this.#mask;
    const hashes = this.#hashes;
    let slot = (hash >>> 1) & mask;
    while (hashes[slot] !== hash && hashes[slot] !== 0) slot = (slot + 1) & mask;
    return this.#records[slot];
  }

  set(key: Bytes, hash: number, record: CachedKey): void {
    const slot = this.#slotOf(key, hash);
    this.#records[slot] = record;
    if (this.#hashes[slot] !== 0) return;
    this.#hashes[slot] = hash;
    this.#size += 1;
    if (this.#size * 4 > this.#mask * 3) this.#resize((this.#mask + 1) * 2);
  }

  delete(key: Bytes, hash: number): void {
    let free = this.#slotOf(key, hash);
    if (this.#hashes[free] === 0) return;
    this.#size -= 1;
    const mask = this.#mask;
    const hashes = this.#hashes;
    // Those behind it move up, unless that would put one before its own slot.
    for (let slot = (free + 1) & mask; hashes[slot] !== 0; slot = (slot + 1) & mask) {
      const distance = (slot - (hashes[slot] >>> 1)) & mask;
      if (distance < ((slot - free) & mask)) continue;
      hashes[free] = hashes[slot];
      this.#records[free] = this.#records[slot];
      free = slot;
    }
    hashes[free] = 0;
    this.#records[free] = undefined;
    const slots = mask + 1;
    if (slots > SLOTS_MIN && this.#size * 8 < slots) this.#resize(slots / 2);
  }

  /** The first slot from `slot` on that is in use; -1 when there is none. */
  nextUsed(slot: number): number {
    for (; slot <= this.#mask; slot++) if (this.#hashes[slot] !== 0) return slot;
    return -1;
  }

  at(slot: number): CachedKey | undefined {
    return this.#records[slot];
  }

  /** Where the key is, or the free slot where it would be. */
  #slotOf(key: Bytes, hash: number): number {
    const mask = this.#mask;
    const hashes = this.#hashes;
    let slot = (hash >>> 1) & mask;
    for (;;) {
      const found = hashes[slot];
      if (found === 0 || (found === hash && this.#records[slot]!.key === key)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #resize(slots: number): void {
    const hashes = this.#hashes;
    const records = this.#records;
    const mask = slots - 1;
    this.#mask = mask;
    this.#hashes = new Int32Array(slots);
    this.#records = new Array(slots).fill(undefined);
    for (let from = 0; from < hashes.length; from++) {
      if (hashes[from] === 0) continue;
      let slot = (hashes[from] >>> 1) & mask;
      while (this.#hashes[slot] !== 0) slot = (slot + 1) & mask;
      this.#hashes[slot] = hashes[from];
      this.#records[slot] = records[from];
    }
  }
}
