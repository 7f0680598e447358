import type { State } from "./models.ts";
import type { Operation } from "./operation.ts";

/** When a value was surely there. */
interface Span {
  /** The first end of those that wrote or saw it. */
  firstEnd: number;
  /** The last call of one of them, and of those that saw it. */
  lastCall: number;
  lastSeen: number;
}

/** An operation of the key that is searched, and until when it must have its place. */
interface Placeable {
  readonly operation: Operation;
  readonly call: number;
  readonly end: number;
}

/**
 * What keeps the search short where many operations on a register overlap. A value that is written
 * once never comes back, so as in Gibbons and Korach ("Testing shared memories", 1997):
 *
 * - it is left only when all that saw it have their place;
 * - it is taken on only if nothing that does not fit it must have its place before the call of the
 *   last that saw it;
 * - a SET whose value nobody saw goes right before another SET, if it may stand there, for there it
 *   is never in the way; of several the one that must have its place first. (Not while a DEL might
 *   leave the key without a value, where an unseen one can be missed.)
 *
 * And `areBroken` sees without any search most of what cannot be: a value is there from the first
 * end of those that wrote or saw it to the last call of one of them, and two cannot be there at
 * once.
 */
export class RegisterRules {
  readonly #nodes: readonly Placeable[];
  /** Values that have one origin. */
  readonly #spans = new Map<State, Span>();
  /** Of those who saw a value, how many have no place yet. */
  readonly #waiting = new Map<State, number>();
  /** SETs whose values nobody saw, in the order of their ends, and DELs that may take effect. */
  readonly #unseen: number[];
  readonly #deletions: number[];
  readonly #isPlaced: boolean[];

  constructor(nodes: readonly Placeable[], start: State) {
    this.#nodes = nodes;
    this.#isPlaced = nodes.map(() => false);
    const origins = new Map<State, number>([[start, 1]]);
    for (const { operation } of nodes) {
      const value = writtenBy(operation);
      origins.set(value, (origins.get(value) ?? 0) + 1);
    }
    for (const [value, count] of origins) {
      if (count !== 1 || value === null) continue;
      const firstEnd = value === start ? -Infinity : Infinity;
      this.#spans.set(value, { firstEnd, lastCall: -Infinity, lastSeen: -Infinity });
    }
    for (const { operation, call, end } of nodes) {
      const written = this.#spans.get(writtenBy(operation));
      const seen = this.#spans.get(sightOf(operation));
      for (const span of [written, seen]) {
        if (span === undefined) continue;
        span.firstEnd = Math.min(span.firstEnd, end);
        span.lastCall = Math.max(span.lastCall, call);
      }
      if (seen !== undefined) seen.lastSeen = Math.max(seen.lastSeen, call);
      this.#wait(operation, 1);
    }
    const all = nodes.map((_, number) => number);
    this.#unseen = all.filter((number) => this.#isUnseen(nodes[number]))
      .sort((a, b) => nodes[a].end - nodes[b].end || a - b);
    this.#deletions = all.filter((number) => {
      const { name, result } = nodes[number].operation;
      return name === "del" && result !== 0;
    });
  }

  /** Whether it is plain that no order explains all. */
  get areBroken(): boolean {
    const spans = [...this.#spans];
    return spans.some(([value, { firstEnd, lastCall }]) =>
      firstEnd < lastCall && (
        spans.some(([other, span]) =>
          other !== value && span.firstEnd !== Infinity && span.lastCall !== -Infinity &&
          span.firstEnd < lastCall && firstEnd < span.lastCall
        ) ||
        this.#nodes.some(({ operation, call, end }) =>
          call > firstEnd && end < lastCall && !fits(operation, value) &&
          writtenBy(operation) !== value && sightOf(operation) !== value
        )
      )
    );
  }

  placed(number: number): void {
    this.#isPlaced[number] = true;
    this.#wait(this.#nodes[number].operation, -1);
  }

  takenBack(number: number): void {
    this.#isPlaced[number] = false;
    this.#wait(this.#nodes[number].operation, 1);
  }

  /**
   * Whether an operation, which turns one value into another, would leave behind what fits nowhere
   * later, or should wait. `firstEnd`: the earliest end of what has no place yet.
   */
  forbids(number: number, from: State, to: State, firstEnd: number): boolean {
    const { operation } = this.#nodes[number];
    if (from !== to && this.#spans.has(from)) {
      const own = sightOf(operation) === from ? 1 : 0;
      if ((this.#waiting.get(from) ?? 0) > own) return true;
    }
    if (operation.name === "set" && this.#shouldWait(number, firstEnd)) return true;
    const lastSeen = from === to ? undefined : this.#spans.get(to)?.lastSeen;
    if (lastSeen === undefined || lastSeen <= firstEnd) return false;
    return this.#nodes.some((other, at) =>
      at !== number && !this.#isPlaced[at] && other.end < lastSeen && !fits(other.operation, to)
    );
  }

  #shouldWait(number: number, firstEnd: number): boolean {
    for (const other of this.#unseen) {
      const { call, end } = this.#nodes[other];
      if (other === number) return false;
      if (this.#isPlaced[other] || call > firstEnd) continue;
      const mayBeMissed = this.#deletions.some((deletion) =>
        !this.#isPlaced[deletion] && this.#nodes[deletion].call <= end
      );
      if (!mayBeMissed) return true;
    }
    return false;
  }

  #isUnseen({ operation: { name, value = "", result } }: Placeable): boolean {
    return name === "set" && result !== undefined &&
      this.#spans.get(value)?.lastSeen === -Infinity;
  }

  #wait(operation: Operation, by: number): void {
    const value = sightOf(operation);
    if (value !== null) this.#waiting.set(value, (this.#waiting.get(value) ?? 0) + by);
  }
}

/** The value that an operation wrote, or may have written; null: none. */
function writtenBy({ name, value, result }: Operation): State {
  const writes = name === "set" || name === "setget" || (name === "setnx" && result !== 0);
  return writes ? value ?? null : null;
}

/** The value that an operation saw, as its reply tells; null: none, or nobody knows. */
function sightOf({ name, result }: Operation): State {
  if (result === undefined || (name !== "get" && name !== "setget")) return null;
  return result === null ? null : String(result);
}

/** Whether an operation may have its place while a key holds `value`, and go on doing so. */
function fits({ name, result }: Operation, value: State): boolean {
  return name === "get" ? result === value : name === "setnx" && result === 0;
}
