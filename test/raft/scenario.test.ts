import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transcript } from "./scenario.ts";

const DIRECTORY = join(import.meta.dirname!, "scenarios");

for (const name of readdirSync(DIRECTORY).filter((name) => name.endsWith(".txt")).sort()) {
  test(`scenario ${name} runs as written`, () => {
    const file = join(DIRECTORY, name);
    const written = readFileSync(file, "utf8");
    const happened = transcript(written);
    if (process.env.UPDATE === "1") writeFileSync(file, happened);
    else expect(happened.split("\n")).toEqual(written.split("\n"));
  });
}
