import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Prng } from "../../src/base/prng.ts";
import type { LogWriterMode } from "../../src/storage/raft_log_types.ts";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { entry, plain, temporaryDirectory } from "./raft_log_fixture.ts";

const driver = await loadSqlite();
const WRITER = fileURLToPath(new URL("raft_log_writer.ts", import.meta.url).href);
const DENO = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url).href);
let directory: ReturnType<typeof temporaryDirectory>;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "log.db");
});

afterEach(() => directory.remove());

/** Starts a writer and kills it after `acknowledged` lines; returns the last index it printed. */
function killedWriter(acknowledged: number, writer: LogWriterMode): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, path, "1000000", writer], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("latin1");
    child.stdout.on("data", (text: string) => {
      output += text;
      if (output.split("\n").length - 1 > acknowledged) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () => {
      const lines = output.split("\n").slice(0, -1);
      resolve(Number(lines[lines.length - 1]));
    });
  });
}

test("every append acknowledged before kill -9 is there after a reopen", async () => {
  const random = new Prng(7);
  for (let round = 0; round < 8; round++) {
    const acknowledged = await killedWriter(
      1 + random.below(round % 2 === 0 ? 20 : 300),
      round % 4 < 2 ? "inline" : "worker",
    );
    const log = openRaftLog(driver, path, { cacheBytes: 0 });
    expect(log.wasClean).toBe(false);
    expect(log.lastIndex).toBeGreaterThanOrEqual(acknowledged);
    expect(log.lastIndex).toBeLessThanOrEqual(acknowledged + 500);
    expect(log.hardState.term).toBe(1);
    for (let index = log.firstIndex; index <= log.lastIndex; index++) {
      const found = log.entries(index, index + 1, 1e9)?.[0];
      expect(found && plain(found)).toEqual(plain(entry(index, 1, found?.data.length)));
    }
    log.close();
  }
}, 180_000);

describe("each runtime reads what the others wrote", () => {
  test("Bun and Deno in turn", () => {
    const commands = [[process.execPath], [DENO, "run", "-A", "--quiet"]];
    let last = 0;
    for (const [at, command] of [...commands, ...commands].entries()) {
      const words = [...command.slice(1), WRITER, path, "30", at < 2 ? "inline" : "worker"];
      const run = spawnSync(command[0], words, {
        encoding: "utf8",
      });
      expect(run.stderr).toBe("");
      const log = openRaftLog(driver, path, { cacheBytes: 0 });
      expect(log.wasClean).toBe(true);
      expect(log.lastIndex).toBeGreaterThan(last);
      expect(log.verify(1, Infinity)).toBeUndefined();
      last = log.lastIndex;
      log.close();
    }
  });
});

const hasStrace = spawnSync("strace", ["--version"]).status === 0;

const without = hasStrace ? "" : ": no strace";

test.skipIf(!hasStrace).each(["inline", "worker"])(
  `append (%s) fsyncs before it says so${without}`,
  (writer) => {
    const trace = join(directory.path, "trace");
    const run = spawnSync("strace", [
      ...["-f", "-o", trace, "-e", "trace=fsync,fdatasync,write"],
      ...[process.execPath, WRITER, path, "50", writer],
    ], { encoding: "utf8" });
    expect(run.status).toBe(0);
    // Which index was printed after how many syncs.
    let syncs = 0;
    let acknowledgements = 0;
    let sawOpen = false;
    for (const line of readFileSync(trace, "latin1").split("\n")) {
      if (/f(data)?sync\(\d+\)\s+= 0|f(data)?sync resumed>\)\s+= 0/.test(line)) syncs++;
      const printed = /write\(1, "(open|\d+)\\n"/.exec(line);
      if (printed === null) continue;
      if (printed[1] === "open") sawOpen = true;
      else {
        acknowledgements++;
        expect(syncs).toBeGreaterThan(0);
      }
      syncs = 0;
    }
    expect(sawOpen).toBe(true);
    expect(acknowledgements).toBe(50);
  },
  30_000,
);
