import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  checkNodeVersion,
  checkSqliteVersion,
  loadSqlite,
  textColumn,
  textOf,
} from "../../src/storage/sqlite.ts";
import type { SqliteDriverName } from "../../src/storage/sqlite_types.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);
const RUN = join(ROOT, "test/storage/sqlite_driver_run.ts");

test("checkSqliteVersion refuses a version older than 3.51.3", () => {
  for (const version of ["3.51.3", "3.51.10", "3.52.0", "3.54.1", "4.0.0"]) {
    checkSqliteVersion(version, "x");
  }
  for (const version of ["3.51.2", "3.50.9", "3.9.0", "2.99.99", "3.51", ""]) {
    expect(() => checkSqliteVersion(version, "x")).toThrow(/Cannot use x: .*3\.51\.3/);
  }
});

test("checkNodeVersion refuses Node before 22", () => {
  for (const version of ["22.0.0", "24.21.0", "100.0.0"]) checkNodeVersion(version);
  for (const version of ["20.20.2", "21.9.9", "18.0.0"]) {
    expect(() => checkNodeVersion(version)).toThrow(`Node ${version}: Node >= 22 is needed`);
  }
});

test("loadSqlite picks bun:sqlite on Bun", async () => {
  expect((await loadSqlite()).name).toBe("bun:sqlite");
});

test("textColumn and textOf read TEXT as a BLOB where the driver cuts it at a NUL", async () => {
  const driver = await loadSqlite();
  expect(textColumn(driver, "v")).toBe("v");
  expect(textColumn({ ...driver, textKeepsNul: false }, "v")).toBe("CAST(v AS BLOB)");
  expect(textOf("a\0\xff")).toBe("a\0\xff");
  expect(textOf(new Uint8Array([97, 0, 0xc3, 0xbf]))).toBe("a\0\xff");
});

const DENO = [join(ROOT, "node_modules/.bin/deno"), "run", "-A", "--quiet"];
const node = findNode();

const PAIRS: readonly (readonly [string, readonly string[], readonly SqliteDriverName[]])[] = [
  ["bun", [process.execPath], ["bun:sqlite", "better-sqlite3", "node:sqlite"]],
  ["deno", DENO, ["node:sqlite", "better-sqlite3"]],
  ["node", node.command, ["better-sqlite3", "node:sqlite"]],
];

describe("the driver suite", () => {
  for (const [runtime, command, names] of PAIRS) {
    for (const name of names) {
      const skipped = command.length === 0;
      test.skipIf(skipped)(`${runtime} + ${name}${skipped ? `: ${node.reason}` : ""}`, () => {
        const run = spawnSync(command[0], [...command.slice(1), RUN, name], { encoding: "utf8" });
        expect(run.stderr.replaceAll(/.*ExperimentalWarning.*\n|.*--trace-warnings.*\n/g, ""))
          .toBe("");
        expect(run.stdout).toMatch(/^\d+ cases passed on /);
      });
    }
  }
});

function findNode(): { command: readonly string[]; reason: string } {
  const path = process.env.BALSA_NODE ?? "node";
  const run = spawnSync(path, ["--version"], { encoding: "utf8" });
  const version = run.status === 0 ? run.stdout.trim() : "";
  if (Number.parseInt(version.slice(1)) >= 22) return { command: [path], reason: "" };
  const found = version === "" ? "no node was found" : `${path} is ${version}`;
  return { command: [], reason: `skipped, ${found} and Node >= 22 is needed (BALSA_NODE)` };
}
