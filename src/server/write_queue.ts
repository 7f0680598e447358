import { BATCH_BYTES_MAX } from "../constants.ts";
import { commandBytes } from "./batch.ts";
import type { Pending } from "./session.ts";

/** Commands of clients that wait for a place in the log, in the order they came. */
export class WriteQueue {
  #pendings: Pending[] = [];
  #sizes: number[] = [];

  get length(): number {
    return this.#pendings.length;
  }

  /** Adds a command; returns the bytes it will take in an entry. */
  push(pending: Pending): number {
    const bytes = commandBytes(pending.argv);
    this.#pendings.push(pending);
    this.#sizes.push(bytes);
    return bytes;
  }

  /** The next commands for one entry: as many as BATCH_BYTES_MAX takes, at least one. */
  takeBatch(): Pending[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#sizes.length) {
      bytes += this.#sizes[count];
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count++;
    }
    if (count === this.#pendings.length) {
      const all = this.#pendings;
      this.#pendings = [];
      this.#sizes = [];
      return all;
    }
    this.#sizes.splice(0, count);
    return this.#pendings.splice(0, count);
  }

  /** Takes everything out. */
  takeAll(): Pending[] {
    const all = this.#pendings;
    this.#pendings = [];
    this.#sizes = [];
    return all;
  }
}
