import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { existsSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import {
  bunPath,
  DEFAULT_RUNTIME,
  ROOT,
  scratchDirectory,
  sleep,
  startBalsa,
} from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { drive, request } from "./driver.ts";
import { table } from "./report.ts";

const CLIENTS = 50;
const KEYS = 100_000;
const VALUE = "x".repeat(64);
const PER_REQUEST = 500;
/** What goes on in the background after a DEL is over by then. */
const AFTER_DEL_MS = 3000;
const EXPIRE_IN_MS = 3000;

export interface StallOptions {
  /** Of the collections that are deleted. */
  readonly elements: number;
  /** Keys that expire at once. */
  readonly expiring: number;
  /** Of load with snapshots. */
  readonly seconds: number;
}

/** How each type gets element `n`. */
const FILL: Readonly<Record<string, (n: number) => (string | number)[]>> = {
  RPUSH: (n) => [`value:${n}`],
  HSET: (n) => [`field:${n}`, "value"],
  SADD: (n) => [`member:${n}`],
  ZADD: (n) => [n, `member:${n}`],
};

/** The process beside the load (stall_watcher.ts). */
class Watcher {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(port: number) {
    const script = join(ROOT, "test/bench/stall_watcher.ts");
    this.#child = spawn(bunPath(), [script, String(port)], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** The longest since the last call. */
  async take(): Promise<{ lateMs: number; pingMs: number }> {
    this.#child.stdin!.write("\n");
    return JSON.parse((await this.#lines.next()).value);
  }

  stop(): void {
    this.#child.stdin!.end();
  }
}

/** The longest that stall_probe.ts saw since a time: the server ran, and was blocked. */
function longestMs(path: string, sinceMs: number): { ranMs: number; blockedMs: number } {
  const text = existsSync(path) ? readFileSync(path, "latin1").trim() : "";
  const lines = text.split("\n").map((line) => line.split(" ").map(Number));
  const seen = lines.filter(([at]) => at >= sinceMs);
  const longest = (column: number) => Math.max(0, ...seen.map((line) => line[column]));
  return { ranMs: longest(2), blockedMs: longest(3) };
}

/** The longest pauses of a node under load; resolves to the table. */
export async function benchStalls(options: StallOptions): Promise<string> {
  const probed = join(scratchDirectory(), "stalls");
  const preload = `--preload ${join(ROOT, "test/bench/stall_probe.ts")}`;
  const env = { BUN_OPTIONS: preload, BALSA_STALL_FILE: probed };
  const server = await startBalsa({ http: false, env });
  const { port } = server;
  const watcher = new Watcher(port);
  const client = await RespClient.open(port);
  const rows: string[][] = [];
  console.log(`balsa on ${DEFAULT_RUNTIME}, load of the machine ${loadavg()[0].toFixed(1)}`);
  const phase = async (name: string, run: () => Promise<unknown>) => {
    await client.command("CONFIG", "RESETSTAT");
    await watcher.take();
    const startMs = Date.now();
    await run();
    const { lateMs, pingMs } = await watcher.take();
    const info = String(await client.command("INFO", "stats"));
    const late = Number(/loop_late_ms_max:([\d.]+)/.exec(info)?.[1]);
    const load = loadavg()[0];
    const { ranMs, blockedMs } = longestMs(probed, startMs);
    const figures = [late, ranMs, blockedMs, pingMs, lateMs, load].map((figure) =>
      figure.toFixed(1)
    );
    console.log(`  ${name.padEnd(34)} ${figures.join("  ")}`);
    rows.push([name, ...figures]);
  };
  const anyKey = () => `key:${Math.floor(Math.random() * KEYS)}`;
  const mixed = (clients: number, ms: number) => {
    const endMs = performance.now() + ms;
    return drive(port, clients, 1, () => {
      if (performance.now() >= endMs) return undefined;
      return Math.random() < 0.5 ? request("GET", anyKey()) : request("SET", anyKey(), VALUE);
    });
  };
  await phase("nothing", () => sleep(2000));
  await phase(`${CLIENTS} clients GET and SET`, () => mixed(CLIENTS, options.seconds * 1000));
  await phase("the same, snapshots", async () => {
    const other = await RespClient.open(port);
    let last: Promise<unknown> = Promise.resolve();
    const timer = setInterval(() => last = other.command("RAFT.SNAPSHOT"), 1000);
    await mixed(CLIENTS, options.seconds * 1000);
    clearInterval(timer);
    await last;
    other.close();
  });
  for (const [command, fill] of Object.entries(FILL)) {
    let n = 0;
    await phase(`${command} of ${options.elements}`, () =>
      drive(port, 2, 2, () => {
        if (n >= options.elements) return undefined;
        const words: (string | number)[] = [command, "large"];
        for (let i = 0; i < PER_REQUEST && n < options.elements; i++) words.push(...fill(n++));
        return request(...words);
      }));
    await sleep(1000);
    await phase("DEL of it, 10 clients", async () => {
      const load = mixed(10, AFTER_DEL_MS);
      await sleep(200);
      await client.command("DEL", "large");
      await load;
    });
  }
  const expireAtMs = Date.now() + EXPIRE_IN_MS * options.expiring / KEYS + EXPIRE_IN_MS;
  let n = 0;
  await drive(port, CLIENTS, 4, () => {
    if (n++ >= options.expiring) return undefined;
    return request("SET", `expiring:${n}`, VALUE, "PXAT", Math.round(expireAtMs));
  });
  await phase(`expiry of ${options.expiring} keys, 10 clients`, async () => {
    await mixed(10, Math.max(0, expireAtMs - Date.now()) + AFTER_DEL_MS);
  });
  client.close();
  watcher.stop();
  await server.stop();
  return table(
    ["longest, ms", "loop late", "ran", "blocked", "PING", "bare timer late", "load"],
    rows,
  );
}
