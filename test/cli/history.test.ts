import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appendHistory, holdsSecret, loadHistory } from "../../cli/history.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "balsa-history-"));
  path = join(directory, "history");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("lines come back newest first, from a file for its owner alone", () => {
  appendHistory(path, "SET a 1");
  appendHistory(path, "  ");
  appendHistory(path, "GET a");
  expect(loadHistory(path)).toEqual(["GET a", "SET a 1"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a file that others could read is closed to them", () => {
  writeFileSync(path, "GET a\n");
  chmodSync(path, 0o644);
  appendHistory(path, "GET b");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("passwords are not kept", () => {
  const secrets = ["AUTH secret", "auth user secret", "HELLO 3 AUTH default secret"];
  secrets.push("CONFIG SET requirepass secret", "ACL SETUSER bob >secret", '"AUTH" secret');
  for (const line of secrets) appendHistory(path, line);
  expect(loadHistory(path)).toEqual([]);
  expect(holdsSecret("GET author")).toBe(false);
});

test("the file is trimmed when it has grown", () => {
  writeFileSync(path, Array.from({ length: 2_500 }, (_, i) => `GET ${i}\n`).join(""));
  const lines = loadHistory(path);
  expect(lines.length).toBe(1_000);
  expect(lines[0]).toBe("GET 2499");
  expect(readFileSync(path, "utf8").split("\n").length).toBe(1_001);
});

test("without a place to write to, lines are not kept and nothing fails", () => {
  appendHistory(join(directory, "missing", "history"), "GET a");
  expect(loadHistory(join(directory, "missing", "history"))).toEqual([]);
});
