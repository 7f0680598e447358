import { dirname } from "node:path";
import type { Disk } from "./disk.ts";

/** The code of a failed system call ("ENOENT"); undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Makes a file's bytes durable. */
export function syncFile(disk: Disk, path: string): void {
  const fd = disk.open(path, "r");
  try {
    disk.sync(fd);
  } finally {
    disk.close(fd);
  }
}

/** Writes a file anew; its bytes are durable when this returns, its name not yet. */
export function writeWhole(disk: Disk, path: string, content: Uint8Array): void {
  const fd = disk.open(path, "w");
  try {
    for (let done = 0; done < content.length;) {
      done += disk.write(fd, content, done, content.length - done, done);
    }
    disk.sync(fd);
  } finally {
    disk.close(fd);
  }
}

/** Puts a file in place, whole or not at all, and durable when this returns. */
export function writeFileDurably(disk: Disk, path: string, content: Uint8Array): void {
  const temporary = `${path}.tmp`;
  writeWhole(disk, temporary, content);
  disk.rename(temporary, path);
  disk.syncDirectory(dirname(path));
}
