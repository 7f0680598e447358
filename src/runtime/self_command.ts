import process from "node:process";
import { RUNTIME_NAME } from "./runtime.ts";

/** How to start this program once more: a program and the arguments before its own. */
export interface SelfCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** From source that is the runtime with the script; a compiled executable needs no arguments. */
export function selfCommand(): SelfCommand {
  const program = process.execPath;
  const script = process.argv[1];
  if (isCompiled(script)) return { program, args: [] };
  if (RUNTIME_NAME === "deno") return { program, args: ["run", "--allow-all", "--quiet", script] };
  return { program, args: [...process.execArgv, script] };
}

/** Bun's executables hold their files under a root of their own. */
const BUN_ROOT = /^(?:\/\$bunfs\/|[A-Za-z]:[\\/]~BUN[\\/])/;

/** Whether this program is an executable made by `bun build --compile`. */
export function isBunExecutable(): boolean {
  return RUNTIME_NAME === "bun" && BUN_ROOT.test(process.argv[1] ?? "");
}

function isCompiled(script: string): boolean {
  if (RUNTIME_NAME === "bun") return BUN_ROOT.test(script);
  const { Deno } = globalThis as { Deno?: { build?: { standalone?: boolean } } };
  return Deno?.build?.standalone === true;
}
