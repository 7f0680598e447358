import type { Bytes } from "../../src/base/bytes.ts";

/** The name of a command in the log. */
export interface Origin {
  readonly node: number;
  readonly incarnation: number;
  readonly sequence: number;
}

interface Waiter extends Origin {
  readonly place: number;
  readonly key: Bytes;
}

/** Those that wait for an element of a list, of one key each, in their order. */
export class ReferenceWaiters {
  #waiters: Waiter[] = [];
  #last = 0;

  add(origin: Origin, key: Bytes): void {
    this.#waiters.push({ ...origin, key, place: ++this.#last });
  }

  /** Takes out the first that waits for a key; false when there is none. */
  take(key: Bytes): boolean {
    const at = this.#waiters.findIndex((waiter) => waiter.key === key);
    if (at >= 0) this.#waiters.splice(at, 1);
    return at >= 0;
  }

  /** Runs a command about those that wait; false when this is none. */
  run({ node, incarnation, sequence }: Origin, db: number, argv: readonly Bytes[]): boolean {
    const [name, ...words] = argv;
    if (name === "\0cancel") {
      this.#keep((each) =>
        each.node !== node || each.incarnation !== incarnation || each.sequence !== Number(words[0])
      );
    } else if (name === "\0drop") {
      for (let i = 0; i < words.length; i += 2) {
        const [dropped, before] = [Number(words[i]), Number(words[i + 1])];
        this.#keep((each) => each.node !== dropped || each.incarnation >= before);
      }
    } else if (name === "\0rewait") {
      const place = Number(words[0]);
      const key = `${db}/${words[3]}`;
      this.#waiters.push({ node, incarnation, sequence, key, place });
      this.#waiters.sort((a, b) => a.place - b.place);
    } else return false;
    return true;
  }

  #keep(isKept: (waiter: Waiter) => boolean): void {
    this.#waiters = this.#waiters.filter(isKept);
  }
}
