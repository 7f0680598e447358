import { spawnSync } from "node:child_process";
import { scratchDirectory } from "./harness.ts";

export const MIB = 1024 * 1024;
export const DISK_MIB = 64;

const mounts = new Set<string>();

/** Takes down all that `smallDisk` has made. */
export function unmountAll(): void {
  for (const mount of mounts) spawnSync("umount", ["-l", mount]);
  mounts.clear();
}

process.on("exit", unmountAll);
/** A small file system of its own; undefined, with the reason printed, where that is forbidden. */
export function smallDisk(): string | undefined {
  const path = scratchDirectory();
  const words = ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", path];
  const result = spawnSync("mount", words, { encoding: "utf8" });
  if (result.status !== 0) {
    const reason = result.error?.message ?? result.stderr.trim();
    console.log(`disk full: skipped, cannot mount a small file system here (${reason})`);
    return undefined;
  }
  mounts.add(path);
  return path;
}
