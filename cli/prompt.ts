import process from "node:process";
import { createInterface } from "node:readline";
import { utf8Encode } from "../src/base/bytes.ts";
import type { CliSession } from "./cli_session.ts";
import { commandHelp } from "./command_help.ts";
import { appendHistory, holdsSecret, loadHistory } from "./history.ts";
import { ConnectionError } from "./resp_client.ts";
import { splitArguments } from "./split_arguments.ts";

/** Reads and runs commands until `quit` or the end of input. `historyPath` "" keeps none. */
export async function prompt(session: CliSession, historyPath: string): Promise<void> {
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    history: historyPath === "" ? [] : loadHistory(historyPath),
    historySize: 1_000,
    removeHistoryDuplicates: true,
    completer: (text: string, done: (error: null, result: [string[], string]) => void) => {
      complete(session, text).then((result) => done(null, result));
    },
  });
  // What was typed with a password in it must not come back with the up arrow.
  lines.on("history", (history: string[]) => {
    if (history.length > 0 && holdsSecret(history[0])) history.shift();
  });
  await reportConnectionErrors(() => session.connect());
  const ask = () => {
    lines.setPrompt(session.promptText);
    lines.prompt();
  };
  let running = false;
  // Ctrl-C ends the command that runs (a subscription has no other end), at the prompt all.
  lines.on("SIGINT", () => running ? session.close() : lines.close());
  ask();
  for await (const line of lines) {
    if (historyPath !== "") appendHistory(historyPath, line);
    running = true;
    if (!await runLine(session, line)) break;
    running = false;
    ask();
  }
  lines.close();
}

/** Runs one typed line. Returns false when it asks to leave. */
async function runLine(session: CliSession, line: string): Promise<boolean> {
  const args = splitArguments(utf8Encode(line));
  if (args === undefined) {
    console.log("Invalid argument(s)");
    return true;
  }
  switch (args[0]?.toLowerCase()) {
    case undefined:
      return true;
    case "quit":
    case "exit":
      return false;
    case "clear":
      process.stdout.write("\x1b[H\x1b[2J");
      return true;
    case "help":
    case "?":
      await reportConnectionErrors(async () => {
        process.stdout.write(await commandHelp(session, args.slice(1)));
      });
      return true;
    case "connect":
      if (args.length !== 3) console.log("Usage: connect HOST PORT");
      else await reportConnectionErrors(() => session.reconnectTo(args[1], Number(args[2])));
      return true;
  }
  await reportConnectionErrors(() => session.run(args));
  return true;
}

/** Runs `action`; a lost or refused connection is told, not thrown: the next command retries. */
async function reportConnectionErrors(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    console.log(`Error: ${error.message}`);
  }
}

async function complete(session: CliSession, text: string): Promise<[string[], string]> {
  const typed = text.replace(/^help +/i, "");
  if (typed.includes(" ")) return [[], text];
  let names: unknown;
  try {
    names = await session.ask("COMMAND", "LIST");
  } catch {
    return [[], text];
  }
  if (!Array.isArray(names)) return [[], text];
  const lower = typed === typed.toLowerCase() && typed !== "";
  const matches = names
    .map(String)
    .filter((name) => name.toLowerCase().startsWith(typed.toLowerCase()))
    .map((name) => lower ? name.toLowerCase() : name.toUpperCase())
    .sort();
  return [matches, typed];
}
