import { createHash } from "node:crypto";
import type { Bytes } from "../base/bytes.ts";
import { ExpiryHeap, type ExpiryItem } from "./expiry_heap.ts";
import { NO_EXPIRY } from "./redis_operations.ts";
import type { SideTable } from "./side_table.ts";
import { bytesFromSql, bytesToSql } from "./sql_bytes.ts";
import type { SqlDatabase, SqlStatement } from "./sqlite_types.ts";

/** What was answered to a command that came with an idempotency key. */
export interface Remembered {
  /** Tells the command from others: see `fingerprint`. */
  readonly fingerprint: Bytes;
  /** The reply, packed. */
  readonly reply: Bytes;
}

interface RememberedRow extends Remembered, ExpiryItem {
  readonly key: Bytes;
  /** Written by a flush, or about to be by the one under way. */
  isFrozen: boolean;
  isRemoved: boolean;
}

const TABLE = `CREATE TABLE IF NOT EXISTS idempotency(
  id INTEGER PRIMARY KEY,
  key NOT NULL,
  fingerprint TEXT NOT NULL,
  expire_at_ms INTEGER NOT NULL,
  reply NOT NULL
)`;

/** What a row is reckoned to take beside its key and reply. */
const ROW_BYTES = 200;
const ROWS_PER_WRITE = 64;

/**
 * The replies that are remembered by idempotency key, for a time each: a part of the state, so
 * equal on every node. All of it is in memory, and `bytesMax` bounds it: beyond that nothing new is
 * taken, as to forget one before its time would break what its client was promised.
 */
export class IdempotencyTable implements SideTable {
  readonly bytesMax: number;
  #bytes = 0;
  #rows = new Map<Bytes, RememberedRow>();
  #expiries = new ExpiryHeap<RememberedRow>();
  #lastId = 0;
  #added: RememberedRow[] = [];
  #deleted: number[] = [];
  #frozenAdded: RememberedRow[] = [];
  #frozenDeleted: number[] = [];
  /** How much of the frozen is written: deletions first. */
  #written = 0;
  #insert: SqlStatement | undefined;
  #delete: SqlStatement | undefined;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Whether no more is taken until something expires. */
  get isFull(): boolean {
    return this.#bytes >= this.bytesMax;
  }

  /** The earliest time at which something can be forgotten, or NO_EXPIRY. */
  nextExpiryMs(): number {
    return this.#expiries.top?.dueAtMs ?? NO_EXPIRY;
  }

  /** What is remembered by `key` at a time. */
  find(key: Bytes, timeMs: number): Remembered | undefined {
    const row = this.#rows.get(key);
    return row === undefined || row.dueAtMs <= timeMs ? undefined : row;
  }

  /** Remembers a reply until `dueAtMs`, in place of any before it. */
  add(key: Bytes, fingerprint: Bytes, dueAtMs: number, reply: Bytes): void {
    const old = this.#rows.get(key);
    if (old !== undefined) this.#remove(old);
    const row: RememberedRow = {
      key,
      fingerprint,
      dueAtMs,
      reply,
      id: ++this.#lastId,
      heapIndex: -1,
      isFrozen: false,
      isRemoved: false,
    };
    this.#hold(row);
    this.#added.push(row);
  }

  /** Forgets up to `limit` of those whose time has come, earliest first. */
  expire(timeMs: number, limit: number): void {
    for (let i = 0; i < limit && this.nextExpiryMs() <= timeMs; i++) {
      this.#remove(this.#expiries.top as RememberedRow);
    }
  }

  #hold(row: RememberedRow): void {
    this.#rows.set(row.key, row);
    this.#expiries.push(row);
    this.#bytes += bytesOf(row);
  }

  #remove(row: RememberedRow): void {
    this.#rows.delete(row.key);
    this.#expiries.remove(row);
    this.#bytes -= bytesOf(row);
    row.isRemoved = true;
    if (row.isFrozen) this.#deleted.push(row.id);
  }

  // --- state.db --------------------------------------------------------------------------------

  load(sql: SqlDatabase): void {
    sql.exec(TABLE);
    this.#insert = sql.prepare("INSERT INTO idempotency VALUES (?, ?, ?, ?, ?)");
    this.#delete = sql.prepare("DELETE FROM idempotency WHERE id = ?");
    this.#rows = new Map();
    this.#expiries = new ExpiryHeap();
    this.#bytes = this.#lastId = this.#written = 0;
    this.#added = [];
    this.#deleted = [];
    this.#frozenAdded = [];
    this.#frozenDeleted = [];
    const columns = "id, key, fingerprint, CAST(expire_at_ms AS REAL) AS expire_at_ms, reply";
    for (const row of sql.prepare(`SELECT ${columns} FROM idempotency ORDER BY id`).all()) {
      this.#lastId = Number(row.id);
      this.#hold({
        key: bytesFromSql(row.key),
        fingerprint: String(row.fingerprint),
        dueAtMs: Number(row.expire_at_ms),
        reply: bytesFromSql(row.reply),
        id: this.#lastId,
        heapIndex: -1,
        isFrozen: true,
        isRemoved: false,
      });
    }
  }

  freeze(): void {
    this.#frozenAdded = this.#added.filter((row) => !row.isRemoved);
    for (const row of this.#frozenAdded) row.isFrozen = true;
    this.#frozenDeleted = this.#deleted;
    this.#added = [];
    this.#deleted = [];
    this.#written = 0;
  }

  writeSome(): boolean {
    const deletions = this.#frozenDeleted.length;
    const end = deletions + this.#frozenAdded.length;
    const stop = Math.min(end, this.#written + ROWS_PER_WRITE);
    for (; this.#written < stop; this.#written++) {
      if (this.#written < deletions) this.#delete!.run(this.#frozenDeleted[this.#written]);
      else this.#write(this.#frozenAdded[this.#written - deletions]);
    }
    return this.#written === end;
  }

  rewind(): void {
    this.#written = 0;
  }

  committed(): void {
    this.#frozenAdded = [];
    this.#frozenDeleted = [];
    this.#written = 0;
  }

  #write({ id, key, fingerprint, dueAtMs, reply }: RememberedRow): void {
    this.#insert!.run(id, bytesToSql(key), fingerprint, dueAtMs, bytesToSql(reply));
  }
}

function bytesOf({ key, reply }: RememberedRow): number {
  return ROW_BYTES + key.length + reply.length;
}

/** Names a command with its database and arguments: the first 128 bits of their SHA-256, in hex. */
export function fingerprint(db: number, argv: readonly Bytes[]): Bytes {
  const hash = createHash("sha256");
  hash.update(String(db));
  for (const argument of argv) {
    hash.update(`,${argument.length}:`);
    hash.update(argument, "latin1");
  }
  return hash.digest("hex").slice(0, 32);
}
