import { NO_EXPIRY } from "./redis_operations.ts";
import type { SqlValue } from "./sqlite_types.ts";

/** A time in Unix milliseconds as SQLite stores it: NULL for NO_EXPIRY. */
export function timeToSql(timeMs: number): number | null {
  return timeMs === NO_EXPIRY ? null : timeMs;
}

/** The time that `timeToSql` stored. */
export function timeFromSql(value: SqlValue): number {
  return value === null ? NO_EXPIRY : Number(value);
}
