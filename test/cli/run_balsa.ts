import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url).href);
const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url).href);

export interface Ended {
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `balsa` as a child on this runtime. */
export interface BalsaProcess {
  /** Ends when the process does. */
  readonly ended: Promise<Ended>;
  /**
   * Resolves with standard output so far, once it holds `text` (so many times); rejects when it
   * ends without.
   */
  output(text: string, times?: number): Promise<string>;
  /** The same of standard error, which has the log. */
  log(text: string): Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

export type BalsaRuntime = "bun" | "deno";

/** Starts `balsa` with these arguments, `environment` added to a bare one. */
export function startBalsa(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input?: string,
  runtime: BalsaRuntime = "bun",
): BalsaProcess {
  const { PATH } = process.env;
  const [program, ...before] = runtime === "bun"
    ? [process.execPath]
    : [join(BIN, "deno"), "run", "--allow-all", "--quiet"];
  const child = spawn(program, [...before, MAIN, ...args], { env: { PATH, ...environment } });
  let stdout = "";
  let stderr = "";
  const waiting: (() => void)[] = [];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    for (const check of waiting) check();
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    for (const check of waiting) check();
  });
  child.stdin.end(input);
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  const holds = (written: () => string, text: string, times: number) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        if (written().split(text).length > times) resolve(written());
      };
      waiting.push(check);
      check();
      ended.then(() => reject(new Error(`balsa ended: ${stdout}${stderr}`)));
    });
  return {
    ended,
    output: (text, times = 1) => holds(() => stdout, text, times),
    log: (text) => holds(() => stderr, text, 1),
    kill: (signal) => child.kill(signal),
  };
}

/** Runs `balsa` to its end. */
export function runBalsa(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = "",
): Promise<Ended> {
  return startBalsa(args, environment, input).ended;
}

/** A node on free ports in a directory of its own; `dispose` ends it and removes the directory. */
export async function startNode(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
) {
  const directory = mkdtempSync(join(tmpdir(), "balsa-cli-"));
  const ports = ["--port", "0", "--http-port", "auto"];
  const node = startBalsa(["serve", "--data", directory, ...ports, ...args], environment);
  const output = await node.output("ready to accept connections");
  const port = (pattern: RegExp) => Number(pattern.exec(output)?.[1]);
  return {
    node,
    output,
    directory,
    respPort: port(/RESP on \S+:(\d+)/),
    httpPort: port(/HTTP on \S+:(\d+)/),
    async dispose() {
      node.kill("SIGKILL");
      await node.ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
