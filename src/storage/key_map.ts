import type { Bytes } from "../base/bytes.ts";
import type { CachedKey } from "./cached_key.ts";

/** Entries at which one Map becomes many: that many are spread in a few milliseconds. */
const ENTRIES_MAX = 8_192;
const SHARDS = 256;
const SAMPLES = 8;

/**
 * A Map from name to record that never rehashes all of its entries at once: a Map of a million
 * stops the loop for 80 ms when it grows, 256 small ones for less than one each.
 */
export class KeyMap {
  #shards: Map<Bytes, CachedKey>[] = [new Map()];
  /** Where the clock hand stands: in which shard, and in it. */
  #handShard = 0;
  #hand: Iterator<CachedKey> | undefined;

  get(key: Bytes): CachedKey | undefined {
    const shards = this.#shards;
    return shards[shards.length === 1 ? 0 : shardOf(key)].get(key);
  }

  set(key: Bytes, record: CachedKey): void {
    const shards = this.#shards;
    if (shards.length === 1) {
      shards[0].set(key, record);
      if (shards[0].size > ENTRIES_MAX) this.#split(shards[0]);
    } else {
      shards[shardOf(key)].set(key, record);
    }
  }

  delete(key: Bytes): void {
    const shards = this.#shards;
    shards[shards.length === 1 ? 0 : shardOf(key)].delete(key);
  }

  /** The next record of an endless round over all; undefined once a round, at its end. */
  advance(): CachedKey | undefined {
    for (;;) {
      this.#hand ??= this.#shards[this.#handShard].values();
      const next = this.#hand.next();
      if (!next.done) return next.value;
      this.#hand = undefined;
      this.#handShard = (this.#handShard + 1) % this.#shards.length;
      if (this.#handShard === 0) return undefined;
    }
  }

  #split(whole: Map<Bytes, CachedKey>): void {
    this.#shards = Array.from({ length: SHARDS }, () => new Map());
    this.#hand = undefined;
    for (const [key, record] of whole) this.#shards[shardOf(key)].set(key, record);
  }
}

/** From a few bytes of the name: an uneven spread only makes some shards larger. */
function shardOf(key: Bytes): number {
  const step = (key.length + SAMPLES - 1) >> 3;
  let hash = key.length;
  for (let at = key.length - 1; at >= 0; at -= step) {
    hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
  }
  return (hash ^ (hash >>> 8)) & (SHARDS - 1);
}
