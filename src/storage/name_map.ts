import type { Bytes } from "../base/bytes.ts";

/** Beyond so many names there are several Maps: one of a million stops the loop as it grows. */
const SINGLE_MAX = 8192;
const SHARDS = 128;
/** Characters of a name, from either end, that tell its shard. */
const LOOKED_AT = 8;

/** A Map from names, of which no change takes long however many there are. */
export class NameMap<T> {
  #maps: Map<Bytes, T>[] = [new Map()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(name: Bytes): T | undefined {
    return this.#mapOf(name).get(name);
  }

  /** Adds a name that is not there. */
  add(name: Bytes, value: T): void {
    this.#mapOf(name).set(name, value);
    this.#size += 1;
    if (this.#size === SINGLE_MAX && this.#maps.length === 1) this.#split();
  }

  delete(name: Bytes): void {
    if (this.#mapOf(name).delete(name)) this.#size -= 1;
  }

  #mapOf(name: Bytes): Map<Bytes, T> {
    return this.#maps.length === 1 ? this.#maps[0] : this.#maps[shardOf(name)];
  }

  #split(): void {
    const [all] = this.#maps;
    this.#maps = Array.from({ length: SHARDS }, () => new Map());
    for (const [name, value] of all) this.#mapOf(name).set(name, value);
  }
}

function shardOf(name: Bytes): number {
  const { length } = name;
  let hash = length;
  for (let at = 0; at < length && at < LOOKED_AT; at++) {
    hash = Math.imul(hash, 31) + name.charCodeAt(at);
  }
  for (let at = Math.max(LOOKED_AT, length - LOOKED_AT); at < length; at++) {
    hash = Math.imul(hash, 31) + name.charCodeAt(at);
  }
  return (Math.imul(hash, 0x9e3779b1) >>> 16) % SHARDS;
}
