import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { arch, platform, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the repository. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** What a Balsa under test runs on; "binary" is `dist/balsa`. */
export type Runtime = "bun" | "deno" | "node" | "binary";

export interface BalsaOptions {
  readonly runtime?: Runtime;
  /** The data directory; a fresh one, removed at exit, when absent. */
  readonly data?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command line: strace, prlimit. */
  readonly wrapper?: readonly string[];
  /** Start without an HTTP listener (the default has one on a free port). */
  readonly http?: boolean;
  /** Kill it this long after the spawn, ready or not. */
  readonly killAfterMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A server that this process started. */
export interface Server {
  readonly port: number;
  /** 0 without an HTTP listener. */
  readonly httpPort: number;
  readonly pid: number;
  readonly data: string;
  /** All it wrote to stdout and stderr so far. */
  output(): string;
  /** Sends SIGTERM (or `signal`) and waits for the end. */
  stop(signal?: "SIGTERM" | "SIGINT"): Promise<Exit>;
  /** Ends it at once, as a power cut would end the process. */
  kill9(): Promise<void>;
  /** Settles when it has ended by itself or otherwise. */
  readonly exited: Promise<Exit>;
}

/** What the system tests run Balsa on where they do not choose: BALSA_RUNTIME, else Bun. */
export const DEFAULT_RUNTIME = asRuntime(process.env.BALSA_RUNTIME ?? "bun");

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

const children = new Set<ChildProcess>();
const scratch = new Set<string>();

process.on("exit", cleanupAll);

function asRuntime(name: string): Runtime {
  if (name === "bun" || name === "deno" || name === "node" || name === "binary") return name;
  throw new Error(`Cannot test on ${name}: choose bun, deno, node or binary`);
}

/** Ends every child of this process by its pid and removes its scratch directories. */
export function cleanupAll(): void {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  if (process.env.BALSA_TEST_KEEP !== "1") {
    for (const path of scratch) {
      try {
        rmSync(path, { recursive: true, force: true });
      } catch {
        // A mount point, or a child that is still writing: the system clears /tmp.
      }
    }
  }
  scratch.clear();
}

/** A fresh directory, removed when this process exits. */
export function scratchDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "balsa-test-"));
  scratch.add(path);
  return path;
}

const PORT_MIN = 10_240;
const PORT_COUNT = 10_000;
const takenPorts = new Set<number>();

/**
 * A port of 127.0.0.1 that was free a moment ago, a different one at each call. It lies below those
 * that systems give to outgoing connections: one of these would take it before its server listens.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_COUNT; attempt++) {
    const port = PORT_MIN + randomInt(PORT_COUNT);
    if (takenPorts.has(port) || !await isFree(port)) continue;
    takenPorts.add(port);
    return port;
  }
  throw new Error("Cannot find a free port");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolveFree) => {
    const server = createServer();
    server.on("error", () => resolveFree(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolveFree(true)));
  });
}

/** The words that start Balsa on `runtime`; undefined when that runtime is not here. */
export function balsaCommand(runtime: Runtime): readonly string[] | undefined {
  const main = join(ROOT, "cli/main.ts");
  if (runtime === "bun") return [bunPath(), main];
  if (runtime === "deno") {
    const deno = denoPath();
    return deno === undefined ? undefined : [deno, "run", "-A", main];
  }
  if (runtime === "node") {
    const node = process.env.BALSA_NODE;
    return node === undefined || node === "" ? undefined : [node, main];
  }
  const binary = process.env.BALSA_BINARY ?? join(ROOT, "dist/balsa");
  return existsSync(binary) ? [binary] : undefined;
}

/** The Bun executable itself, no launcher script: a signal to its pid reaches it. */
export function bunPath(): string {
  if (process.versions.bun !== undefined) return process.execPath;
  return join(ROOT, "node_modules/bun/bin/bun.exe");
}

function denoPath(): string | undefined {
  const system = platform() === "linux" ? `linux-${arch()}-glibc` : `${platform()}-${arch()}`;
  const path = join(ROOT, "node_modules/@deno", system, "deno");
  return existsSync(path) ? path : undefined;
}

/**
 * Starts `balsa serve` on free ports and waits until it says that it accepts connections. Throws,
 * with what it printed, when it ends before that.
 */
export async function startBalsa(options: BalsaOptions = {}): Promise<Server> {
  const runtime = options.runtime ?? DEFAULT_RUNTIME;
  const command = balsaCommand(runtime);
  if (command === undefined) throw new Error(`Cannot start: no ${runtime} here`);
  const data = options.data ?? join(scratchDirectory(), "data");
  const attempts = 5;
  for (let attempt = 1;; attempt++) {
    const httpPort = options.http === false ? 0 : await freePort();
    const peerPort = await freePort();
    const words = [...(options.wrapper ?? []), ...command, "serve", "--data", data];
    if (!options.args?.includes("--port")) words.push("--port", "0");
    if (!options.args?.includes("--http-port")) words.push("--http-port", String(httpPort));
    if (!options.args?.includes("--peer-port")) words.push("--peer-port", String(peerPort));
    const running = launch([...words, ...(options.args ?? [])], data, options.env);
    if (options.killAfterMs !== undefined) setTimeout(() => running.kill(), options.killAfterMs);
    try {
      await running.waitFor(/ready to accept connections/);
      const port = portOf(running.output());
      return { ...running.server, port, httpPort };
    } catch (error) {
      await running.server.kill9();
      if (attempt === attempts || !/in use|EADDRINUSE/i.test(running.output())) throw error;
    }
  }
}

/** The RESP port, from the redis-cli line that every start prints. */
function portOf(output: string): number {
  const match = /redis-cli[^\n]*-p (\d+)/.exec(output) ?? /resp[^\n]*?:(\d+)/i.exec(output);
  if (match === null) throw new Error(`Cannot find the RESP port in: ${output}`);
  return Number(match[1]);
}

/** Starts Debian's redis-server, which keeps nothing on disk unless `args` say so. */
export async function startRedis(args: readonly string[] = []): Promise<Server> {
  const data = scratchDirectory();
  const attempts = 5;
  for (let attempt = 1;; attempt++) {
    const port = await freePort();
    const words = ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--dir", data];
    const running = launch([...words, "--save", "", ...args], data, {});
    try {
      await running.waitFor(/Ready to accept connections/);
      return { ...running.server, port, httpPort: 0 };
    } catch (error) {
      await running.server.kill9();
      if (attempt === attempts || !/in use/i.test(running.output())) throw error;
    }
  }
}

/** Whether a program stands on the PATH. */
export function hasProgram(name: string): boolean {
  return (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, name)));
}

/** Starts a command line that may well fail at once, and collects what it prints. */
export async function runToEnd(
  words: readonly string[],
  input = "",
  timeoutMs = START_TIMEOUT_MS,
): Promise<Exit & { readonly output: string }> {
  const running = launch(words, "", {}, input);
  const timer = setTimeout(() => running.kill(), timeoutMs);
  const exit = await running.server.exited;
  clearTimeout(timer);
  return { ...exit, output: running.output() };
}

/** A child of this process under observation. */
export interface Launched {
  readonly server: Omit<Server, "port" | "httpPort">;
  output(): string;
  kill(): void;
  waitFor(pattern: RegExp): Promise<void>;
}

/** Spawns a child in the list of those that end with this process. */
export function launch(
  words: readonly string[],
  data: string,
  env: Readonly<Record<string, string>> | undefined,
  input?: string,
): Launched {
  const child = spawn(words[0], words.slice(1), {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  children.add(child);
  if (input !== undefined) child.stdin?.end(Buffer.from(input, "latin1"));
  let text = "";
  const listeners = new Set<() => void>();
  const collect = (chunk: Uint8Array): void => {
    text += Buffer.from(chunk).toString("latin1");
    for (const listener of listeners) listener();
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  let ended: Exit | undefined;
  const exited = new Promise<Exit>((resolveExit) => {
    const finish = (exit: Exit): void => {
      ended = exit;
      children.delete(child);
      for (const listener of listeners) listener();
      resolveExit(exit);
    };
    child.on("error", (error) => {
      text += String(error);
      finish({ code: null, signal: "error" });
    });
    child.on("close", (code, signal) => finish({ code, signal }));
  });
  const output = (): string => text;
  const server = {
    pid: child.pid ?? 0,
    data,
    output,
    exited,
    stop: async (signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<Exit> => {
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
    kill9: async (): Promise<void> => {
      child.kill("SIGKILL");
      await exited;
    },
  };
  const waitFor = (pattern: RegExp): Promise<void> =>
    new Promise((resolveWait, reject) => {
      const fail = (why: string): void => {
        listeners.delete(check);
        clearTimeout(timer);
        reject(new Error(`${words.join(" ")}: ${why}\n${text}`));
      };
      const timer = setTimeout(() => fail("not ready in time"), START_TIMEOUT_MS);
      const check = (): void => {
        if (pattern.test(text)) {
          listeners.delete(check);
          clearTimeout(timer);
          resolveWait();
        } else if (ended !== undefined) fail(`ended (${ended.code ?? ended.signal})`);
      };
      listeners.add(check);
      check();
    });
  return { server, output, kill: () => child.kill("SIGKILL"), waitFor };
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** CPU time that a process has used, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticksPerSecond = 100;
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, milliseconds));
}

/** Asks `probe` again and again until it is true; throws after `timeoutMs`. */
export async function until(
  probe: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`);
    await sleep(20);
  }
}
