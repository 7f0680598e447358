import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe as describeFlag } from "../../cli/flags.ts";
import { SERVE_FLAGS } from "../../cli/serve_flags.ts";
import { startNode } from "./run_balsa.ts";

const README = readFileSync(
  fileURLToPath(new URL("../../README.md", import.meta.url).href),
  "utf8",
);

/** The rows of the README's tables, cells trimmed, as deno fmt may have padded them. */
const ROWS = README.split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));

function hasTool(name: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${name}`]);
    return true;
  } catch {
    return false;
  }
}

describe("README.md", () => {
  test("its table of flags is that of the program", () => {
    const expected = Object.entries(SERVE_FLAGS).map(([name, flag]) => {
      const placeholder = flag.kind.placeholder.replaceAll("|", "\\|");
      return [`\`--${name}${placeholder ? " " + placeholder : ""}\``, describeFlag(flag)];
    });
    expect(ROWS.filter(([first]) => first.startsWith("`--"))).toEqual(expected);
  });

  test("its table of dependencies is that of package.json", () => {
    const manifest = readFileSync(
      fileURLToPath(new URL("../../package.json", import.meta.url).href),
      "utf8",
    );
    const names = Object.keys(JSON.parse(manifest).dependencies).map((name) => `\`${name}\``);
    const listed = ROWS.map(([first]) => first).filter((first) => names.includes(first));
    expect(listed.sort()).toEqual(names.sort());
  });

  test.skipIf(!hasTool("redis-cli") || !hasTool("curl"))("its examples answer so", async () => {
    const { respPort, httpPort, dispose } = await startNode();
    try {
      const shown = /```console\n(.*?)```/s.exec(README)![1];
      let answers = "";
      for (const line of shown.split("\n").filter((text) => text.startsWith("$ "))) {
        const command = line.slice(2).replace("6379", String(respPort))
          .replace("8080", String(httpPort));
        const output = execFileSync("sh", ["-c", command], { encoding: "utf8" });
        answers += `${line}\n${output.trimEnd()}\n`;
      }
      expect(answers).toBe(shown);
    } finally {
      await dispose();
    }
  });
});
