import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commands } from "../../src/commands/table.ts";
import { loadMetadata } from "../../src/commands/metadata/metadata.ts";
import { NEWER_NOT_OFFERED, NOT_OFFERED, PARTIAL } from "./command_notes.ts";

/** The list that is kept. */
export const LIST_PATH = fileURLToPath(new URL("commands", import.meta.url).href);
/** How it is made anew. */
export const MAKE_AGAIN = "bun run compat commands --write";

const HEAD = `Each command of Redis 7.2, and those of 7.4 and 8.0 that are offered:
full, partial (what lacks), or not offered (why). Made from the table of commands by
"${MAKE_AGAIN}"; a test compares them.
`;

/** The full names of what the table has, "client|list". */
function offeredNames(): Set<string> {
  const names = new Set<string>();
  for (const command of commands.values()) {
    names.add(command.name);
    if (command.path !== "container") continue;
    for (const subcommand of command.subcommands.values()) names.add(subcommand.name);
  }
  return names;
}

/** The text of the list. Throws when a command is neither offered nor in the notes. */
export async function commandList(): Promise<string> {
  const metadata = await loadMetadata();
  const offered = offeredNames();
  const groups = new Map<string, string[]>();
  const add = (name: string, group: string) => {
    groups.set(group, [...groups.get(group) ?? [], name]);
  };
  for (const [name, { docs }] of Object.entries(metadata)) add(name, groupOf(name, docs));
  for (const [name, group] of Object.entries(NEWER_NOT_OFFERED)) {
    if (metadata[name] === undefined) add(name, group);
  }
  let text = HEAD;
  for (const group of [...groups.keys()].sort()) {
    text += `\n${group}\n`;
    for (const name of (groups.get(group) ?? []).sort()) {
      const shown = name.replace("|", " ").toUpperCase();
      text += `  ${shown.padEnd(29)} ${statusOf(name, offered)}\n`;
    }
  }
  return text;
}

function groupOf(name: string, docs: Readonly<Record<string, unknown>>): string {
  const group = String(docs.group ?? "");
  return name.startsWith("raft.") || group === "" ? "balsa" : group;
}

function statusOf(name: string, offered: ReadonlySet<string>): string {
  const [container] = name.split("|");
  if (offered.has(name)) {
    return PARTIAL[name] === undefined ? "full" : `partial: ${PARTIAL[name]}`;
  }
  const reason = NOT_OFFERED[name] ?? NOT_OFFERED[container];
  if (reason === undefined) throw new Error(`No word in command_notes.ts on why ${name} lacks`);
  return `not offered: ${reason}`;
}

/** The list as it is kept. */
export function keptList(): string {
  return readFileSync(LIST_PATH, "utf8");
}

/** `bun run compat commands`: prints the list, or writes it; resolves to the exit code. */
export async function commandsMain(args: readonly string[]): Promise<number> {
  const text = await commandList();
  if (args.some((word) => word !== "--write")) return 2;
  if (args.length > 0) writeFileSync(LIST_PATH, text);
  else console.log(text.trimEnd());
  return 0;
}
