import type { Bytes } from "../base/bytes.ts";
import { PREFETCH_MAX, type RedisOperations } from "../storage/redis_operations.ts";

/** What names the first key of a command: its second word does, for nearly all. */
interface Keyed {
  readonly db: number;
  readonly argv: readonly Bytes[];
}

/**
 * Tells the working set which keys the next commands of a row will look up. Each is looked up once
 * more by its command, then without waiting for main memory.
 */
export class KeyPrefetcher {
  readonly #ops: RedisOperations;
  readonly #keys: Bytes[] = new Array(PREFETCH_MAX).fill("");

  constructor(ops: RedisOperations) {
    this.#ops = ops;
  }

  /** To be called before each command of `commands`; `at` is its place, from 0. */
  before(commands: readonly Keyed[], at: number): void {
    if (at % PREFETCH_MAX !== 0 || this.#ops.prefetch === undefined) return;
    const end = Math.min(commands.length, at + PREFETCH_MAX);
    const { db } = commands[at];
    let count = 0;
    for (let i = at; i < end; i++) {
      const command = commands[i];
      if (command.db === db && command.argv.length > 1) this.#keys[count++] = command.argv[1];
    }
    if (count > 1) this.#ops.prefetch(db, this.#keys, count);
  }
}
