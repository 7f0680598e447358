import type { Bytes } from "../base/bytes.ts";
import type { Collections, CollectionType } from "./collections.ts";

/** The value types of Redis, as TYPE names them. */
export type KeyType = "string" | "list" | "set" | "zset" | "hash" | "stream";

/** How Redis holds a string that came about otherwise than by SET. */
export type StringEncoding = "raw" | "embstr";

/** `expireAtMs` of a key that never expires. */
export const NO_EXPIRY = Infinity;
/** Keys that one `prefetch` takes. */
export const PREFETCH_MAX = 64;

/**
 * A key and its metadata, as stored. Of a string it is a value: a change makes a new record, so
 * one that was handed out stays as it was.
 */
export interface KeyRecord {
  readonly type: KeyType;
  /** The value of a string; "" for other types, whose elements have operations of their own. */
  readonly value: Bytes;
  /** Unix time in milliseconds, or NO_EXPIRY. Storage never compares it with a clock. */
  readonly expireAtMs: number;
  /** Grows with each change of the key, never reused (WATCH compares it). */
  readonly version: number;
  /**
   * What OBJECT ENCODING answers, of a string only when its value does not tell: "raw" for what
   * came about otherwise than by SET. Not the same on every node.
   */
  readonly encoding: Bytes | undefined;
  /** Number of elements of a collection, 0 for a string. */
  readonly size: number;
}

/** How far the commands that came in through one node have been applied. */
export interface OriginState {
  readonly node: number;
  /** Which run of that node's process. */
  readonly incarnation: number;
  /** Number of its last applied command. */
  readonly sequence: number;
}

/** Where the state machine stands; durable in the same transaction as the data. */
export interface AppliedState {
  /** Index of the last applied log entry, 0 for none. */
  index: number;
  /** Its term. */
  term: number;
  /** Its time stamp: Unix time in milliseconds. */
  logTimeMs: number;
  /** The rolling digest of applied entries, an unsigned 32-bit integer. */
  digest: number;
  /** One for each node that commands came through; never changed in place. */
  origins: readonly OriginState[];
  /** The members in force, as the configuration entry has them; "" before the first such entry. */
  configuration: Bytes;
}

/** The state machine before its first entry. */
export const NOTHING_APPLIED: Readonly<AppliedState> = Object.freeze({
  index: 0,
  term: 0,
  logTimeMs: 0,
  digest: 0,
  origins: [],
  configuration: "",
});

/** One page of SCAN. */
export interface ScanPage {
  /** Where the next page starts; 0 when the iteration is complete. */
  readonly cursor: number;
  readonly keys: readonly Bytes[];
}

/** A key with its database. */
export interface KeyName {
  readonly db: number;
  readonly key: Bytes;
}

/**
 * The data of the state machine: what commands run on. Sixteen databases, 0..15.
 *
 * Synchronous and free of clocks and randomness: the same calls give the same state on every
 * node. A key is stored until something deletes it; whether it has expired is for the caller
 * to say, by log time. Any error thrown is an I/O failure or a defect and stops the node.
 */
export interface RedisOperations {
  // --- one key -------------------------------------------------------------------------------
  /** The record of a key, or undefined. */
  find(db: number, key: Bytes): KeyRecord | undefined;
  /**
   * A hint that the first `count` of these keys, PREFETCH_MAX at most, are looked up next; it
   * changes nothing.
   */
  prefetch?(db: number, keys: readonly Bytes[], count: number): void;
  /** `find` that does not count as a use of the key. */
  peek(db: number, key: Bytes): KeyRecord | undefined;
  /**
   * Seconds since this node last used a key: no part of the state, so each node has its own. 0 for
   * a key that is absent.
   */
  idleSeconds(db: number, key: Bytes): number;
  /** The value of a string key; undefined when it is absent or of another type. */
  getBinary(db: number, key: Bytes): Bytes | undefined;
  /**
   * Makes `key` a string with this value, whatever it was before. `encoding`: what OBJECT ENCODING
   * answers, where that is not what it answers for a value that SET has set.
   */
  set(db: number, key: Bytes, value: Bytes, expireAtMs: number, encoding?: StringEncoding): void;
  /** `set` for each pair, without expiry. */
  mset(db: number, pairs: readonly (readonly [Bytes, Bytes])[]): void;
  /** Deletes a key of any type; false when it was absent. */
  del(db: number, key: Bytes): boolean;
  /** Sets or (NO_EXPIRY) clears the expiry; false when the key is absent. */
  setExpiry(db: number, key: Bytes, expireAtMs: number): boolean;
  /** Moves a key, expiry included, over any key at the target; false when it is absent. */
  rename(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean;
  /** Copies a key, expiry included, over any key at the target; false when it is absent. */
  copy(db: number, key: Bytes, toDb: number, toKey: Bytes): boolean;

  // --- collections ---------------------------------------------------------------------------
  /**
   * The collection of this type at `key`, for reading; undefined when there is none. Good until
   * the next change of anything. `found`: what `find` has just said of the key, if it was asked.
   */
  collection<T extends CollectionType>(
    db: number,
    key: Bytes,
    type: T,
    found?: KeyRecord,
  ): Collections[T] | undefined;
  /**
   * The same to be changed, empty when there is none; the key must not be of another type. The key
   * comes into being with the first element, without expiry, and is deleted with the last. Good
   * until the key is deleted or overwritten otherwise, or the entry is applied.
   */
  edit<T extends CollectionType>(db: number, key: Bytes, type: T): Collections[T];

  // --- a database ----------------------------------------------------------------------------
  /** Number of stored keys, expired ones not yet deleted included. */
  size(db: number): number;
  /** Number of stored keys that have an expiry. */
  sizeWithExpiry(db: number): number;
  /** Each key of a database, in stored order. Nothing may be changed while it is consumed. */
  keys(db: number): Iterable<Bytes>;
  /**
   * A page of about `count` keys from `cursor` (0 starts). A key that is present from the start
   * of an iteration to its end is returned at least once; a page may be empty.
   */
  scan(db: number, cursor: number, count: number): ScanPage;
  /** A key chosen by `random` (a number in [0, 1)); undefined in an empty database. */
  randomKey(db: number, random: number): Bytes | undefined;
  /** Deletes every key of a database, in time that does not grow with their number. */
  flush(db: number): void;
  /** Exchanges two databases. */
  swap(dbA: number, dbB: number): void;

  // --- expiry --------------------------------------------------------------------------------
  /** The earliest expiry of any stored key or element, or NO_EXPIRY. */
  nextExpiryMs(): number;
  /** Up to `limit` keys that expire, or have an element that does, by `timeMs`, earliest first. */
  expired(timeMs: number, limit: number): readonly KeyName[];

  // --- the state machine ---------------------------------------------------------------------
  /** What has been applied, as of the last `setApplied`. */
  readonly applied: Readonly<AppliedState>;
  /** Records what has been applied; durable together with the data changed before it. */
  setApplied(state: Readonly<AppliedState>): void;
  /**
   * Makes everything applied durable and drops from memory what may be read from there again. To be
   * called between applied entries only.
   */
  reload?(): void;
  /** What is stored in state.db: a restart of the program applies the log from there. */
  readonly durable: Readonly<AppliedState>;
}
