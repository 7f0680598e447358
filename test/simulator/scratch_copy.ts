import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's own folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);

/** A copy of the program that bugs are planted in; it is removed at the end of the process. */
export class ScratchCopy {
  readonly path = mkdtempSync(join(tmpdir(), "balsa-mutants-"));

  /** `folders`: what is needed beside src/. */
  constructor(folders: readonly string[]) {
    for (const folder of folders) {
      cpSync(join(ROOT, folder), join(this.path, folder), { recursive: true });
    }
    cpSync(join(ROOT, "package.json"), join(this.path, "package.json"));
    symlinkSync(join(ROOT, "node_modules"), join(this.path, "node_modules"));
    // A repository of its own, so that patches apply to the copy and to nothing else.
    spawnSync("git", ["init", "--quiet"], { cwd: this.path });
  }

  /** Plants one bug, and no other; returns why it does not apply, or undefined. */
  plant(patch: string): string | undefined {
    const src = join(this.path, "src");
    rmSync(src, { recursive: true, force: true });
    cpSync(join(ROOT, "src"), src, { recursive: true });
    const applied = spawnSync("git", ["apply", patch], { cwd: this.path, encoding: "utf8" });
    return applied.status === 0 ? undefined : applied.stderr;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Whether a patch applies to the program as it is: what git says against it, or undefined. */
export function problemOf(patch: string): string | undefined {
  const { status, stderr } = spawnSync("git", ["apply", "--check", patch], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return status === 0 ? undefined : stderr;
}

/** The patches in a folder, by name; only those `wanted`, if any are. */
export function patchesIn(
  folder: string,
  wanted: readonly string[],
): (readonly [name: string, path: string])[] {
  return readdirSync(join(ROOT, folder)).filter((file) => file.endsWith(".patch")).sort()
    .map((file) => [file.replace(".patch", ""), join(ROOT, folder, file)] as const)
    .filter(([name]) => wanted.length === 0 || wanted.includes(name));
}
