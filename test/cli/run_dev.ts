import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { RespClient } from "../../cli/resp_client.ts";
import type { Reply } from "../../src/resp/reply.ts";
import { type BalsaProcess, type BalsaRuntime, startBalsa } from "./run_balsa.ts";

const started: BalsaProcess[] = [];

/** Ends what a test has left running; the nodes end with it. */
export function killStarted(): void {
  for (const balsa of started.splice(0)) balsa.kill("SIGKILL");
}

export interface Dev {
  readonly balsa: BalsaProcess;
  readonly output: string;
  readonly ports: readonly number[];
}

/** Starts `balsa dev` on free ports; another program may take one first, so it tries again. */
export async function startDev(directory: string, runtime?: BalsaRuntime): Promise<Dev> {
  for (let attempt = 0;; attempt++) {
    const port = await freeBase();
    const flags = ["--port", `${port}`, "--http-port", "0", "--data", directory];
    const balsa = startBalsa(["dev", ...flags], {}, undefined, runtime);
    started.push(balsa);
    try {
      const output = await balsa.output("ready: ");
      return { balsa, output, ports: [port, port + 1, port + 2] };
    } catch (error) {
      if (attempt === 2 || !String(error).includes("in use")) throw error;
    }
  }
}

/**
 * A port with two more behind it that are free, and their peer ports; all below those that systems
 * give to outgoing connections.
 */
export async function freeBase(): Promise<number> {
  for (;;) {
    const base = 10_240 + Math.floor(Math.random() * 9990);
    const ports = [0, 1, 2].flatMap((i) => [base + i, base + 10_000 + i]);
    if ((await Promise.all(ports.map(isFree))).every((free) => free)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** The reply of one command, on a connection of its own. */
export async function call(port: number, ...argv: string[]): Promise<Reply> {
  const client = await RespClient.connect("127.0.0.1", port);
  try {
    return await client.call(...argv);
  } finally {
    client.close();
  }
}

/** Process ids of the nodes. */
export function pidsOf(ports: readonly number[]): Promise<number[]> {
  return Promise.all(ports.map(async (port) => {
    const info = String(await call(port, "INFO", "server"));
    return Number(/^process_id:(\d+)/m.exec(info)?.[1]);
  }));
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when none of these processes is there any more. */
export async function end(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Runs a test with a directory that is removed afterwards. */
export async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "balsa-dev-"));
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
