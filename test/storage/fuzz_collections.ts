import type { Prng } from "../../src/base/prng.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Collections, CollectionType } from "../../src/storage/collections.ts";
import type { RedisOperations } from "../../src/storage/redis_operations.ts";
import { HASH_FUZZ } from "./fuzz_hash.ts";
import { LIST_FUZZ } from "./fuzz_list.ts";
import { SET_FUZZ } from "./fuzz_set.ts";
import { SORTED_SET_FUZZ } from "./fuzz_sorted_set.ts";
import { STREAM_FUZZ } from "./fuzz_stream.ts";

/** Where random steps get their arguments. */
export interface FuzzValues {
  readonly prng: Prng;
  /** One of a few short names. */
  name(): Bytes;
  value(): Bytes;
  /** A time, or NO_EXPIRY. */
  expiry(): number;
}

/** How a type of collection is fuzzed. */
export interface CollectionFuzz<C, S> {
  /** A random change. */
  make(values: FuzzValues): S;
  /** Carries it out; the result is compared. The collection may be empty before and after. */
  run(collection: C, step: S): unknown;
  /** All there is to see of it, to be compared as JSON. */
  dump(collection: C): unknown;
  /** Questions whose answers need not be equal, or agree in a way that it checks itself. */
  probe(collection: C, values: FuzzValues): void;
}

const FUZZ: { readonly [T in CollectionType]?: CollectionFuzz<Collections[T], unknown> } = {
  hash: HASH_FUZZ as CollectionFuzz<Collections["hash"], unknown>,
  list: LIST_FUZZ as CollectionFuzz<Collections["list"], unknown>,
  set: SET_FUZZ as CollectionFuzz<Collections["set"], unknown>,
  zset: SORTED_SET_FUZZ as CollectionFuzz<Collections["zset"], unknown>,
  stream: STREAM_FUZZ as CollectionFuzz<Collections["stream"], unknown>,
};

/** The types that are fuzzed. */
export const FUZZED_TYPES = Object.keys(FUZZ) as CollectionType[];

function of(type: CollectionType): CollectionFuzz<unknown, unknown> {
  return FUZZ[type] as CollectionFuzz<unknown, unknown>;
}

export function makeSteps(type: CollectionType, values: FuzzValues): unknown[] {
  return Array.from({ length: 1 + values.prng.below(8) }, () => of(type).make(values));
}

/** Changes the collection at a key, unless it holds another type. */
export function runSteps(
  ops: RedisOperations,
  db: number,
  key: Bytes,
  type: CollectionType,
  steps: readonly unknown[],
): unknown {
  const found = ops.find(db, key);
  if (found !== undefined && found.type !== type) return "wrong type";
  const collection = ops.edit(db, key, type);
  return steps.map((step) => of(type).run(collection, step));
}

/** What is in the collection at a key. */
export function dumpCollection(ops: RedisOperations, db: number, key: Bytes): unknown {
  const type = ops.find(db, key)?.type;
  if (type === undefined || type === "string") return undefined;
  return of(type as CollectionType).dump(ops.collection(db, key, type as CollectionType));
}

export function probeCollection(
  ops: RedisOperations,
  db: number,
  key: Bytes,
  values: FuzzValues,
): void {
  const type = ops.find(db, key)?.type;
  if (type === undefined || type === "string") return;
  of(type as CollectionType).probe(ops.collection(db, key, type as CollectionType), values);
}

/** A page of HSCAN, SSCAN or ZSCAN, as JSON: the same whatever is in memory. */
export function pageOfCollection(
  ops: RedisOperations,
  db: number,
  key: Bytes,
  cursor: number,
  count: number,
): string {
  const type = ops.find(db, key)?.type;
  if (type !== "hash" && type !== "set" && type !== "zset") return "none";
  return JSON.stringify(ops.collection(db, key, type)?.scan(cursor, count));
}
