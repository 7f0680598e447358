import { assert } from "../base/assert.ts";
import { CachedHash } from "./cached_hash.ts";
import type { Collection, CollectionHost } from "./collection.ts";
import type { CollectionType } from "./collections.ts";

/** An empty collection of a type. */
export function makeCollection(host: CollectionHost, type: CollectionType): Collection {
  assert(type === "hash", "a type of collection that is offered");
  return new CachedHash(host);
}
