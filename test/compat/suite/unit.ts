import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { scratchDirectory, sleep } from "../../system/harness.ts";
import { RespClient, RespError } from "../../system/resp_client.ts";

/** What became of a test. */
export interface TestOutcome {
  /** A name that the unit has used before has " #2", " #3" … behind it. */
  readonly name: string;
  readonly passed: boolean;
  readonly ms: number;
  /** Why it failed, as the suite tells it. */
  readonly detail: string;
}

export interface UnitOutcome {
  readonly tests: readonly TestOutcome[];
  readonly notes: readonly string[];
  readonly seconds: number;
  /** Why the unit ended early; empty when it did not. */
  readonly end: string;
}

export interface UnitOptions {
  /** Redis's source tree. */
  readonly suite: string;
  /** "unit/type/list". */
  readonly unit: string;
  readonly port: number;
  /** Names of tests that are left out. */
  readonly skip: readonly string[];
  /** How long a test takes on redis-server, milliseconds, by name. */
  readonly expectedMs: ReadonlyMap<string, number>;
}

const PRELUDE = fileURLToPath(new URL("prelude.tcl", import.meta.url).href);
const UNIT_TIMEOUT_MS = 600_000;
/** What stands between tests makes data, at times much. */
const BETWEEN_TIMEOUT_MS = 180_000;
/** A test may take so long, and more by what it takes on redis-server. */
const TEST_TIMEOUT_MS = 60_000;
const TEST_TIMEOUT_FACTOR = 6;
const POLL_MS = 50;

/**
 * Units whose blocks the suite leaves to a server of its own, since they change users, passwords or
 * memory limits: they have one here. The number: how many levels of such blocks are run.
 */
const DEPTHS: ReadonlyMap<string, number> = new Map([
  ...["auth", "acl", "acl-v2", "pubsubshard", "maxmemory", "obuf-limits"].map((name) =>
    [`unit/${name}`, 1] as const
  ),
  ["unit/client-eviction", 1],
  ["unit/limits", 1],
  ["unit/info", 2],
]);

/** The name of a test as the suite knows it. */
export function suiteName(name: string): string {
  return name.replace(/ #\d+$/, "");
}

/** Runs one unit against the server on a port. */
export async function runUnit(options: UnitOptions): Promise<UnitOutcome> {
  const { suite, unit, port, skip } = options;
  const scratch = scratchDirectory();
  const events = join(scratch, "events");
  const skipFile = join(scratch, "skip");
  mkdirSync(scratch, { recursive: true });
  writeFileSync(events, "");
  writeFileSync(skipFile, skip.join("\n"));
  const words = [PRELUDE, unit, events, String(DEPTHS.get(unit) ?? 0)];
  words.push("--host", "127.0.0.1", "--port", String(port), "--skipfile", skipFile);
  const startMs = Date.now();
  const tcl = spawn("tclsh", words, { cwd: suite, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  tcl.stderr.on("data", (chunk) => stderr += String(chunk));
  const ended = new Promise<number>((resolve) => {
    tcl.on("error", (error) => {
      stderr += String(error);
      resolve(-1);
    });
    tcl.on("close", (code) => resolve(code ?? -1));
  });
  const end = await watch(tcl, ended, events, options);
  const code = await ended;
  const outcome = parseEvents(readFileSync(events, "utf8"));
  rmSync(scratch, { recursive: true, force: true });
  const aborted = code === 0 ? "" : `ended with ${code}: ${stderr.slice(-300)}`;
  return {
    ...outcome,
    seconds: (Date.now() - startMs) / 1000,
    end: end || outcome.end || aborted,
  };
}

/** Waits for the end; ends the connections of a test that hangs, so that it fails. */
async function watch(
  tcl: ChildProcess,
  ended: Promise<number>,
  events: string,
  { port, expectedMs }: UnitOptions,
): Promise<string> {
  let isDone = false;
  void ended.then(() => isDone = true);
  const startMs = Date.now();
  let size = 0;
  let changedMs = startMs;
  let allowedMs = TEST_TIMEOUT_MS;
  while (!isDone) {
    await Promise.race([ended, sleep(POLL_MS)]);
    const text = readFileSync(events, "utf8");
    if (text.length !== size) {
      size = text.length;
      changedMs = Date.now();
      const last = text.trimEnd().split("\n").at(-1)?.split("\t") ?? [];
      allowedMs = last[0] === "start"
        ? TEST_TIMEOUT_MS + TEST_TIMEOUT_FACTOR * (expectedMs.get(last[3]) ?? 0)
        : BETWEEN_TIMEOUT_MS;
    }
    if (Date.now() - startMs > UNIT_TIMEOUT_MS) {
      tcl.kill("SIGKILL");
      return "took too long";
    }
    if (Date.now() - changedMs > allowedMs) {
      changedMs = Date.now();
      if (!await disconnectAll(port)) {
        tcl.kill("SIGKILL");
        return "hangs";
      }
    }
  }
  return "";
}

/** Has the server end all its connections; false when it does not answer. */
async function disconnectAll(port: number): Promise<boolean> {
  try {
    const client = await RespClient.open(port);
    const kill = async () => {
      const replies = [await client.command("CLIENT", "UNPAUSE")];
      for (const type of ["normal", "pubsub"]) {
        replies.push(await client.command("CLIENT", "KILL", "TYPE", type));
      }
      return !replies.some((reply) => reply instanceof RespError);
    };
    const isDone = await Promise.race([kill(), sleep(5000).then(() => false)]);
    client.close();
    return isDone;
  } catch {
    return false;
  }
}

/** What the lines that the prelude has written say. */
export function parseEvents(text: string): Pick<UnitOutcome, "tests" | "notes" | "end"> {
  const tests: TestOutcome[] = [];
  const notes: string[] = [];
  const counts = new Map<string, number>();
  let end = "";
  for (const line of text.split("\n")) {
    const [kind, ms, , name = "", detail = ""] = line.split("\t").map(unescape);
    if (kind === "note") notes.push(name);
    if (kind === "fatal") end = name;
    if (kind !== "ok" && kind !== "err") continue;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const unique = count === 1 ? name : `${name} #${count}`;
    tests.push({ name: unique, passed: kind === "ok", ms: Number(ms), detail });
  }
  return { tests, notes, end };
}

function unescape(field: string): string {
  return field.replace(/\\([\\ntr])/g, (_, letter) => {
    return letter === "n" ? "\n" : letter === "t" ? "\t" : letter === "r" ? "\r" : "\\";
  });
}
