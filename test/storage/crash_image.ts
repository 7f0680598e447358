import { copyFileSync, existsSync } from "node:fs";

/** Copies a database as a crash of its process would leave it now; returns `to`. */
export function crashImage(from: string, to: string): string {
  copyFileSync(from, to);
  if (existsSync(`${from}-wal`)) copyFileSync(`${from}-wal`, `${to}-wal`);
  return to;
}
