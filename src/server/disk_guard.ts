import type { Disk } from "../storage/disk.ts";

/** Room kept free, so that what is already accepted can always be written. */
const RESERVE_BYTES_MAX = 32 * 1024 * 1024;
const RESERVE_SHARE = 0.05;
/** Of the reserve: with less left the next append may find no room. */
const EXHAUSTED_SHARE = 0.25;
const CHECK_INTERVAL_MS = 100;

/** Bytes of the file system that holds `path` that are to stay free. */
export function diskReserveBytes(disk: Disk, path: string): number {
  return Math.min(RESERVE_BYTES_MAX, disk.totalBytes(path) * RESERVE_SHARE);
}

/** Tells when the file system of the data directory is nearly full, as of at most 100 ms ago. */
export class DiskGuard {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #reserveBytes: number;
  #checkedAtMs = -Infinity;
  #freeBytes = Infinity;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#reserveBytes = diskReserveBytes(disk, path);
  }

  /** Whether nothing new should be accepted; `nowMs` on a monotonic clock. */
  low(nowMs: number): boolean {
    return this.#free(nowMs) < this.#reserveBytes;
  }

  /** Whether also what others have accepted may find no room here. */
  exhausted(nowMs: number): boolean {
    return this.#free(nowMs) < this.#reserveBytes * EXHAUSTED_SHARE;
  }

  #free(nowMs: number): number {
    if (nowMs - this.#checkedAtMs >= CHECK_INTERVAL_MS) {
      this.#checkedAtMs = nowMs;
      this.#freeBytes = this.#disk.freeBytes(this.#path);
    }
    return this.#freeBytes;
  }
}
