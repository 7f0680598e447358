import { Buffer } from "node:buffer";
import { readFileSync, writeSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Bytes, utf8Encode } from "../src/base/bytes.ts";
import { CLI_FLAGS } from "./cli_flags.ts";
import { CliSession } from "./cli_session.ts";
import { flagHelp, parseCommandLine, type Settings } from "./flags.ts";
import { ConnectionError } from "./resp_client.ts";
import { splitArguments } from "./split_arguments.ts";

/** `balsa cli [FLAGS] [COMMAND…]`. Returns the exit code: 1 after an error reply. */
export async function cli(args: readonly string[]): Promise<number> {
  const { settings, positionals, help } = parseCommandLine(CLI_FLAGS, {
    args,
    environment: process.env,
  });
  if (help) {
    console.log(cliHelp());
    return 0;
  }
  const session = new CliSession(sessionOptions(settings));
  try {
    if (positionals.length > 0) return await runOne(session, positionals, settings.stdin);
    if (!process.stdin.isTTY || !process.stdout.isTTY) return await runLines(session, readStdin());
    const { prompt } = await import("./prompt.ts");
    await prompt(session, settings.history ?? join(homedir(), ".balsa_history"));
    return 0;
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    console.error(error.message);
    return 1;
  } finally {
    session.close();
  }
}

/** The text of `balsa cli --help`. */
export function cliHelp(): string {
  return [
    "Usage: balsa cli [FLAGS] [COMMAND [ARGUMENT…]]",
    "",
    "Sends one command and exits (code 1 after an error reply), runs the lines of standard input",
    "when that is no terminal, or opens a prompt.",
    "",
    flagHelp(CLI_FLAGS),
    "",
    "BALSA_HOST, BALSA_PORT and BALSA_PASSWORD are read from the environment.",
  ].join("\n");
}

function sessionOptions(settings: Settings<typeof CLI_FLAGS>) {
  const raw = settings.raw || !(process.stdout.isTTY || settings["no-raw"]);
  return {
    // A server's BALSA_HOST may be "any address": here it means this machine.
    host: settings.host === "0.0.0.0" ? "127.0.0.1" : settings.host,
    port: settings.port,
    password: settings.password ?? "",
    user: settings.user ?? "",
    db: settings.db,
    resp3: settings.resp3,
    raw,
    write: writeStdout,
  };
}

async function runOne(
  session: CliSession,
  words: readonly string[],
  lastFromStdin: boolean,
): Promise<number> {
  const args = words.map(utf8Encode);
  if (lastFromStdin) args.push(readStdin());
  return await session.run(args) ? 0 : 1;
}

async function runLines(session: CliSession, input: Bytes): Promise<number> {
  let failed = false;
  for (const line of input.split("\n")) {
    const args = splitArguments(line);
    if (args?.length === 0) continue;
    if (args === undefined) {
      writeStdout("Invalid argument(s)\n");
      failed = true;
    } else if (!await session.run(args)) {
      failed = true;
    }
  }
  return failed ? 1 : 0;
}

function readStdin(): Bytes {
  return readFileSync(0).toString("latin1");
}

/** Writes all of `bytes` at once: a process that exits next must not lose its output. */
function writeStdout(bytes: Bytes): void {
  const buffer = Buffer.from(bytes, "latin1");
  for (let at = 0; at < buffer.length;) {
    try {
      at += writeSync(1, buffer, at);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EPIPE") process.exit(0);
      // A terminal or pipe in non-blocking mode that is full: give its reader a moment.
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
