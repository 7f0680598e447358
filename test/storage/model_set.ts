import type { Bytes } from "../../src/base/bytes.ts";
import type { ElementPage, SetOperations } from "../../src/storage/collections.ts";
import { ModelCollection } from "./model_collection.ts";

/** A set as an array of members. */
export class ModelSet extends ModelCollection implements SetOperations {
  readonly type = "set";
  #members: Bytes[] = [];

  get count(): number {
    return this.#members.length;
  }

  get size(): number {
    return this.#members.length;
  }

  has(member: Bytes): boolean {
    return this.#members.includes(member);
  }

  add(member: Bytes): boolean {
    if (this.has(member)) return false;
    this.#members.push(member);
    this.changed();
    return true;
  }

  remove(member: Bytes): boolean {
    const at = this.#members.indexOf(member);
    if (at < 0) return false;
    this.#members.splice(at, 1);
    this.changed();
    return true;
  }

  members(): Iterable<Bytes> {
    return [...this.#members];
  }

  scan(): ElementPage {
    return { cursor: 0, elements: [...this.#members] };
  }

  random(random: () => number): Bytes {
    return this.#members[Math.floor(random() * this.#members.length)];
  }

  clone(): ModelSet {
    const clone = new ModelSet();
    clone.#members = [...this.#members];
    return clone;
  }
}
