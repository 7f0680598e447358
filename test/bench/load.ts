import { spawn } from "node:child_process";
import { createHash } from "node:crypto";

/** One run of redis-benchmark. */
export interface Load {
  readonly command: "SET" | "GET" | "MSET" | "EVALSHA" | "XADD" | "XREAD";
  readonly clients: number;
  readonly pipeline: number;
  readonly requests: number;
}

export interface Measured {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export const VALUE_BYTES = 64;
export const KEYS = 100_000;
/** What EVALSHA runs. */
export const SCRIPT = "return redis.call('INCR', KEYS[1])";
const SCRIPT_SHA1 = createHash("sha1").update(SCRIPT).digest("hex");

const STREAM = "stream:__rand_int__";
/** Commands that redis-benchmark has no test for, and on how many keys they are. */
const WRITTEN_OUT: ReadonlyMap<Load["command"], { keys: number; words: readonly string[] }> =
  new Map([
    ["EVALSHA", { keys: KEYS, words: ["EVALSHA", SCRIPT_SHA1, "1", "counter:__rand_int__"] }],
    ["XADD", {
      keys: 20,
      words: ["XADD", STREAM, "MAXLEN", "~", "1000", "*", "field", "x".repeat(VALUE_BYTES)],
    }],
    ["XREAD", { keys: 20, words: ["XREAD", "COUNT", "10", "STREAMS", STREAM, "0"] }],
  ]);

/** Drives `port` with redis-benchmark; random keys, values of 64 bytes. */
export async function runLoad(port: number, load: Load): Promise<Measured> {
  const words = ["-p", String(port), "-c", String(load.clients)];
  words.push("-P", String(load.pipeline), "-n", String(load.requests), "-d", String(VALUE_BYTES));
  const written = WRITTEN_OUT.get(load.command);
  words.push("-r", String(written?.keys ?? KEYS), "--csv");
  words.push(...written?.words ?? ["-t", load.command.toLowerCase()]);
  const text = await capture("redis-benchmark", words);
  return parseCsv(text, load.command);
}

/** The row of a command in redis-benchmark's --csv output. */
export function parseCsv(text: string, command: string): Measured {
  const cells = (line: string): string[] => line.split(",").map((cell) => cell.replace(/"/g, ""));
  const lines = text.split("\n").map((line) => line.trim());
  const header = lines.find((line) => line.startsWith('"test"'));
  const row = lines.find((line) =>
    line.startsWith(`"${command}"`) ||
    line.startsWith(`"${command} `)
  );
  if (header === undefined || row === undefined) {
    throw new Error(`Cannot read redis-benchmark's output: ${text.slice(0, 500)}`);
  }
  const names = cells(header);
  const values = cells(row);
  const cell = (name: string): number => Number(values[names.indexOf(name)]);
  return {
    requestsPerSecond: cell("rps"),
    p50Ms: cell("p50_latency_ms"),
    p99Ms: cell("p99_latency_ms"),
  };
}

/** SETs every key once, so that GETs find one. */
export async function fill(port: number): Promise<void> {
  const words = ["-p", String(port), "-c", "50", "-P", "16", "-n", String(3 * KEYS)];
  words.push("-r", String(KEYS), "-d", String(VALUE_BYTES), "-t", "set", "--csv");
  await capture("redis-benchmark", words);
}

export function capture(program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stdout.on("data", (chunk) => text += String(chunk));
    child.stderr.on("data", (chunk) => text += String(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${program} ended with ${code}: ${text.slice(-500)}`));
    });
  });
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** (largest - smallest) / median, as a share. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle;
}
