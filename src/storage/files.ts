import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";

/** Makes the names in a directory durable: files created, renamed and removed. */
export function fsyncDirectory(path: string): void {
  // Windows has no handle of a directory to sync; NTFS journals its names.
  if (process.platform === "win32") return;
  fsyncFile(path);
}

/** Makes a file's bytes durable. */
export function fsyncFile(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The code of a failed system call ("ENOENT"); undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Puts a file in place, whole or not at all, and durable when this returns. */
export function writeFileDurably(path: string, content: Uint8Array): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, content, { mode: 0o600 });
  fsyncFile(temporary);
  renameSync(temporary, path);
  fsyncDirectory(dirname(path));
}
