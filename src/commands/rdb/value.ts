import type { Bytes } from "../../base/bytes.ts";
import type { ScoredMember } from "../../storage/collections.ts";
import type { StreamContents } from "../../storage/streams.ts";

/** A field of a hash. */
export interface DumpedField {
  readonly name: Bytes;
  readonly value: Bytes;
  /** Unix time in milliseconds, or NO_EXPIRY. */
  readonly expireAtMs: number;
}

/** A value apart from its key. */
export type DumpedValue =
  | { readonly type: "string"; readonly value: Bytes }
  | { readonly type: "list" | "set"; readonly items: readonly Bytes[] }
  | { readonly type: "zset"; readonly members: readonly ScoredMember[] }
  | { readonly type: "hash"; readonly fields: readonly DumpedField[] }
  | { readonly type: "stream"; readonly contents: StreamContents };

/** Numbers that stand before a value and say what form it has. */
export const RDB_TYPE = {
  string: 0,
  list: 1,
  set: 2,
  zset: 3,
  hash: 4,
  zset2: 5,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  zsetZiplist: 12,
  hashZiplist: 13,
  listQuicklist: 14,
  streamListpacks: 15,
  hashListpack: 16,
  zsetListpack: 17,
  listQuicklist2: 18,
  streamListpacks2: 19,
  setListpack: 20,
  streamListpacks3: 21,
  hashWithExpiries: 24,
} as const;
