import type { Bytes } from "../../src/base/bytes.ts";
import type { ElementPage, HashField, HashOperations } from "../../src/storage/collections.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import { ModelCollection } from "./model_collection.ts";

interface Row extends HashField {
  readonly name: Bytes;
}

/** A hash as an array of fields. */
export class ModelHash extends ModelCollection implements HashOperations {
  readonly type = "hash";
  #rows: Row[] = [];

  get count(): number {
    return this.#rows.length;
  }

  get size(): number {
    return this.#rows.length;
  }

  override get nextExpiryMs(): number {
    return Math.min(NO_EXPIRY, ...this.#rows.map(({ expireAtMs }) => expireAtMs));
  }

  get(name: Bytes): HashField | undefined {
    return this.#rows.find((row) => row.name === name);
  }

  set(name: Bytes, value: Bytes, expireAtMs: number): boolean {
    const at = this.#rows.findIndex((row) => row.name === name);
    if (at < 0) this.#rows.push({ name, value, expireAtMs });
    else this.#rows[at] = { name, value, expireAtMs };
    this.changed();
    return at < 0;
  }

  remove(name: Bytes): boolean {
    const at = this.#rows.findIndex((row) => row.name === name);
    if (at < 0) return false;
    this.#rows.splice(at, 1);
    this.changed();
    return true;
  }

  entries(): Iterable<readonly [Bytes, HashField]> {
    return this.#rows.map((row) => [row.name, row]);
  }

  scan(): ElementPage {
    return { cursor: 0, elements: this.#rows.map(({ name }) => name) };
  }

  random(random: () => number): Bytes {
    return this.#rows[Math.floor(random() * this.#rows.length)].name;
  }

  expired(timeMs: number, limit: number): readonly Bytes[] {
    const order = this.#rows.filter(({ expireAtMs }) => expireAtMs <= timeMs);
    order.sort((a, b) => a.expireAtMs - b.expireAtMs);
    return order.slice(0, limit).map(({ name }) => name);
  }

  clone(): ModelHash {
    const clone = new ModelHash();
    clone.#rows = [...this.#rows];
    return clone;
  }
}
