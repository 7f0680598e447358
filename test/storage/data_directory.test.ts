import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { openDataDirectory } from "../../src/storage/data_directory.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { StorageFormatError } from "../../src/storage/storage_errors.ts";
import { temporaryDirectory } from "./raft_log_fixture.ts";

const driver = await loadSqlite();
const RUN = fileURLToPath(new URL("data_directory_run.ts", import.meta.url).href);
const DENO = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url).href);
let temporary: ReturnType<typeof temporaryDirectory>;
let path: string;

beforeEach(() => {
  temporary = temporaryDirectory();
  path = join(temporary.path, "data");
});

afterEach(() => temporary.remove());

function refusal(at = path): string {
  try {
    openDataDirectory(driver, at).close();
  } catch (error) {
    expect(error).toBeInstanceOf(StorageFormatError);
    const { message } = error as Error;
    expect(message).toContain(at);
    expect(message).not.toContain("\n");
    return message;
  }
  throw new Error("the directory was opened");
}

test("openDataDirectory creates a directory for its owner only, and opens it again", () => {
  const nested = join(path, "a", "b");
  for (let round = 0; round < 2; round++) {
    const directory = openDataDirectory(driver, nested);
    expect(statSync(nested).mode & 0o777).toBe(0o700);
    expect(directory.logPath).toBe(join(nested, "log.db"));
    expect(directory.statePath).toBe(join(nested, "state.db"));
    directory.sync();
    directory.close();
    directory.close();
  }
  expect(readFileSync(join(nested, "format"), "utf8")).toBe("balsa data directory, format 1\n");
});

test("an empty directory, a new mount and a half written marker are taken", () => {
  mkdirSync(join(path, "lost+found"), { recursive: true });
  writeFileSync(join(path, "format.123.tmp"), "bal");
  openDataDirectory(driver, path).close();
  expect(existsSync(join(path, "format.123.tmp"))).toBe(false);
  expect(existsSync(join(path, "lost+found"))).toBe(true);
});

describe("a directory in use is refused", () => {
  test("in the same process, by another name too", () => {
    const directory = openDataDirectory(driver, path);
    const link = join(temporary.path, "link");
    symlinkSync(path, link);
    expect(refusal()).toContain("is in use by another Balsa process");
    expect(refusal(link)).toContain("is in use by another Balsa process");
    directory.close();
    openDataDirectory(driver, link).close();
  });

  for (const command of [[process.execPath], [DENO, "run", "-A", "--quiet"]]) {
    test(`by a second process (${command.length === 1 ? "Bun" : "Deno"})`, () => {
      const directory = openDataDirectory(driver, path);
      writeFileSync(join(path, "founding.json"), "untouched");
      const run = () => spawnSync(command[0], [...command.slice(1), RUN, path]).stdout.toString();
      expect(run()).toBe(`StorageFormatError: ${path} is in use by another Balsa process\n`);
      // And its failure did not take the lock away.
      expect(run()).toContain("is in use");
      expect(readdirSync(path).sort()).not.toContain("log.db");
      expect(readFileSync(join(path, "founding.json"), "utf8")).toBe("untouched");
      directory.close();
      expect(run()).toBe("held\n");
    });

    test(`until its holder is killed (${command.length === 1 ? "Bun" : "Deno"})`, async () => {
      const child = spawn(command[0], [...command.slice(1), RUN, path, "hold"]);
      const output = await new Promise((resolve) => child.stdout.once("data", resolve));
      expect(String(output)).toBe("held\n");
      expect(refusal()).toContain("is in use");
      const closed = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await closed;
      openDataDirectory(driver, path).close();
    });
  }
});

describe("what is not a data directory is refused and left as it is", () => {
  test("a file, and a path below a file", () => {
    writeFileSync(path, "mine");
    expect(refusal()).toContain("it is a file");
    expect(refusal(join(path, "below"))).toContain("a part of the path is a file");
    expect(readFileSync(path, "utf8")).toBe("mine");
  });

  test("a directory with other files", () => {
    mkdirSync(path);
    writeFileSync(join(path, "thesis.txt"), "mine");
    expect(refusal()).toContain('it holds "thesis.txt"');
    expect(readdirSync(path)).toEqual(["thesis.txt"]);
  });

  test("a log.db without the marker", () => {
    mkdirSync(path);
    writeFileSync(join(path, "log.db"), "");
    expect(refusal()).toContain('it holds "log.db" and no file "format"');
  });

  test("a state.db that has lost its log.db", () => {
    const { statePath, logPath, close } = openDataDirectory(driver, path);
    close();
    writeFileSync(statePath, "");
    expect(refusal()).toContain('it holds "state.db" and not the "log.db" that belongs to it');
    expect(existsSync(logPath)).toBe(false);
    writeFileSync(logPath, "");
    openDataDirectory(driver, path).close();
  });

  test("another program's format file", () => {
    mkdirSync(path);
    writeFileSync(join(path, "format"), "1\n");
    expect(refusal()).toContain('"format" is not Balsa\'s');
    expect(readdirSync(path)).toEqual(["format"]);
  });

  test("a newer format", () => {
    mkdirSync(path);
    writeFileSync(join(path, "format"), "balsa data directory, format 2\n");
    expect(refusal()).toContain("has format version 2, and this program reads up to 1");
    expect(readdirSync(path)).toEqual(["format"]);
  });

  test("a lock.db that is no database", () => {
    openDataDirectory(driver, path).close();
    writeFileSync(join(path, "lock.db"), "garbage".repeat(1000));
    expect(refusal()).toContain("lock.db is not Balsa's");
  });
});

const isRoot = process.getuid?.() === 0;

describe("a directory that cannot be written is refused", () => {
  test("by its permissions", () => {
    mkdirSync(path);
    if (!isRoot) {
      chmodSync(path, 0o500);
      expect(refusal()).toContain("permission denied");
      chmodSync(path, 0o700);
      return;
    }
    // Root may write anywhere: drop it in a child, where the runtime can be read at all.
    chmodSync(temporary.path, 0o755);
    chmodSync(path, 0o555);
    const run = spawnSync(process.execPath, [RUN, path], { uid: 65534, gid: 65534 });
    const output = String(run.stdout);
    if (output !== "") expect(output).toContain("permission denied");
    expect(readdirSync(path)).toEqual([]);
  });

  const small = ["-m", "sh", "-c"];
  const possible = spawnSync("unshare", [...small, "mount -t tmpfs -o ro none /mnt"]).status === 0;
  test.skipIf(!possible)(`by its mount${possible ? "" : ": no mount"}`, () => {
    mkdirSync(path);
    const script = 'mount -t tmpfs -o ro none "$0" && exec "$@"';
    const command = [script, path, process.execPath, RUN, path];
    const run = spawnSync("unshare", [...small, ...command], { encoding: "utf8" });
    expect(run.stdout).toContain("the file system is read-only");
  });
});
