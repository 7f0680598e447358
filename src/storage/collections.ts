import type { Bytes } from "../base/bytes.ts";
import type { ElementTableName } from "./element_tables.ts";
import type { KeyType } from "./redis_operations.ts";
import type { StreamOperations } from "./streams.ts";

/** A field of a hash. */
export interface HashField {
  readonly value: Bytes;
  /** Unix time in milliseconds, or NO_EXPIRY. */
  readonly expireAtMs: number;
}

/** One page of HSCAN, SSCAN or ZSCAN. */
export interface ElementPage {
  /** Where the next page starts; 0 when the iteration is complete. */
  readonly cursor: number;
  readonly elements: readonly Bytes[];
}

/*
 * What commands do with a collection. An object of these is got from RedisOperations.collection
 * or edit; the key comes into being with the first element and goes with the last (that of a stream
 * stays when its last entry goes).
 *
 * Orders are those of the calls alone, so equal on every node.
 */

/** A hash: fields in the order in which they were made; a field that is set again keeps its place. */
export interface HashOperations {
  /** Number of stored fields, expired ones not yet removed included. */
  readonly size: number;
  /** The earliest expiry of a field, or NO_EXPIRY. */
  readonly nextExpiryMs: number;
  get(field: Bytes): HashField | undefined;
  /** True when the field is new. */
  set(field: Bytes, value: Bytes, expireAtMs: number): boolean;
  remove(field: Bytes): boolean;
  /** Nothing may be changed while it is consumed. */
  entries(): Iterable<readonly [Bytes, HashField]>;
  /** A page of about `count` fields; one present throughout an iteration is returned. */
  scan(cursor: number, count: number): ElementPage;
  /** A field, each equally likely, by one number in [0, 1); the same on every node. */
  random(random: () => number): Bytes;
  /** Up to `limit` fields with expireAtMs <= `timeMs`, earliest first. */
  expired(timeMs: number, limit: number): readonly Bytes[];
}

/** A set: members in the order in which they were added. */
export interface SetOperations {
  readonly size: number;
  has(member: Bytes): boolean;
  /** True when the member is new. */
  add(member: Bytes): boolean;
  remove(member: Bytes): boolean;
  /** Nothing may be changed while it is consumed. */
  members(): Iterable<Bytes>;
  scan(cursor: number, count: number): ElementPage;
  /** A member, each equally likely, by one number in [0, 1); the same on every node. */
  random(random: () => number): Bytes;
}

export type ListEnd = "head" | "tail";

/** A list. Indexes are 0 … length - 1. */
export interface ListOperations {
  readonly length: number;
  at(index: number): Bytes;
  /** Replaces the element at an index. */
  replace(index: number, value: Bytes): void;
  push(end: ListEnd, value: Bytes): void;
  pop(end: ListEnd): Bytes;
  /** Inserts before the element at `index`; `length` appends. */
  insert(index: number, value: Bytes): void;
  /** Takes out up to `limit` elements equal to `value`, from the head or (`reverse`) the tail. */
  removeEqual(value: Bytes, limit: number, reverse: boolean): number;
  /** The elements from `start` up to `stop`, inclusive. */
  range(start: number, stop: number): Bytes[];
  /** Elements from `start` on, towards the tail or (`reverse`) the head. */
  values(start: number, reverse?: boolean): Iterable<Bytes>;
}

/** A member of a sorted set with its score. */
export interface ScoredMember {
  readonly name: Bytes;
  readonly score: number;
}

/** A sorted set: members by score, then by bytes. A rank counts from 0, ascending. */
export interface SortedSetOperations {
  readonly size: number;
  score(member: Bytes): number | undefined;
  /** True when the member is new. The score is a number but NaN; -0 is kept as 0. */
  set(member: Bytes, score: number): boolean;
  remove(member: Bytes): boolean;
  rank(member: Bytes): number | undefined;
  /** Number of members with a score below `score`, or (`inclusive`) up to it. */
  countBelow(score: number, inclusive: boolean): number;
  /** The same by bytes, where all members have one score. */
  countBefore(member: Bytes, inclusive: boolean): number;
  /**
   * Members by rank, from `start` (0 or more) up to `stop`, inclusive, or backwards from stop. Each
   * is good until it is changed; nothing may be changed while they are consumed.
   */
  range(start: number, stop: number, reverse?: boolean): Iterable<ScoredMember>;
  /** A page of about `count` members; one present throughout an iteration is returned. */
  scan(cursor: number, count: number): ElementPage;
}

/** The operations of each collection type, by its name. */
export interface Collections {
  readonly hash: HashOperations;
  readonly set: SetOperations;
  readonly list: ListOperations;
  readonly zset: SortedSetOperations;
  readonly stream: StreamOperations;
}
export type CollectionType = Exclude<KeyType, "string">;

/** The tables that a collection of each type has rows in. */
export const TABLES_OF: Readonly<Record<CollectionType, readonly ElementTableName[]>> = {
  hash: ["hash"],
  set: ["set"],
  list: ["list"],
  zset: ["zset"],
  stream: [
    "stream",
    "stream_entry",
    "stream_node",
    "stream_group",
    "stream_consumer",
    "stream_pending",
  ],
};
