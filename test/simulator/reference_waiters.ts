import type { Bytes } from "../../src/base/bytes.ts";

/** The name of a command in the log. */
export interface Origin {
  readonly node: number;
  readonly incarnation: number;
  readonly sequence: number;
}

/** One that waits, and the name of its wait. */
export interface Waiter extends Origin {
  readonly place: number;
  readonly keys: readonly Bytes[];
  readonly name: string;
}

/** Those that wait for an element of a list, in their order. */
export class ReferenceWaiters {
  #waiters: Waiter[] = [];
  #last = 0;
  /** By the name in the log under which it waited: the place that a wait keeps. */
  readonly #places = new Map<string, number>();

  get all(): readonly Waiter[] {
    return this.#waiters;
  }

  add(origin: Origin, db: number, argv: readonly Bytes[]): void {
    const keys = argv.slice(1, -1).map((key) => `${db}/${key}`);
    this.#waiters.push({ ...origin, keys, name: waitName(argv), place: ++this.#last });
    this.#places.set(nameInLog(origin), this.#last);
  }

  /** Takes out the first that waits for a key, and names it; undefined when there is none. */
  take(key: Bytes): string | undefined {
    const at = this.#waiters.findIndex((waiter) => waiter.keys.includes(key));
    return at < 0 ? undefined : this.#waiters.splice(at, 1)[0].name;
  }

  /** Runs a command about those that wait; false when this is none. */
  run({ node, incarnation, sequence }: Origin, db: number, argv: readonly Bytes[]): boolean {
    const [name, ...words] = argv;
    if (name === "\0cancel") {
      this.#keep((each) =>
        each.node !== node || each.incarnation !== incarnation || each.sequence !== Number(words[0])
      );
    } else if (name === "\0drop") {
      const runs = new Map<string, string>();
      for (let i = 0; i < words.length; i += 2) runs.set(words[i], words[i + 1]);
      // "0" names all others.
      const before = (node: number) => Number(runs.get(String(node)) ?? runs.get("0") ?? 0);
      this.#keep((each) => each.incarnation >= before(each.node));
    } else if (name === "\0rewait") {
      const before = nameInLog({ node, incarnation, sequence: Number(words[1]) });
      const place = this.#places.get(before) ?? Infinity;
      this.#places.set(nameInLog({ node, incarnation, sequence }), place);
      const end = 3 + Number(words[2]);
      const keys = words.slice(3, end).map((key) => `${db}/${key}`);
      const waiter = { node, incarnation, sequence, keys, name: waitName(words.slice(end)), place };
      this.#waiters.push(waiter);
      this.#waiters.sort((a, b) => a.place - b.place);
    } else return false;
    return true;
  }

  #keep(isKept: (waiter: Waiter) => boolean): void {
    this.#waiters = this.#waiters.filter(isKept);
  }
}

function nameInLog({ node, incarnation, sequence }: Origin): string {
  return `${node}/${incarnation}/${sequence}`;
}

/** The time for which it waits names a command. */
export function waitName(argv: readonly Bytes[]): string {
  return `wait ${argv[argv.length - 1]}`;
}
