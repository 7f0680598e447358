import type { Bytes } from "../../src/base/bytes.ts";
import type { ListEnd, ListOperations } from "../../src/storage/collections.ts";
import { ModelCollection } from "./model_collection.ts";

/** A list as an array. */
export class ModelList extends ModelCollection implements ListOperations {
  readonly type = "list";
  #values: Bytes[] = [];

  get count(): number {
    return this.#values.length;
  }

  get length(): number {
    return this.#values.length;
  }

  at(index: number): Bytes {
    return this.#values[index];
  }

  replace(index: number, value: Bytes): void {
    this.#values[index] = value;
    this.changed();
  }

  push(end: ListEnd, value: Bytes): void {
    if (end === "head") this.#values.unshift(value);
    else this.#values.push(value);
    this.changed();
  }

  pop(end: ListEnd): Bytes {
    const value = end === "head" ? this.#values.shift() : this.#values.pop();
    this.changed();
    return value as Bytes;
  }

  insert(index: number, value: Bytes): void {
    this.#values.splice(index, 0, value);
    this.changed();
  }

  removeEqual(value: Bytes, limit: number, reverse: boolean): number {
    let removed = 0;
    for (; removed < limit; removed++) {
      const at = reverse ? this.#values.lastIndexOf(value) : this.#values.indexOf(value);
      if (at < 0) break;
      this.#values.splice(at, 1);
    }
    if (removed > 0) this.changed();
    return removed;
  }

  range(start: number, stop: number): Bytes[] {
    return this.#values.slice(start, stop + 1);
  }

  values(start: number, reverse = false): Iterable<Bytes> {
    return reverse ? this.#values.slice(0, start + 1).reverse() : this.#values.slice(start);
  }

  clone(): ModelList {
    const clone = new ModelList();
    clone.#values = [...this.#values];
    return clone;
  }
}
