import { SqliteError } from "./sqlite_types.ts";

/** By the error of a flush that may pass by itself, when to try again. */
const RETRY_MS: ReadonlyMap<string, number> = new Map([
  ["SQLITE_FULL", 1000],
  // Another program has a transaction on the file. Each try waits for it, up to a second.
  ["SQLITE_BUSY", 4000],
]);

/** What keeps flushes from state.db for a while. */
export class FlushRetry {
  #code = "";
  #atMs = -Infinity;

  get isDiskFull(): boolean {
    return this.#code === "SQLITE_FULL";
  }

  /** By another program. */
  get isLocked(): boolean {
    return this.#code === "SQLITE_BUSY";
  }

  /** Until the next try. */
  waitMs(nowMs: number): number {
    return this.#atMs - nowMs;
  }

  /** A flush has failed: throws what does not pass. */
  failed(error: unknown, nowMs: number): void {
    const retryMs = error instanceof SqliteError ? RETRY_MS.get(error.code) : undefined;
    if (retryMs === undefined) throw error;
    this.#code = (error as SqliteError).code;
    this.#atMs = nowMs + retryMs;
  }

  passed(): void {
    this.#code = "";
    this.#atMs = -Infinity;
  }
}
