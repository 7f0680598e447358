import { expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startNode } from "./run_balsa.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url).href);
// util-linux's script gives a program a terminal.
const HAS_SCRIPT = spawnSync("script", ["--version"]).stdout?.includes("util-linux") ?? false;

/** Types each line when the prompt for it has come; returns all that the terminal showed. */
function typeLines(port: number, historyPath: string, lines: readonly string[]): Promise<string> {
  const command = `'${process.execPath}' '${MAIN}' cli -p ${port} --history '${historyPath}'`;
  const env = { ...process.env, TERM: "xterm" };
  const child = spawn("script", ["-qec", command, "/dev/null"], { env });
  let shown = "";
  let seen = 0;
  const left = [...lines];
  child.stdout.on("data", (chunk) => {
    shown += chunk;
    // The prompt, then where the cursor stands after it.
    const prompt = shown.slice(seen).search(/> .\[\d+G/);
    if (prompt < 0 || left.length === 0) return;
    seen = shown.length;
    child.stdin.write(left.shift() + "\r");
  });
  return new Promise((resolve) => child.on("close", () => resolve(shown)));
}

test.skipIf(!HAS_SCRIPT)("the prompt runs commands, follows SELECT and MULTI, helps", async () => {
  const { respPort, directory, dispose } = await startNode();
  const historyPath = join(directory, "history");
  try {
    const lines = ['set k "a b"', "get k", "select 3", "auth hunter2", 'get "k', "help get"];
    const shown = await typeLines(respPort, historyPath, [...lines, "quit"]);
    expect(shown).toContain(`127.0.0.1:${respPort}> `);
    expect(shown).toContain('\r\n"a b"\r\n');
    expect(shown).toContain(`127.0.0.1:${respPort}[3]> `);
    expect(shown).toContain("Invalid argument(s)\r\n");
    expect(shown).toMatch(/GET key\r\n {2}summary: /);
    expect(readFileSync(historyPath, "utf8").split("\n"))
      .toEqual([...lines.filter((line) => !line.startsWith("auth")), "quit", ""]);
    expect(statSync(historyPath).mode & 0o777).toBe(0o600);
  } finally {
    await dispose();
  }
}, 180_000);
