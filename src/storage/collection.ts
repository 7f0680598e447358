import type { Bytes } from "../base/bytes.ts";
import type { CachedKey } from "./cached_key.ts";
import type { AsideKind } from "./change_recorder.ts";
import { type CollectionType, TABLES_OF } from "./collections.ts";
import type { ElementRow, ElementTables } from "./element_tables.ts";
import type { Keyspace } from "./keyspace.ts";
import { NO_EXPIRY } from "./redis_operations.ts";

/** Bytes of an empty collection in memory, about. */
const COLLECTION_OVERHEAD_BYTES = 500;

/** The changed rows of one table since the last freeze, each under what names it there. */
export type ElementChanges = Map<string | number, ElementRow>;

/** Rows of one table, from the first on, that are gone. */
export interface TrimmedRows {
  readonly table: number;
  /** The key of the last of them. */
  readonly upTo: ElementRow;
  /** How many they are at most. */
  readonly rows: number;
}

/** What changed in a collection since the last freeze. */
export interface CollectionChanges {
  /** One for each table of the type; none when there are none. */
  readonly changes: readonly ElementChanges[];
  /** To be deleted before the changes are written. */
  readonly cleared: TrimmedRows | undefined;
  /** To be deleted when the changes are written. */
  readonly trimmed: TrimmedRows | undefined;
}

/** What a change of elements comes to. */
export interface CollectionChange {
  /** More memory that it holds, and what is to be written, in how many rows. */
  heldBytes: number;
  writtenBytes: number;
  rows: number;
  kind: "set" | AsideKind;
}

/** Whose keys collections are. */
export interface CollectionHost {
  readonly elements: ElementTables;
  /** Elements of a collection have changed. Makes, changes or deletes its key. */
  changed(collection: Collection, change: CollectionChange): void;
}

/**
 * A list, hash, set, sorted set or stream in memory, over its rows in SQL. All of it is in memory
 * when it is used; changes are noted element by element.
 *
 * A subclass changes its structure first and then calls `mark` for each row that differs.
 */
export abstract class Collection {
  abstract readonly type: CollectionType;
  /** Names its rows in SQL; kept by RENAME. Given with the key, so 0 while there is none. */
  owner = 0;
  /** What OBJECT ENCODING answers. Once it is one for large values it stays. */
  encoding: Bytes;
  /** In memory. */
  bytes = COLLECTION_OVERHEAD_BYTES;
  isLoaded = true;
  /** SQL has rows of this owner, or will when the running flush commits. */
  hasRows = false;
  /** It waits in the host's list of changed collections. */
  isListed = false;
  /** The key that has it, and where that is; undefined while there is none. */
  record: CachedKey | undefined;
  keyspace: Keyspace | undefined;
  /** Where its key will be, while there is none. */
  place: { readonly db: number; readonly key: Bytes } | undefined;
  /** One for each table of the type; undefined when nothing changed. */
  #changes: ElementChanges[] | undefined;
  /** Those that the running flush writes. */
  #frozen: readonly ElementChanges[] | undefined;
  #cleared: TrimmedRows | undefined;
  #trimmed: TrimmedRows | undefined;
  readonly host: CollectionHost;
  /** What `note` was told, for `tell`. */
  #noted = { heldBytes: 0, writtenBytes: 0, rows: 0 };
  /** Elements and their earliest expiry as SQL has them, until it is loaded. */
  #stored = { size: 0, nextExpiryMs: NO_EXPIRY };

  constructor(host: CollectionHost, encoding: Bytes) {
    this.host = host;
    this.encoding = encoding;
  }

  /** The number of elements in memory, and the earliest expiry of one. */
  protected abstract readonly loadedSize: number;
  protected get loadedNextExpiryMs(): number {
    return NO_EXPIRY;
  }
  /** Fills an empty collection from its rows, without `mark`; counts `bytes`. */
  protected abstract fill(elements: ElementTables): void;
  /** Gives another, empty one the same elements, by its methods that change. */
  abstract copyTo(other: this): void;

  get elementCount(): number {
    return this.isLoaded ? this.loadedSize : this.#stored.size;
  }

  /** Whether there is nothing left that a key stands for. */
  get isGone(): boolean {
    return this.elementCount === 0;
  }

  /** The earliest expiry of an element, or NO_EXPIRY. */
  get nextExpiryMs(): number {
    return this.isLoaded ? this.loadedNextExpiryMs : this.#stored.nextExpiryMs;
  }

  /** Makes it stand for what SQL has, unread. */
  unload(owner: number, encoding: Bytes, size: number, nextExpiryMs: number): this {
    this.owner = owner;
    this.encoding = encoding;
    this.isLoaded = false;
    this.hasRows = true;
    this.#stored = { size, nextExpiryMs };
    return this;
  }

  /** Reads its rows, unless it has; returns the bytes of memory that this took. */
  load(): number {
    if (this.isLoaded) return 0;
    this.isLoaded = true;
    const before = this.bytes;
    this.fill(this.host.elements);
    return this.bytes - before;
  }

  /** Has it ready to be used; `elementsMax`: larger ones need not be in memory. */
  prepare(_elementsMax: number): void {
    const bytes = this.load();
    this.keyspace?.hold(bytes);
  }

  /** Frees the memory of one with more elements than this; false when it cannot do without. */
  shed(_elementsMax: number): boolean {
    return false;
  }

  /** Its elements are not in memory: there is nothing to be gained by dropping it. */
  get isSparse(): boolean {
    return false;
  }

  /** Hands out what changed; until `settled` is called it may be in SQL or not. */
  takeChanges(): CollectionChanges {
    const changes = this.#changes ?? [];
    const taken = { changes, cleared: this.#cleared, trimmed: this.#trimmed };
    this.#frozen = this.#changes;
    this.#changes = undefined;
    this.#cleared = undefined;
    this.#trimmed = undefined;
    this.isListed = false;
    return taken;
  }

  /** What was taken is in SQL. */
  settled(): void {
    this.#frozen = undefined;
  }

  /** Changes of one table that SQL does not have, or may not have yet; the newest first. */
  protected overlays(table: number): readonly (ElementChanges | undefined)[] {
    return [this.#changes?.[table], this.#frozen?.[table]];
  }

  /** Counts elements of one that is not in memory. */
  protected countStored(by: number): void {
    this.#stored.size += by;
  }

  /** Counts no memory any more but for the collection itself. */
  protected dropBytes(): void {
    this.keyspace?.hold(COLLECTION_OVERHEAD_BYTES - this.bytes);
    this.bytes = COLLECTION_OVERHEAD_BYTES;
  }

  /** Belongs to no key any more; what is added now belongs to a new one. */
  release(): void {
    this.owner = 0;
    this.#changes = undefined;
    this.#frozen = undefined;
    this.#cleared = undefined;
    this.#trimmed = undefined;
    this.hasRows = false;
    this.bytes = COLLECTION_OVERHEAD_BYTES;
  }

  /**
   * Notes that a row of the type's table of this number has changed, or (only its key) is gone;
   * `id` names it in that table. `heldBytes`: how much more memory it takes. To be called when all
   * else is done: it may delete the key.
   */
  protected mark(table: number, id: string | number, row: ElementRow, heldBytes: number): void {
    this.note(table, id, row, heldBytes);
    this.tell();
  }

  /** `mark` of one of several rows: all are told of together. */
  protected note(table: number, id: string | number, row: ElementRow, heldBytes: number): void {
    this.#changes ??= TABLES_OF[this.type].map(() => new Map());
    const rows = this.#changes[table];
    const before = rows.size;
    rows.set(id, row);
    this.#note(heldBytes, rowBytes(row), rows.size - before);
  }

  /**
   * Notes that the first rows of a table are gone, up to the one of this key, and that none like
   * them will come. Of one table only.
   */
  protected noteTrimmed(table: number, upTo: ElementRow, rows: number, heldBytes: number): void {
    const before = this.#trimmed;
    this.#trimmed = { table, upTo, rows: rows + (before?.rows ?? 0) };
    this.#note(heldBytes, rowBytes(upTo), before === undefined ? 1 : 0);
  }

  /**
   * Notes that nothing is left of the table that is trimmed, whose last row was at most this one,
   * and that rows may come that lie before those which went.
   */
  protected noteCleared(table: number, upTo: ElementRow): void {
    const changed = this.#changes?.[table];
    const rows = (changed?.size ?? 0) + (this.#trimmed?.rows ?? 0) + (this.#cleared?.rows ?? 0);
    changed?.clear();
    this.#trimmed = undefined;
    if (rows > 0) this.#cleared = { table, upTo, rows };
  }

  #note(heldBytes: number, writtenBytes: number, rows: number): void {
    this.bytes += heldBytes;
    const noted = this.#noted;
    noted.heldBytes += heldBytes;
    noted.writtenBytes += writtenBytes;
    noted.rows += rows;
  }

  /** Tells the host of what was noted. */
  protected tell(kind: CollectionChange["kind"] = "set"): void {
    const change = { ...this.#noted, kind };
    this.#noted = { heldBytes: 0, writtenBytes: 0, rows: 0 };
    this.host.changed(this, change);
  }
}

const ROW_OVERHEAD_BYTES = 100;

function rowBytes(row: ElementRow): number {
  let bytes = ROW_OVERHEAD_BYTES;
  for (const value of row) if (typeof value === "string") bytes += value.length;
  return bytes;
}
