import { crc32 } from "node:zlib";
import type { Bytes } from "../base/bytes.ts";
import type { CachedKey } from "./cached_key.ts";
import { HashShard } from "./hash_shard.ts";
import { PREFETCH_MAX } from "./redis_operations.ts";

/** Entries at which one Map becomes many tables: they are spread in a few milliseconds. */
const ENTRIES_MAX = 8_192;
const SHARDS = 256;
/** Above it the native checksum is faster. */
const LONG_NAME = 128;

/**
 * A map from name to record. Up to some thousands it is a Map. Beyond, lookups wait for main memory
 * and one table would stop the loop when it grows (a Map of a million for 80 ms): it is 256 hash
 * tables then, and `prefetch` has the memory of many lookups fetched at the same time.
 */
export class KeyMap {
  readonly #seed: number;
  #small: Map<Bytes, CachedKey> | undefined = new Map();
  #shards: HashShard[] = [];
  /** Where the clock hand stands: in which shard and where in it, or in the Map. */
  #handShard = 0;
  #handSlot = 0;
  #hand: Iterator<CachedKey> | undefined;
  /** Of the names looked ahead for; `#found` are records that may be theirs. */
  readonly #hashes = new Int32Array(PREFETCH_MAX);
  readonly #found: (CachedKey | undefined)[] = new Array(PREFETCH_MAX).fill(undefined);

  /** `seed`: any 32 bits, unknown to clients, so that they cannot choose names that collide. */
  constructor(seed = 0) {
    this.#seed = seed;
  }

  get(key: Bytes): CachedKey | undefined {
    if (this.#small !== undefined) return this.#small.get(key);
    const hash = hashOf(key, this.#seed);
    return this.#shards[hash >>> 24].get(key, hash);
  }

  set(key: Bytes, record: CachedKey): void {
    if (this.#small === undefined) {
      const hash = hashOf(key, this.#seed);
      this.#shards[hash >>> 24].set(key, hash, record);
    } else {
      this.#small.set(key, record);
      if (this.#small.size > ENTRIES_MAX) this.#split(this.#small);
    }
  }

  delete(key: Bytes): void {
    if (this.#small !== undefined) {
      this.#small.delete(key);
    } else {
      const hash = hashOf(key, this.#seed);
      this.#shards[hash >>> 24].delete(key, hash);
    }
  }

  /**
   * Has the memory fetched that lookups of the first `count` names (PREFETCH_MAX at most) will
   * touch. Each pass is a loop of loads that do not depend on one another, so the processor waits
   * for many of them at once; a lookup alone waits for each of its own in turn.
   */
  prefetch(keys: readonly Bytes[], count: number): void {
    if (this.#small !== undefined) return;
    const hashes = this.#hashes;
    const found = this.#found;
    const shards = this.#shards;
    for (let i = 0; i < count; i++) hashes[i] = hashOf(keys[i], this.#seed);
    for (let i = 0; i < count; i++) found[i] = shards[hashes[i] >>> 24].near(hashes[i]);
    let touched = 0;
    for (let i = 0; i < count; i++) touched += found[i]?.id ?? 0;
    for (let i = 0; i < count; i++) {
      const record = found[i];
      if (record !== undefined) touched += record.key.length + record.value.length;
    }
    for (let i = 0; i < count; i++) {
      const record = found[i];
      if (record !== undefined && record.value !== "") touched += record.value.charCodeAt(0);
      found[i] = undefined;
    }
    this.touched = touched;
  }

  /** What `prefetch` read comes to: kept, so that no compiler leaves the reading out. */
  touched = 0;

  /** The next record of an endless round over all; undefined once a round, at its end. */
  advance(): CachedKey | undefined {
    if (this.#small !== undefined) return this.#advanceSmall(this.#small);
    for (;;) {
      const shard = this.#shards[this.#handShard];
      const slot = shard.nextUsed(this.#handSlot);
      this.#handSlot = slot + 1;
      if (slot >= 0) return shard.at(slot);
      this.#handSlot = 0;
      this.#handShard = (this.#handShard + 1) % SHARDS;
      if (this.#handShard === 0) return undefined;
    }
  }

  #advanceSmall(small: Map<Bytes, CachedKey>): CachedKey | undefined {
    this.#hand ??= small.values();
    const next = this.#hand.next();
    if (!next.done) return next.value;
    this.#hand = undefined;
    return undefined;
  }

  #split(small: Map<Bytes, CachedKey>): void {
    this.#shards = Array.from({ length: SHARDS }, () => new HashShard());
    this.#small = this.#hand = undefined;
    for (const [key, record] of small) this.set(key, record);
  }
}

/** A hash of a name, 32 bits and never 0: FNV-1a, or for a long one CRC-32, mixed once more. */
function hashOf(key: Bytes, seed: number): number {
  let hash = seed ^ key.length;
  if (key.length > LONG_NAME) {
    hash = crc32(key, hash >>> 0);
  } else {
    for (let at = 0; at < key.length; at++) {
      hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    }
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 12)) | 1;
}
