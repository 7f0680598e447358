import { Prng } from "../../src/base/prng.ts";

/** One command of a writer and what it does to that writer's keys. */
export interface WriteOp {
  readonly argv: readonly string[];
  apply(state: Map<string, string>): void;
}

const KEYS_PER_KIND = 8;
const MSET_WIDTH = 5;

/**
 * A client that owns its keys: since the commands of one connection take effect in order, what a
 * crash leaves of them must be the state after some prefix of what it sent, at least as long as
 * what was acknowledged.
 */
export class Writer {
  readonly id: number;
  readonly #prng: Prng;
  #sequence = 0;

  constructor(id: number, seed: number) {
    this.id = id;
    this.#prng = new Prng(seed * 1000 + id);
  }

  /** Every key this writer may ever write. */
  keys(): string[] {
    const keys: string[] = [];
    for (const kind of ["s", "n", "a", "r"]) {
      for (let i = 0; i < KEYS_PER_KIND; i++) keys.push(this.#key(kind, i));
    }
    for (let i = 0; i < MSET_WIDTH; i++) keys.push(this.#key("m", i));
    return keys;
  }

  next(): WriteOp {
    const sequence = ++this.#sequence;
    const pick = this.#prng.below(KEYS_PER_KIND);
    const dice = this.#prng.below(100);
    if (dice < 35) return this.#set(this.#key("s", pick), this.#value(sequence));
    if (dice < 55) return this.#incr(this.#key("n", pick), sequence);
    if (dice < 70) return this.#append(this.#key("a", pick), `${sequence};`);
    if (dice < 85) return this.#mset(this.#value(sequence));
    if (dice < 93) return this.#del([this.#key("s", pick), this.#key("a", pick)]);
    return this.#rename(this.#key("s", pick), this.#key("r", this.#prng.below(KEYS_PER_KIND)));
  }

  #key(kind: string, index: number): string {
    return `${kind}:${this.id}:\xff\x00${index}`;
  }

  /** A value nobody else writes: mostly short, at times large, never plain text only. */
  #value(sequence: number): string {
    const dice = this.#prng.below(200);
    const length = dice === 0 ? 200_000 : dice < 20 ? 3000 : this.#prng.below(60);
    const filler = String.fromCharCode(this.#prng.below(256)).repeat(length);
    return `${this.id}.${sequence}.${filler}`;
  }

  #set(key: string, value: string): WriteOp {
    return { argv: ["SET", key, value], apply: (state) => void state.set(key, value) };
  }

  #incr(key: string, by: number): WriteOp {
    return {
      argv: ["INCRBY", key, String(by)],
      apply: (state) => void state.set(key, String(Number(state.get(key) ?? "0") + by)),
    };
  }

  #append(key: string, text: string): WriteOp {
    return {
      argv: ["APPEND", key, text],
      apply: (state) => void state.set(key, (state.get(key) ?? "") + text),
    };
  }

  #mset(value: string): WriteOp {
    const keys = Array.from({ length: MSET_WIDTH }, (_, i) => this.#key("m", i));
    return {
      argv: ["MSET", ...keys.flatMap((key) => [key, value])],
      apply: (state) => keys.forEach((key) => state.set(key, value)),
    };
  }

  #del(keys: readonly string[]): WriteOp {
    return {
      argv: ["DEL", ...keys],
      apply: (state) => keys.forEach((key) => state.delete(key)),
    };
  }

  #rename(from: string, to: string): WriteOp {
    return {
      argv: ["RENAME", from, to],
      apply: (state) => {
        const value = state.get(from);
        if (value === undefined) return;
        state.delete(from);
        state.set(to, value);
      },
    };
  }
}

/**
 * How many of `pending` took effect before the crash: the state found must be `state` after that
 * many of them, whole commands only. Advances `state` to it; undefined when no prefix gives what
 * was found.
 */
export function matchPrefix(
  state: Map<string, string>,
  pending: readonly WriteOp[],
  found: ReadonlyMap<string, string>,
): number | undefined {
  for (let applied = 0;; applied++) {
    if (sameState(state, found)) return applied;
    if (applied === pending.length) return undefined;
    pending[applied].apply(state);
  }
}

function sameState(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
