import { createHash } from "node:crypto";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { type Disk, SYSTEM_DISK } from "./disk.ts";
import {
  descriptionPath,
  hashAside,
  installSnapshot,
  type SnapshotInfo,
  snapshotPath,
} from "./snapshot.ts";

/** Of an entry in the log. */
interface Position {
  readonly index: number;
  readonly term: number;
}

/**
 * The snapshots of one node: one current, and older ones for as long as a transfer reads them.
 * A snapshot's file never changes.
 */
export class SnapshotStore {
  readonly disk: Disk;
  readonly #directory: string;
  readonly #readers = new Map<string, number>();
  #current: SnapshotInfo | undefined;

  /**
   * Finds the snapshot in `directory` that the log stands at, else the newest; others and unfinished
   * ones are removed. A newer one is there too when it was given up for that one (see `adopt`) and
   * the power failed before its removal was on the disk.
   */
  constructor(directory: string, disk: Disk = SYSTEM_DISK, log?: Position) {
    this.disk = disk;
    this.#directory = directory;
    disk.makeDirectory(directory);
    const infos = disk.list(directory)
      .filter((name) => /^snapshot-.*\.json$/.test(name))
      .map((name) => readDescription(disk, join(directory, name)))
      .filter((info) => info !== undefined && this.#isWhole(info)) as SnapshotInfo[];
    this.#current = infos.find(({ index, term }) => index === log?.index && term === log.term) ??
      infos.sort(byPosition)[infos.length - 1];
    this.#removeOthers();
  }

  get directory(): string {
    return this.#directory;
  }

  get current(): SnapshotInfo | undefined {
    return this.#current;
  }

  /**
   * Makes a snapshot the current one; one that was made here only if that is not newer already.
   * One that a leader has sent it means to have installed: a newer one from the leader before it
   * would never be.
   */
  adopt(info: SnapshotInfo, from: "here" | "leader"): void {
    const old = this.#current;
    const isOlder = old !== undefined && byPosition(old, info) > 0;
    if (isOlder && from === "here") return this.#removeUnused(info);
    this.#current = info;
    if (old !== undefined && old.sha256 !== info.sha256) this.#removeUnused(old);
  }

  /** Opens a snapshot for a transfer; it is kept until the reader is closed. */
  read(info: SnapshotInfo): SnapshotReader {
    const { disk } = this;
    const fd = disk.open(snapshotPath(this.#directory, info), "r");
    this.#readers.set(info.sha256, (this.#readers.get(info.sha256) ?? 0) + 1);
    return new SnapshotReader(disk, info, fd, () => {
      const others = (this.#readers.get(info.sha256) ?? 1) - 1;
      if (others > 0) this.#readers.set(info.sha256, others);
      else this.#readers.delete(info.sha256);
      this.#removeUnused(info);
    });
  }

  /** Whether the current snapshot stands at this position. */
  holds({ index, term }: Position): boolean {
    return this.#current?.index === index && this.#current.term === term;
  }

  /** Gives up the current snapshot; its file goes when no transfer reads it. */
  forget(): void {
    const old = this.#current;
    this.#current = undefined;
    if (old !== undefined) this.#removeUnused(old);
  }

  /** Gives up a snapshot whose file is damaged. */
  drop(info: SnapshotInfo): void {
    if (this.#current?.sha256 === info.sha256) this.forget();
  }

  /** Puts the current snapshot in place of state.db: see `installSnapshot`. */
  install(statePath: string): void {
    const info = this.#current;
    assert(info !== undefined, "there is a snapshot to install");
    installSnapshot(this.#directory, info, statePath, this.disk);
    this.#current = undefined;
  }

  #isWhole(info: SnapshotInfo): boolean {
    return this.disk.size(snapshotPath(this.#directory, info)) === info.bytes;
  }

  #removeUnused(info: SnapshotInfo): void {
    if (info.sha256 === this.#current?.sha256 || this.#readers.has(info.sha256)) return;
    // The description first: a file without one does not count.
    this.disk.remove(descriptionPath(this.#directory, info));
    this.disk.remove(snapshotPath(this.#directory, info));
  }

  #removeOthers(): void {
    const keep = this.#current;
    const kept = keep === undefined
      ? []
      : [snapshotPath(this.#directory, keep), descriptionPath(this.#directory, keep)];
    for (const name of this.disk.list(this.#directory)) {
      const path = join(this.#directory, name);
      // A half received one may go on after a restart.
      if (kept.includes(path) || /^receive-[0-9a-f]{64}\.part$/.test(name)) continue;
      if (/^(snapshot|make)-/.test(name)) this.disk.remove(path);
    }
    this.disk.syncDirectory(this.#directory);
  }
}

/** Reads one snapshot in chunks, at bounded memory. */
export class SnapshotReader {
  readonly info: SnapshotInfo;
  readonly #disk: Disk;
  readonly #release: () => void;
  #fd: number | undefined;

  constructor(disk: Disk, info: SnapshotInfo, fd: number, release: () => void) {
    this.#disk = disk;
    this.info = info;
    this.#fd = fd;
    this.#release = release;
  }

  /** Up to `length` bytes from `offset`; fewer only at the end of the file. */
  readChunk(offset: number, length: number): Uint8Array {
    const chunk = new Uint8Array(Math.max(0, Math.min(length, this.info.bytes - offset)));
    this.fill(chunk, offset);
    return chunk;
  }

  /** Fills `chunk` from `offset`; throws DamagedSnapshot when the file does not give as much. */
  fill(chunk: Uint8Array, offset: number): void {
    let filled = 0;
    while (filled < chunk.length) {
      const read = this.#read(chunk, filled, offset + filled);
      if (read === 0) throw new DamagedSnapshot("the file is too short");
      filled += read;
    }
  }

  /** Reads all of it, other work going on meanwhile; rejects with DamagedSnapshot. */
  async verify(clock: Clock): Promise<void> {
    const hash = createHash("sha256");
    try {
      await hashAside(this.#disk, () => this.#fd, this.info.bytes, hash, clock);
    } catch (error) {
      throw unreadable(error);
    }
    if (this.#fd === undefined) throw new Error("it was closed");
    if (hash.digest("hex") !== this.info.sha256) {
      throw new DamagedSnapshot("its file has changed on this disk");
    }
  }

  #read(chunk: Uint8Array, at: number, offset: number): number {
    assert(this.#fd !== undefined, "a closed snapshot is not read");
    try {
      return this.#disk.read(this.#fd, chunk, at, chunk.length - at, offset);
    } catch (error) {
      throw unreadable(error);
    }
  }

  close(): void {
    if (this.#fd === undefined) return;
    this.#disk.close(this.#fd);
    this.#fd = undefined;
    this.#release();
  }
}

/** The file of a snapshot here is not what it was when it was made: another is to be made. */
export class DamagedSnapshot extends Error {
  override name = "DamagedSnapshot";
}

function unreadable(error: unknown): DamagedSnapshot {
  const reason = error instanceof Error ? error.message : String(error);
  return new DamagedSnapshot(`its file cannot be read: ${reason}`);
}

function byPosition(a: SnapshotInfo, b: SnapshotInfo): number {
  return a.index - b.index || a.term - b.term;
}

function readDescription(disk: Disk, path: string): SnapshotInfo | undefined {
  try {
    const info = JSON.parse(disk.readText(path) ?? "null") as SnapshotInfo | null;
    const isKnown = info !== null && /^[0-9a-f]{64}$/.test(info.sha256) &&
      typeof info.configuration === "string";
    return isKnown ? info : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
