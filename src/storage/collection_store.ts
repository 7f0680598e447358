import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { detailsOf } from "./cached_key.ts";
import { isAside, type TouchKind } from "./change_recorder.ts";
import type { Collection, CollectionChange, CollectionHost } from "./collection.ts";
import type { CollectionType } from "./collections.ts";
import type { ElementTables } from "./element_tables.ts";
import type { Keyspace } from "./keyspace.ts";
import { makeCollection } from "./make_collection.ts";
import { NO_EXPIRY } from "./redis_operations.ts";
import type { FrozenElements } from "./state_flusher.ts";

export interface CollectionStoreOptions {
  readonly elements: ElementTables;
  readonly keyspaces: () => readonly Keyspace[];
  /** Larger collections are not read into memory to be used, where they can do without. */
  readonly wholeElementsMax: number;
  /** A number greater than all before. */
  readonly nextVersion: () => number;
  /** Called at each change of a key. */
  readonly changed: (kind: TouchKind, db: number, key: Bytes) => void;
}

/** The collections of the working set: which have changed, and what that does to their keys. */
export class CollectionStore implements CollectionHost {
  readonly elements: ElementTables;
  readonly #options: CollectionStoreOptions;
  /** Those with changed elements since the last freeze. */
  #changed: Collection[] = [];

  constructor(options: CollectionStoreOptions) {
    this.#options = options;
    this.elements = options.elements;
  }

  /** An empty collection without a key. */
  make(type: CollectionType): Collection {
    return makeCollection(this, type);
  }

  /** The collection of a key, to be changed; one without elements when there is no such key. */
  edit(db: number, key: Bytes, type: CollectionType): Collection {
    const record = this.#options.keyspaces()[db].find(key);
    if (record !== undefined) {
      assert(record.collection?.type === type, "a key to edit has that type");
      return this.load(record.collection);
    }
    const collection = this.make(type);
    collection.place = { db, key };
    return collection;
  }

  /** Has a collection ready to be used. */
  load(collection: Collection): Collection {
    collection.prepare(this.#options.wholeElementsMax);
    return collection;
  }

  changed(collection: Collection, change: CollectionChange): void {
    const { heldBytes, writtenBytes, rows, kind } = change;
    const { changed, keyspaces, nextVersion } = this.#options;
    if (!collection.isListed) {
      collection.isListed = true;
      this.#changed.push(collection);
    }
    const { keyspace, record } = collection;
    if (record === undefined || keyspace === undefined) {
      assert(collection.place !== undefined, "a new collection has a place");
      const { db, key } = collection.place;
      changed("set", db, key);
      collection.owner = nextVersion();
      const target = keyspaces()[db];
      target.put(key, collection.type, "", NO_EXPIRY, nextVersion(), detailsOf(collection));
      return target.changeElements(rows, writtenBytes);
    }
    keyspace.hold(heldBytes);
    keyspace.changeElements(rows, writtenBytes);
    const db = keyspaces().indexOf(keyspace);
    const { key } = record;
    if (!collection.isGone) {
      changed(kind, db, key);
      return keyspace.touch(record, isAside(kind) ? record.version : nextVersion());
    }
    changed("del", db, key);
    collection.place = { db, key };
    keyspace.remove(key);
  }

  /** Hands out what has changed; collections whose key is gone have nothing left. */
  freeze(): FrozenElements[] {
    const frozen: FrozenElements[] = [];
    for (const collection of this.#changed) {
      const taken = collection.takeChanges();
      if (collection.keyspace === undefined || collection.keyspace.isDead) {
        collection.settled();
        continue;
      }
      collection.hasRows = true;
      const settled = () => collection.settled();
      frozen.push({ type: collection.type, owner: collection.owner, settled, ...taken });
    }
    this.#changed = [];
    return frozen;
  }
}
