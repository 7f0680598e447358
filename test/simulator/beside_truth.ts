import type { NodeStorage } from "../../src/server/node_storage.ts";
import type { EntryChanges } from "../../src/storage/changes_table.ts";
import type { Reference } from "./reference.ts";
import { CHANCE_KEY } from "./workload_commands.ts";

/**
 * The parts of the state that are no keys, the counts of keys, and the changes that the feed
 * offers: what a node has of them as of an entry all have, behind a restart or a snapshot too.
 */
export class BesideTruth {
  /** By index. */
  readonly #texts: string[] = [];
  readonly #changes = new Map<number, string>();
  readonly #violate: (invariant: string, detail: string) => void;

  readonly #reference: Reference;

  constructor(reference: Reference, violate: (invariant: string, detail: string) => void) {
    this.#reference = reference;
    this.#violate = violate;
  }

  /** A node has just applied an entry. */
  applied(id: number, index: number, storage: NodeStorage): void {
    this.#compare(id, index, storage);
    const { beside } = storage;
    const [entry] = beside.changes.read(index - 1);
    if (entry?.index !== index) return this.#compareChanges(id, { index, changes: [] });
    this.#compareChanges(id, entry);
    const text = JSON.stringify(entry.changes);
    const known = this.#changes.get(index);
    if (known === undefined) this.#changes.set(index, text);
    else if (known !== text) this.#violate("the same changes", `node ${id} has others at ${index}`);
  }

  /** A node as it was found at a start, or stands at the end. */
  found(id: number, storage: NodeStorage): void {
    const { beside, ops } = storage;
    const { index } = ops.applied;
    this.#compare(id, index, storage);
    const expected = [...this.#changes.keys()]
      .filter((at) => at > beside.changes.trimmedIndex && at <= index).sort((a, b) => a - b);
    const found: number[] = [];
    for (let after = beside.changes.trimmedIndex;;) {
      const entries = beside.changes.read(after);
      if (entries.length === 0) break;
      for (const { index, changes } of entries) {
        found.push(index);
        if (this.#changes.get(index) === JSON.stringify(changes)) continue;
        this.#violate("the same changes", `node ${id} has others at ${index}`);
      }
      after = entries[entries.length - 1].index;
    }
    if (found.join() === expected.join()) return;
    this.#violate("no change is missing", `node ${id} has those of ${found}, not ${expected}`);
  }

  /** What a node says an entry has changed is what the reference has seen change. */
  #compareChanges(id: number, { index, changes }: Pick<EntryChanges, "index" | "changes">): void {
    const told = new Set(
      changes.map(({ kind, db, key }) => kind === "flush" ? db : `${db}/${key}`),
    );
    const may = this.#reference.changedBy(index);
    for (const key of may) {
      if (told.has(key) || told.has(Number(key[0])) || !this.#reference.differs(key, index)) {
        continue;
      }
      this.#violate("what has changed is told", `node ${id} at ${index}: not ${key}`);
    }
    for (const { kind, db, key } of changes) {
      const isFollowed = db < 2 && key !== CHANCE_KEY && kind !== "flush";
      if (!isFollowed || may.has(`${db}/${key}`)) continue;
      this.#violate("what has changed is told", `node ${id} at ${index}: ${db}/${key} has not`);
    }
  }

  #compare(id: number, index: number, storage: NodeStorage): void {
    const text = textOf(storage);
    const known = this.#texts[index];
    if (known === undefined) this.#texts[index] = text;
    else if (known !== text) {
      this.#violate("the same beside the keys", `node ${id} at ${index}: ${text}, not ${known}`);
    }
  }
}

/** All of the smaller parts; rows in their order, for their numbers mean nothing. */
function textOf({ beside, ops }: NodeStorage): string {
  const { users, scripts, libraries, waiters, idempotency, pieces } = beside;
  return JSON.stringify({
    keys: [0, 1, 2, 3].map((db) => [ops.size(db), ops.sizeWithExpiry(db)]),
    nextExpiryMs: ops.nextExpiryMs(),
    users: [...users.names].sort().map((name) => [name, users.find(name)]),
    scripts: [scripts.size, scripts.bytes, ...scripts.rows.map(([, data]) => data)],
    libraries: libraries.rows.map(([, data]) => data).sort(),
    waiters: waiters.rows.map(([, data]) => data),
    remembered: idempotency.size,
    pieces: [...pieces.nodes].sort((a, b) => a - b),
  });
}
