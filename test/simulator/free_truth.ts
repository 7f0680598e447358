import type { Bytes } from "../../src/base/bytes.ts";
import type { NodeStorage } from "../../src/server/node_storage.ts";
import { FREE_KEYS } from "./workload_free.ts";
import { keyText } from "./key_text.ts";

/** Databases in which anything goes: no reference follows it, the nodes are compared. */
export const FREE_DBS: readonly number[] = [2, 3];

/** What a key was from an entry on; undefined: nobody has looked. */
interface Seen {
  readonly at: number;
  text: string | undefined;
}

/** Under this name stand the keys of all free databases, in their order. */
const ORDER = "order";
const NAMES = FREE_DBS.flatMap((db) => FREE_KEYS.map((key) => `${db}/${key}`));

/**
 * The keys of the free databases. What a node had of one as it applied an entry all have as of that
 * entry, however they came by it, and until the next entry that changes it.
 */
export class FreeTruth {
  readonly #versions = new Map<string, Seen[]>();
  readonly #violate: (invariant: string, detail: string) => void;
  /** Whether a node is looked at that has just applied an entry. */
  isLookedAt: () => boolean = () => true;

  constructor(violate: (invariant: string, detail: string) => void) {
    this.#violate = violate;
  }

  /** A node has just applied an entry. */
  applied(id: number, index: number, storage: NodeStorage): void {
    const [entry] = storage.beside.changes.read(index - 1);
    if (entry?.index !== index) return;
    const names = new Set<string>();
    for (const { kind, db, key } of entry.changes) {
      if (!FREE_DBS.includes(db)) continue;
      names.add(ORDER);
      if (kind !== "flush" && kind !== "swap") names.add(`${db}/${key}`);
      else for (const name of NAMES) names.add(name);
    }
    const isLooked = names.size > 0 && this.isLookedAt();
    for (const name of names) {
      const seen = this.#seenAt(name, index);
      if (isLooked) this.#compare(id, index, storage, name, seen);
    }
  }

  /** A node as it was found at a start, or while it runs, or stands at the end. */
  found(id: number, storage: NodeStorage): void {
    const { index } = storage.ops.applied;
    for (const [name, versions] of this.#versions) {
      const seen = versions.findLast(({ at }) => at <= index);
      if (seen !== undefined) this.#compare(id, index, storage, name, seen);
    }
  }

  #seenAt(name: string, index: number): Seen {
    let versions = this.#versions.get(name);
    if (versions === undefined) this.#versions.set(name, versions = []);
    const last = versions.findLast(({ at }) => at <= index);
    if (last?.at === index) return last;
    const seen = { at: index, text: undefined };
    versions.push(seen);
    return seen;
  }

  #compare(id: number, index: number, { ops }: NodeStorage, name: string, seen: Seen): void {
    const text = name === ORDER
      ? FREE_DBS.map((db) => [...ops.keys(db)].join()).join(" ")
      : keyText(ops, Number(name[0]), name.slice(2) as Bytes);
    seen.text ??= text;
    if (seen.text === text) return;
    const detail = `node ${id} at ${index} has another ${name} than there was at ${seen.at}: ` +
      `${text.slice(0, 300)}, not ${seen.text.slice(0, 300)}`;
    this.#violate("the same in the free databases", detail);
  }
}
