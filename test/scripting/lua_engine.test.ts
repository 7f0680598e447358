import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { balsaCommand, type Runtime } from "../system/harness.ts";

const RUN = fileURLToPath(new URL("lua_engine_run.ts", import.meta.url).href);

interface Outcome {
  readonly text: string;
  readonly kind: string;
  readonly bytes: string;
}

async function outcomesOn(runtime: Runtime): Promise<readonly Outcome[]> {
  const [program, ...args] = balsaCommand(runtime)!.slice(0, -1);
  const child = spawn(program, [...args, RUN], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => output += chunk);
  child.stderr.on("data", (chunk) => errors += chunk);
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`${runtime} ended with ${code}: ${errors}`);
  return JSON.parse(output);
}

const onBun = outcomesOn("bun");

function kindOf(outcomes: readonly Outcome[], text: string): string {
  return outcomes.find((outcome) => outcome.text.startsWith(text))?.kind ?? "none";
}

describe("LuaEngine", () => {
  test("ends what does not end by itself", async () => {
    const outcomes = await onBun;
    const endless = outcomes.filter(({ text }) => text.includes("while true"));
    expect(endless.length).toBeGreaterThan(8);
    for (const { text, kind } of endless) {
      expect(`${text}: ${kind}`).toMatch(/: (exhausted|failed)$/);
    }
  }, 180_000);

  test("keeps nothing of a run, and tells failures apart", async () => {
    const outcomes = await onBun;
    expect(outcomes.find(({ text }) => text === "return rawget(_G, 'leak')")?.bytes).toBe("_");
    expect(kindOf(outcomes, "leak = 1")).toBe("failed");
    expect(kindOf(outcomes, "syntax error")).toBe("error");
    expect(kindOf(outcomes, "return {1, 2.5")).toBe("done");
  }, 180_000);

  for (const runtime of ["deno", "node"] as const) {
    test.skipIf(balsaCommand(runtime) === undefined)(
      `does to the byte on ${runtime} what it does on bun`,
      async () => {
        expect(await outcomesOn(runtime)).toEqual(await onBun as Outcome[]);
      },
      180_000,
    );
  }
});
