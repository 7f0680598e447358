import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);

function compile(args: readonly string[], cwd = ROOT, environment: Record<string, string> = {}) {
  const env = { ...process.env, ...environment };
  const command = join(cwd, "compile.sh");
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** A copy of the tree that may have a dist/ of its own. */
function makeTree(): string {
  const tree = mkdtempSync(join(tmpdir(), "balsa-compile-"));
  copyFileSync(join(ROOT, "compile.sh"), join(tree, "compile.sh"));
  for (const name of ["cli", "src", "test", "node_modules", "package.json", "deno.json"]) {
    symlinkSync(join(ROOT, name), join(tree, name));
  }
  return tree;
}

describe("compile.sh", () => {
  test("--help names the targets of both", () => {
    const { status, stdout } = compile(["--help"]);
    expect(status).toBe(0);
    expect(stdout).toContain("aarch64-apple-darwin");
    expect(stdout).toContain("bun-windows-x64");
    expect(stdout).toContain("DENORT_BIN");
  });

  const REFUSED: [string[], string][] = [
    [["--with", "node"], "compile.sh: --with must be deno or bun, not node\n"],
    [["--with"], "compile.sh: --with needs a value (--help lists them)\n"],
    [["--fast"], "compile.sh: unknown argument --fast (--help lists them)\n"],
    [["--target", "bun-linux-x64"], "compile.sh: deno has no target bun-linux-x64; it has: "],
    [
      ["--with=bun", "--target=x86_64-apple-darwin"],
      "compile.sh: bun has no target x86_64-apple-darwin; it has: ",
    ],
  ];
  for (const [args, message] of REFUSED) {
    test(`${args.join(" ")} is refused`, () => {
      const { status, stderr } = compile(args);
      expect({ status, message: stderr.slice(0, message.length) }).toEqual({ status: 2, message });
    });
  }

  test("a DENORT_BIN that is not there is named", () => {
    const { status, stderr } = compile([], ROOT, { DENORT_BIN: "/nowhere/denort" });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: "compile.sh: DENORT_BIN names no file: /nowhere/denort\n",
    });
  });

  test("--with bun makes a program that runs without node_modules", () => {
    const tree = makeTree();
    try {
      const made = compile(["--with", "bun"], tree);
      expect({ status: made.status, stderr: made.stderr }).toMatchObject({ status: 0 });
      const away = join(tree, "away");
      mkdirSync(away);
      const program = join(tree, "dist", "balsa");
      const version = spawnSync(program, ["version"], { cwd: away, encoding: "utf8" });
      expect(version.stdout).toMatch(/^balsa \d+\.\d+\.\d+ .*bun/);
      // What of test/ belongs to the program is in it.
      const words = ["check", "--addr", "127.0.0.1:1"];
      const checked = spawnSync(program, words, { cwd: away, encoding: "utf8" });
      expect(checked.stderr).toContain("Could not connect to Balsa at 127.0.0.1:1");
    } finally {
      rmSync(tree, { recursive: true });
    }
  }, 180_000);
});
