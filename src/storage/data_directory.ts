import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SqliteDriver } from "./sqlite_types.ts";
export interface DataDirectory {
  readonly logPath: string;
  readonly statePath: string;
  close(): void;
}
export function openDataDirectory(_driver: SqliteDriver, path: string): DataDirectory {
  mkdirSync(path, { recursive: true });
  return { logPath: join(path, "log.db"), statePath: join(path, "state.db"), close() {} };
}
