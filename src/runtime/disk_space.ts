import { statfsSync } from "node:fs";

/** Bytes that an unprivileged process may still write to the file system that holds `path`. */
export function freeDiskBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Size of the file system that holds `path`, bytes. */
export function totalDiskBytes(path: string): number {
  const { blocks, bsize } = statfsSync(path);
  return blocks * bsize;
}
