import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { scratchDirectory } from "../system/harness.ts";

const DISK_MIB = 192;
/** FS_IOC_SHUTDOWN of linux/fs.h, and its "do not flush": what is not on the disk is lost. */
const SHUTDOWN = 0x8004587d;
const NO_LOG_FLUSH = 2;

/** Where a node has its data. */
export interface Disk {
  /** Its data directory. */
  readonly data: string;
  /** What can happen to it. */
  readonly canLosePower: boolean;
  readonly canFill: boolean;
  /** From now on nothing reaches it, and what was not synced is gone. */
  cutPower(): void;
  /** The disk as it is after the power came back; its node must have ended. */
  restorePower(): void;
  /** Takes all of its room, and gives it back. */
  fill(): void;
  free(): void;
  /** Takes it down; what was on it is gone. */
  close(): void;
}

/** Makes disks of the best kind that the system allows, and says what cannot be done on them. */
export class Disks {
  readonly name: string;
  readonly #make: () => Disk;
  readonly #made: Disk[] = [];

  constructor(log: (text: string) => void) {
    process.on("exit", () => this.close());
    try {
      const disk = new MountedDisk("ext4");
      this.#made.push(disk);
      disk.cutPower();
      disk.restorePower();
      this.name = "ext4 on loop devices";
      this.#make = () => new MountedDisk("ext4");
      return;
    } catch (error) {
      log(`power loss: skipped, there can be no disk that is cut off here (${text(error)})`);
    }
    try {
      this.#made.push(new MountedDisk("tmpfs"));
      this.name = "tmpfs";
      this.#make = () => new MountedDisk("tmpfs");
    } catch (error) {
      log(`full disk: skipped, a small file system cannot be mounted here (${text(error)})`);
      this.name = "plain directories";
      this.#make = () => new PlainDisk();
    }
  }

  make(): Disk {
    const disk = this.#make();
    this.#made.push(disk);
    return disk;
  }

  close(): void {
    for (const disk of this.#made.splice(0)) disk.close();
  }
}

/** A directory like any other. */
class PlainDisk implements Disk {
  readonly data = join(scratchDirectory(), "data");
  readonly canLosePower: boolean = false;
  readonly canFill: boolean = false;
  cutPower(): void {}
  restorePower(): void {}
  fill(): void {}
  free(): void {}
  close(): void {
    rmSync(this.data, { recursive: true, force: true });
  }
}

/** A file system of its own that has little room. */
class MountedDisk implements Disk {
  readonly #mount = scratchDirectory();
  /** The file that holds an ext4; undefined: a tmpfs. */
  readonly #image: string | undefined;
  readonly data = join(this.#mount, "data");
  readonly canLosePower: boolean;
  readonly canFill = true;

  constructor(kind: "ext4" | "tmpfs") {
    this.canLosePower = kind === "ext4";
    if (kind === "tmpfs") {
      run("mount", "-t", "tmpfs", "-o", `size=${DISK_MIB / 2}m`, "tmpfs", this.#mount);
    } else {
      this.#image = join(scratchDirectory(), "disk");
      const file = openSync(this.#image, "w");
      ftruncateSync(file, DISK_MIB * 1024 * 1024);
      closeSync(file);
      run("mkfs.ext4", "-q", "-F", this.#image);
      run("mount", "-o", "loop", this.#image, this.#mount);
    }
    mkdirSync(this.data);
  }

  cutPower(): void {
    const script = `sysopen(F, $ARGV[0], 0) or die "open: $!"; ` +
      `my $how = pack("L", ${NO_LOG_FLUSH}); ioctl(F, ${SHUTDOWN}, $how) or die "ioctl: $!"`;
    run("perl", "-e", script, this.#mount);
  }

  restorePower(): void {
    if (this.#image === undefined) return;
    run("umount", this.#mount);
    run("mount", "-o", "loop", this.#image, this.#mount);
  }

  fill(): void {
    spawnSync("dd", ["if=/dev/zero", `of=${this.#filler}`, "bs=64k"]);
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  close(): void {
    spawnSync("umount", ["-l", this.#mount]);
    if (this.#image !== undefined) rmSync(this.#image, { force: true });
  }

  get #filler(): string {
    return join(this.#mount, "filler");
  }
}

function run(...words: string[]): void {
  const { status, stderr, error } = spawnSync(words[0], words.slice(1), { encoding: "utf8" });
  if (status === 0 && error === undefined) return;
  throw new Error(`${words[0]}: ${error?.message ?? stderr.trim()}`);
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
