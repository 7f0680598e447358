import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { readWord, word } from "../base/word.ts";

/**
 * What became of a key: it was written, deleted, or deleted as its time had come; or of a database:
 * it was emptied, or exchanged with another one.
 */
export type ChangeKind = "set" | "del" | "expired" | "flush" | "swap";

/**
 * Not a key's value was written, but what it keeps beside: a stream's groups. "wake": whoever waits
 * for the key is to look again.
 */
export type AsideKind = "aside" | "wake";

export type TouchKind = ChangeKind | AsideKind;

export function isAside(kind: TouchKind): kind is AsideKind {
  return kind === "aside" || kind === "wake";
}

export interface Change {
  readonly kind: ChangeKind;
  readonly db: number;
  /** The command that did it, in lower case; "" when none did. */
  readonly command: Bytes;
  /** The key; of a `swap`, the number of the other database; "" of a `flush`. */
  readonly key: Bytes;
}

interface Touched {
  kind: ChangeKind;
  readonly db: number;
  readonly key: Bytes;
}

const KINDS: readonly ChangeKind[] = ["set", "del", "expired", "flush", "swap"];
const CODES = new Map(KINDS.map((kind, code) => [kind, String.fromCharCode(code)]));

/**
 * Gathers the changes of one entry as they happen, each key once a command. A change is stored as
 * `kind u8, db u8, command length u8, command, key length u32, key`.
 */
export class ChangeRecorder {
  #touched: Touched[] = [];
  #data: Bytes = "";
  /** What stands before a key, and of which changes: mostly that of the one before. */
  #prefix: Bytes = "";
  #kind: ChangeKind | undefined;
  #db = 0;
  #name: Bytes = "";
  /** Is told of each change as it is made; undefined while nobody needs to know. */
  listener: ((kind: TouchKind, db: number, key: Bytes) => void) | undefined;

  touch(touched: TouchKind, db: number, key: Bytes): void {
    if (this.listener !== undefined) this.listener(touched, db, key);
    const kind = isAside(touched) ? "set" : touched;
    const { length } = this.#touched;
    const last = length > 0 ? this.#touched[length - 1] : undefined;
    const isSame = last !== undefined && last.key === key && last.db === db;
    if (isSame && !isOfDatabase(last.kind) && !isOfDatabase(kind)) last.kind = kind;
    else this.#touched.push({ kind, db, key });
  }

  /** The command that made the changes since the last call is done. */
  endCommand(name: Bytes): void {
    if (this.#touched.length === 0) return;
    const touched = this.#touched.length > 1 ? lastOfEach(this.#touched) : this.#touched;
    for (const { kind, db, key } of touched) {
      if (kind !== this.#kind || db !== this.#db || name !== this.#name) this.#head(kind, db, name);
      this.#data += this.#prefix + word(key.length) + key;
    }
    this.#touched.length = 0;
  }

  #head(kind: ChangeKind, db: number, name: Bytes): void {
    this.#kind = kind;
    this.#db = db;
    this.#name = name;
    this.#prefix = CODES.get(kind) + String.fromCharCode(db, name.length) + name;
  }

  /** The changes since the last call, encoded; "" when there were none. */
  take(): Bytes {
    const data = this.#data;
    this.#data = "";
    this.#touched.length = 0;
    // Reading a character has the engine put the string in one piece now. It waits for the next
    // flush, and until then all its parts would be kept, which take some five times its room.
    if (data !== "") assert(data.charCodeAt(0) < KINDS.length, "changes begin with their kind");
    return data;
  }
}

/** The changes that `take` has encoded. */
export function decodeChanges(data: Bytes): Change[] {
  const changes: Change[] = [];
  for (let at = 0; at < data.length;) {
    const kind = KINDS[data.charCodeAt(at)];
    const db = data.charCodeAt(at + 1);
    const commandEnd = at + 3 + data.charCodeAt(at + 2);
    const command = data.slice(at + 3, commandEnd);
    const keyStart = commandEnd + 4;
    const keyEnd = keyStart + readWord(data, commandEnd);
    changes.push({ kind, db, command, key: data.slice(keyStart, keyEnd) });
    at = keyEnd;
  }
  return changes;
}

/** Of several changes of one key the last one, in the order of those. */
function lastOfEach(touched: readonly Touched[]): Touched[] {
  const seen = new Set<string>();
  const last: Touched[] = [];
  for (let i = touched.length - 1; i >= 0; i--) {
    const { kind, db, key } = touched[i];
    const name = `${isOfDatabase(kind) ? kind : ""}:${db}:${key}`;
    if (seen.has(name)) continue;
    seen.add(name);
    last.push(touched[i]);
  }
  return last.reverse();
}

function isOfDatabase(kind: ChangeKind): boolean {
  return kind === "flush" || kind === "swap";
}
