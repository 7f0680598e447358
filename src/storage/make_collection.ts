import { CachedHash } from "./cached_hash.ts";
import { CachedList } from "./cached_list.ts";
import { CachedSet } from "./cached_set.ts";
import { CachedSortedSet } from "./cached_sorted_set.ts";
import { CachedStream } from "./cached_stream.ts";
import type { Collection, CollectionHost } from "./collection.ts";
import type { CollectionType } from "./collections.ts";

/** An empty collection of a type. */
export function makeCollection(host: CollectionHost, type: CollectionType): Collection {
  switch (type) {
    case "hash":
      return new CachedHash(host);
    case "list":
      return new CachedList(host);
    case "set":
      return new CachedSet(host);
    case "zset":
      return new CachedSortedSet(host);
    case "stream":
      return new CachedStream(host);
  }
}
