import type { Disk } from "../storage/disk.ts";

/** Room kept free, so that what is already accepted can always be written. */
const RESERVE_BYTES_MAX = 32 * 1024 * 1024;
const RESERVE_SHARE = 0.05;
const CHECK_INTERVAL_MS = 100;

/** Bytes of the file system that holds `path` that are to stay free. */
export function diskReserveBytes(disk: Disk, path: string): number {
  return Math.min(RESERVE_BYTES_MAX, disk.totalBytes(path) * RESERVE_SHARE);
}

/** Tells when the file system of the data directory is nearly full. */
export class DiskGuard {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #reserveBytes: number;
  #checkedAtMs = -Infinity;
  #low = false;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#reserveBytes = diskReserveBytes(disk, path);
  }

  /** As of at most 100 ms ago; `nowMs` on a monotonic clock. */
  low(nowMs: number): boolean {
    if (nowMs - this.#checkedAtMs >= CHECK_INTERVAL_MS) {
      this.#checkedAtMs = nowMs;
      this.#low = this.#disk.freeBytes(this.#path) < this.#reserveBytes;
    }
    return this.#low;
  }
}
