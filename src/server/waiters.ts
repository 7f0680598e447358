import { assert } from "../base/assert.ts";
import { type Bytes, toBuffer } from "../base/bytes.ts";
import { Waiting } from "../commands/blocking.ts";
import type { DataCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { resolve } from "../commands/table.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { TouchKind } from "../storage/change_recorder.ts";
import type { WaitersTable } from "../storage/waiters_table.ts";
import { decodeArguments, encodeArguments } from "./batch.ts";
import type { TouchListener } from "./touches.ts";

/** A command that waits for data, wherever its client is. */
export interface Waiter {
  /** Its place in the order in which waiters are served. */
  readonly position: number;
  /** The command that it was in the log. */
  readonly node: number;
  readonly incarnation: number;
  readonly sequence: number;
  readonly db: number;
  /** What is tried again. */
  readonly argv: readonly Bytes[];
  /** What wakes it, each once. */
  readonly keys: readonly Bytes[];
}

/** The row that has the last position given. */
const LAST = 0;

/** A key with its database, in one string. */
type KeyId = string;

/**
 * The commands that wait for data, in the order in which they came to. With a table it is a part of
 * the state, the same on every node; without, it holds those that wait on this node alone.
 */
export class Waiters implements TouchListener {
  readonly #table: WaitersTable | undefined;
  readonly #idleChanged: () => void;
  /** The last position that was given. */
  #last = 0;
  #byPosition = new Map<number, Waiter>();
  #byOrigin = new Map<string, Waiter>();
  /** In the order of positions. */
  #byKey = new Map<KeyId, Waiter[]>();
  /** How many wait for a stream: they are told that it is gone, whoever is before them. */
  #streams = 0;
  /** Keys with waiters that have changed, in the order of their first changes. */
  #ready = new Map<KeyId, readonly [db: number, key: Bytes]>();

  /** `idleChanged` is called when the first begins to wait, and when none does any more. */
  constructor(idleChanged: () => void, table?: WaitersTable) {
    this.#idleChanged = idleChanged;
    this.#table = table;
    if (table === undefined) return;
    table.loaded = () => this.#load(table);
    this.#load(table);
  }

  get size(): number {
    return this.#byPosition.size;
  }

  get isIdle(): boolean {
    return this.size === 0;
  }

  /** Whether a key has changed that something waits for. */
  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  all(): Iterable<Waiter> {
    return this.#byPosition.values();
  }

  find(node: number, incarnation: number, sequence: number): Waiter | undefined {
    return this.#byOrigin.get(originOf({ node, incarnation, sequence }));
  }

  /** A position behind all that were ever given. */
  nextPosition(): number {
    this.#last++;
    this.#table?.set(LAST, String(this.#last));
    return this.#last;
  }

  add(waiter: Waiter): void {
    this.#enter(waiter);
    this.#table?.set(waiter.position, encodeWaiter(waiter));
    if (this.size === 1) this.#idleChanged();
  }

  remove(waiter: Waiter): void {
    this.#byPosition.delete(waiter.position);
    if (waitingOf(waiter).type === "stream") this.#streams--;
    this.#byOrigin.delete(originOf(waiter));
    for (const key of waiter.keys) {
      const id = idOf(waiter.db, key);
      const queue = this.#byKey.get(id) ?? [];
      const at = indexOf(queue, waiter.position);
      if (queue[at] === waiter) queue.splice(at, 1);
      if (queue.length === 0) this.#byKey.delete(id);
    }
    this.#table?.delete(waiter.position);
    if (this.isIdle) this.#idleChanged();
  }

  touched(kind: TouchKind, db: number, key: Bytes): void {
    if (kind === "flush") return this.#databaseTouched(db);
    if (kind === "swap") {
      this.#databaseTouched(db);
      return this.#databaseTouched(Number(key));
    }
    // It gives nobody anything.
    if (kind === "aside") return;
    const id = idOf(db, key);
    if (this.#byKey.has(id)) this.#ready.set(id, [db, key]);
  }

  /** Whatever may have changed unseen has. */
  allTouched(): void {
    for (const db of new Set([...this.all()].map((waiter) => waiter.db))) this.#databaseTouched(db);
  }

  /**
   * Serves whom it can of those whose keys have changed, also in consequence; `served` is called
   * with each that waits no more. Rounds as in Redis: first all keys changed so far.
   */
  serve(context: DataContext, served: (waiter: Waiter, reply: Reply) => void): void {
    while (this.#ready.size > 0) {
      const ready = this.#ready;
      this.#ready = new Map();
      for (const [id, [db, key]] of ready) {
        for (const waiter of [...this.#byKey.get(id) ?? []]) {
          if (!this.#byPosition.has(waiter.position)) continue;
          const reply = tryAgain(context, waiter, db, key);
          if (reply === "nothing" && this.#streams === 0) break;
          if (reply === "nothing" || reply instanceof Waiting) continue;
          this.remove(waiter);
          served(waiter, reply);
        }
      }
    }
  }

  #databaseTouched(db: number): void {
    for (const waiter of [...this.#byPosition.values()].sort((a, b) => a.position - b.position)) {
      if (waiter.db !== db) continue;
      for (const key of waiter.keys) this.#ready.set(idOf(db, key), [db, key]);
    }
  }

  #enter(waiter: Waiter): void {
    assert(!this.#byPosition.has(waiter.position), "each waiter has a position of its own");
    this.#byPosition.set(waiter.position, waiter);
    if (waitingOf(waiter).type === "stream") this.#streams++;
    this.#byOrigin.set(originOf(waiter), waiter);
    for (const key of waiter.keys) {
      const id = idOf(waiter.db, key);
      const queue = this.#byKey.get(id);
      if (queue === undefined) this.#byKey.set(id, [waiter]);
      else queue.splice(indexOf(queue, waiter.position), 0, waiter);
    }
  }

  #load(table: WaitersTable): void {
    this.#byPosition = new Map();
    this.#byOrigin = new Map();
    this.#byKey = new Map();
    this.#ready = new Map();
    this.#streams = 0;
    this.#last = 0;
    for (const [position, data] of table.rows) {
      if (position === LAST) this.#last = Number(data);
      else this.#enter(decodeWaiter(position, data));
    }
    this.#idleChanged();
  }
}

function waitingOf({ argv }: Waiter): NonNullable<DataCommand["waiting"]> {
  const command = resolve(argv);
  assert(!(command instanceof ErrorReply) && command.path !== "local", "a command on data waits");
  const { waiting } = command as DataCommand;
  assert(waiting !== undefined, "a command that waits can");
  return waiting;
}

/** "nothing": nor can any other waiter of the key be served that does not wait for a stream. */
function tryAgain(
  context: DataContext,
  waiter: Waiter,
  db: number,
  key: Bytes,
): Reply | Waiting | "nothing" {
  const waiting = waitingOf(waiter);
  context.db = db;
  if (waiting.type !== "stream") {
    const record = context.find(key);
    if (record === undefined) return "nothing";
    if (record.type !== waiting.type) return new Waiting([], 0);
  }
  context.wokenBy = key;
  const reply = waiting.tryServe(context, waiter.argv);
  context.wokenBy = undefined;
  return reply;
}

/** Where `position` stands in a queue, or would stand. */
function indexOf(queue: readonly Waiter[], position: number): number {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (queue[middle].position < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function idOf(db: number, key: Bytes): KeyId {
  return `${db}:${key}`;
}

function originOf(
  { node, incarnation, sequence }: Pick<Waiter, "node" | "incarnation" | "sequence">,
): string {
  return `${node}:${incarnation}:${sequence}`;
}

function encodeWaiter({ node, incarnation, sequence, db, argv, keys }: Waiter): Bytes {
  const numbers = [node, incarnation, sequence, db, keys.length].map(String);
  return encodeArguments([...numbers, ...keys, ...argv]);
}

function decodeWaiter(position: number, data: Bytes): Waiter {
  const words = decodeArguments(toBuffer(data));
  const [node, incarnation, sequence, db, keyCount] = words.slice(0, 5).map(Number);
  const keys = words.slice(5, 5 + keyCount);
  return { position, node, incarnation, sequence, db, keys, argv: words.slice(5 + keyCount) };
}
