import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import { type Clock, SYSTEM_CLOCK } from "../base/clock.ts";
import { type Disk, SYSTEM_DISK } from "./disk.ts";
import { hashAside, publish, type SnapshotInfo } from "./snapshot.ts";

/**
 * Takes a snapshot in chunks, in order, into a temporary file. What was received outlives the
 * process, so that a transfer goes on where it ended. Nothing here blocks the loop for long.
 */
export class SnapshotReceiver {
  readonly info: SnapshotInfo;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #path: string;
  #fd: number | undefined;
  #offset = 0;
  /** Of the bytes up to #offset. */
  #hash: Hash = createHash("sha256");

  private constructor(directory: string, info: SnapshotInfo, disk: Disk) {
    assert(/^[0-9a-f]{64}$/.test(info.sha256), "a snapshot is named by its SHA-256");
    this.info = info;
    this.#disk = disk;
    this.#directory = directory;
    this.#path = join(directory, `receive-${info.sha256}.part`);
    disk.makeDirectory(directory);
    removeParts(disk, directory, this.#path);
    disk.close(disk.open(this.#path, "a"));
    this.#fd = disk.open(this.#path, "r+");
  }

  /** Starts to receive a snapshot, or goes on where an earlier transfer of it ended. */
  static async open(
    directory: string,
    info: SnapshotInfo,
    disk: Disk = SYSTEM_DISK,
    clock: Clock = SYSTEM_CLOCK,
  ): Promise<SnapshotReceiver> {
    const receiver = new SnapshotReceiver(directory, info, disk);
    try {
      await receiver.#hashReceived(clock);
    } catch (error) {
      receiver.close();
      throw error;
    }
    return receiver;
  }

  /** Bytes received: where the next chunk starts. */
  get offset(): number {
    return this.#offset;
  }

  /** Writes the next chunk. False for one that does not follow, or exceeds the size. */
  write(offset: number, chunk: Uint8Array): boolean {
    assert(this.#fd !== undefined, "nothing is received after the end");
    if (offset !== this.#offset || offset + chunk.length > this.info.bytes) return false;
    for (let done = 0; done < chunk.length;) {
      done += this.#disk.write(this.#fd, chunk, done, chunk.length - done, offset + done);
    }
    this.#hash.update(chunk);
    this.#offset += chunk.length;
    return true;
  }

  /** Has what was received written to the disk, so that the end has little left to do. */
  sync(): Promise<void> {
    const fd = this.#fd;
    assert(fd !== undefined, "an open file is synced");
    return this.#disk.syncAside(fd);
  }

  /**
   * Ends the transfer: verifies size and hash and makes the file durable. False when they do not
   * match: all has been discarded and the transfer starts over.
   */
  async finish(): Promise<boolean> {
    assert(this.#fd !== undefined, "a transfer ends once");
    const isWhole = this.#offset === this.info.bytes;
    if (!isWhole || this.#hash.digest("hex") !== this.info.sha256) {
      this.#disk.truncate(this.#fd, 0);
      this.#offset = 0;
      this.#hash = createHash("sha256");
      return false;
    }
    await this.sync();
    this.close();
    publish(this.#directory, this.#path, this.info, this.#disk);
    return true;
  }

  /** Stops; what was received is kept for another try. */
  close(): void {
    if (this.#fd !== undefined) this.#disk.close(this.#fd);
    this.#fd = undefined;
  }

  /** Stops and gives the room on the disk back. */
  discard(): void {
    this.close();
    this.#disk.remove(this.#path);
  }

  async #hashReceived(clock: Clock): Promise<void> {
    const size = Math.min(this.#disk.size(this.#path) ?? 0, this.info.bytes);
    this.#offset = await hashAside(this.#disk, () => this.#fd, size, this.#hash, clock);
  }
}

/** Removes what was received of any snapshot; `keep`: but for this file. */
export function removeParts(disk: Disk, directory: string, keep = ""): void {
  for (const name of disk.list(directory)) {
    const path = join(directory, name);
    if (name.startsWith("receive-") && path !== keep) disk.remove(path);
  }
}
