import type { CollectionType } from "../../src/storage/collections.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";

/** A collection in plain arrays: slow, and right at a glance. Calls `changed` after each change. */
export abstract class ModelCollection {
  abstract readonly type: CollectionType;
  abstract readonly count: number;
  get nextExpiryMs(): number {
    return NO_EXPIRY;
  }
  get isGone(): boolean {
    return this.count === 0;
  }
  changed: () => void = () => {};

  /** Another one with the same elements. */
  abstract clone(): ModelCollection;
}
