import { dirname } from "node:path";
import type { Disk } from "../../src/storage/disk.ts";
import type { MemoryDatabase } from "./sim_sqlite.ts";

/** A file: its bytes as the process sees them, and as the platter has them. */
export interface Inode {
  bytes: Uint8Array;
  durable: Uint8Array;
  /** Set once it was opened as a database. */
  database: MemoryDatabase | undefined;
}

/** What may go wrong in one operation that changes the disk: thrown by `before` and `after`. */
export interface DiskFaults {
  before(operation: string): void;
  after(operation: string): void;
  readonly isFull: boolean;
  /** A number in [0, 1). */
  random(): number;
}

const ROOM_BYTES = 2 ** 40;
const NOTHING = new Uint8Array(0);

/** The twin of storage/disk.ts: files in memory, which lose at a power loss what was not synced. */
export class SimDisk implements Disk {
  readonly names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #open = new Map<number, { inode: Inode; path: string }>();
  readonly #faults: DiskFaults;
  #nextFd = 3;

  constructor(faults: DiskFaults) {
    this.#faults = faults;
  }

  /** What is not durable is lost; of a file's unsynced end some may be there, or its length only. */
  losePower(): void {
    for (const path of [...this.names.keys()]) this.names.delete(path);
    for (const [path, inode] of this.#durableNames) this.names.set(path, inode);
    for (const inode of new Set(this.names.values())) {
      if (inode.database !== undefined) {
        inode.database.losePower();
        continue;
      }
      const { bytes, durable } = inode;
      const isGrown = bytes.length > durable.length;
      const kept = isGrown ? Math.floor(this.#faults.random() * (bytes.length + 1)) : 0;
      inode.bytes = kept > durable.length ? bytes.slice(0, kept) : durable.slice();
      if (kept > durable.length && this.#faults.random() < 0.5) {
        inode.bytes.fill(
          0,
          durable.length + Math.floor(this.#faults.random() * (kept - durable.length)),
        );
      }
      inode.durable = inode.bytes.slice();
    }
    this.#open.clear();
  }

  /** The process died: what it wrote stays. */
  killed(): void {
    for (const inode of new Set(this.names.values())) inode.database?.killed();
    this.#open.clear();
  }

  /** All is gone. */
  wipe(): void {
    for (const inode of new Set([...this.names.values(), ...this.#durableNames.values()])) {
      inode.database?.destroy();
    }
    this.names.clear();
    this.#durableNames.clear();
    this.#open.clear();
  }

  /** The file of a database, made when it is not there; its name is durable at once. */
  databaseFile(path: string): Inode {
    let inode = this.names.get(path);
    if (inode === undefined) {
      inode = { bytes: NOTHING, durable: NOTHING, database: undefined };
      this.names.set(path, inode);
      this.#durableNames.set(path, inode);
    }
    return inode;
  }

  open(path: string, flags: "r" | "r+" | "w" | "a"): number {
    let inode = this.names.get(path) ?? this.#walOf(path);
    if (inode === undefined) {
      if (flags === "r" || flags === "r+") throw systemError("ENOENT", path);
      this.#faults.before("create");
      inode = { bytes: NOTHING, durable: NOTHING, database: undefined };
      this.names.set(path, inode);
    } else if (flags === "w") {
      inode.bytes = NOTHING;
    }
    const fd = this.#nextFd++;
    this.#open.set(fd, { inode, path });
    return fd;
  }

  close(fd: number): void {
    this.#open.delete(fd);
  }

  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
    const { bytes } = this.#inode(fd);
    const piece = bytes.subarray(position, position + length);
    into.set(piece, offset);
    return piece.length;
  }

  write(fd: number, from: Uint8Array, offset: number, length: number, position: number): number {
    const inode = this.#inode(fd);
    this.#faults.before("write");
    if (this.#faults.isFull) throw systemError("ENOSPC", "write");
    const grown = new Uint8Array(Math.max(inode.bytes.length, position + length));
    grown.set(inode.bytes);
    grown.set(from.subarray(offset, offset + length), position);
    inode.bytes = grown;
    this.#faults.after("write");
    return length;
  }

  truncate(fd: number, bytes: number): void {
    const inode = this.#inode(fd);
    inode.bytes = inode.bytes.slice(0, bytes);
  }

  sync(fd: number): void {
    const inode = this.#inode(fd);
    this.#faults.before("fsync");
    if (inode.database === undefined) inode.durable = inode.bytes.slice();
    else inode.database.sync();
    this.#faults.after("fsync");
  }

  syncAside(fd: number): Promise<void> {
    return new Promise((resolve) => {
      this.sync(fd);
      resolve();
    });
  }

  syncDirectory(path: string): void {
    this.#faults.before("fsync directory");
    for (const name of [...this.#durableNames.keys()]) {
      if (dirname(name) === path && !this.names.has(name)) this.#durableNames.delete(name);
    }
    for (const [name, inode] of this.names) {
      if (dirname(name) === path) this.#durableNames.set(name, inode);
    }
    this.#faults.after("fsync directory");
  }

  rename(from: string, to: string): void {
    const inode = this.names.get(from);
    if (inode === undefined) throw systemError("ENOENT", from);
    this.#faults.before("rename");
    this.names.delete(from);
    this.names.set(to, inode);
    this.#faults.after("rename");
  }

  remove(path: string): void {
    if (!this.names.has(path)) return;
    this.#faults.before("remove");
    this.names.delete(path);
    this.#faults.after("remove");
  }

  list(directory: string): string[] {
    const names: string[] = [];
    for (const path of this.names.keys()) {
      if (dirname(path) === directory) names.push(path.slice(directory.length + 1));
    }
    return names.sort();
  }

  makeDirectory(): void {}

  size(path: string): number | undefined {
    return (this.names.get(path) ?? this.#walOf(path))?.bytes.length;
  }

  readText(path: string): string | undefined {
    const inode = this.names.get(path);
    return inode && new TextDecoder().decode(inode.bytes);
  }

  freeBytes(): number {
    return this.#faults.isFull ? 0 : ROOM_BYTES;
  }

  totalBytes(): number {
    return ROOM_BYTES;
  }

  /** The -wal file of a database stands for what it has not synced. */
  #walOf(path: string): Inode | undefined {
    const inode = path.endsWith("-wal") ? this.names.get(path.slice(0, -4)) : undefined;
    return inode?.database === undefined ? undefined : inode;
  }

  #inode(fd: number): Inode {
    const file = this.#open.get(fd);
    if (file === undefined) throw systemError("EBADF", String(fd));
    return file.inode;
  }
}

export function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
