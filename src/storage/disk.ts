import {
  closeSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import process from "node:process";
import { errnoOf, syncFile } from "./files.ts";

/**
 * The files beside the databases, given from outside so that a test can lose what was not synced.
 * Failures throw the system's errors.
 */
export interface Disk {
  /** "w" and "a" create it, readable by its owner only. */
  open(path: string, flags: "r" | "r+" | "w" | "a"): number;
  close(fd: number): void;
  /** Bytes read; 0 at the end of the file. */
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  /** Bytes written, from `position` on. */
  write(fd: number, from: Uint8Array, offset: number, length: number, position: number): number;
  truncate(fd: number, bytes: number): void;
  /** Makes a file's bytes durable. */
  sync(fd: number): void;
  /** The same without holding up the loop. */
  syncAside(fd: number): Promise<void>;
  /** Makes the names in a directory durable: files created, renamed and removed. */
  syncDirectory(path: string): void;
  rename(from: string, to: string): void;
  /** Does nothing when it is not there. */
  remove(path: string): void;
  list(directory: string): string[];
  makeDirectory(path: string): void;
  /** Undefined when there is no such file. */
  size(path: string): number | undefined;
  /** The UTF-8 text of a file; undefined when there is none. */
  readText(path: string): string | undefined;
  /** Bytes that may still be written to the file system that holds `path`. */
  freeBytes(path: string): number;
  /** Size of that file system, bytes. */
  totalBytes(path: string): number;
}

export const SYSTEM_DISK: Disk = {
  open: (path, flags) => openSync(path, flags, 0o600),
  close: closeSync,
  read: readSync,
  write: writeSync,
  truncate: ftruncateSync,
  sync: fsyncSync,
  syncAside: (fd) =>
    new Promise((resolve, reject) => {
      fsync(fd, (error) => error === null ? resolve() : reject(error));
    }),
  syncDirectory(path) {
    // Windows has no handle of a directory to sync; NTFS journals its names.
    if (process.platform !== "win32") syncFile(SYSTEM_DISK, path);
  },
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  list: (directory) => readdirSync(directory),
  makeDirectory: (path) => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  },
  size: (path) => statSync(path, { throwIfNoEntry: false })?.size,
  readText(path) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  },
  freeBytes(path) {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  },
  totalBytes(path) {
    const { blocks, bsize } = statfsSync(path);
    return blocks * bsize;
  },
};
