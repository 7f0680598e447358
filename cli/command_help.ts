import { utf8Encode } from "../src/base/bytes.ts";
import { MapReply, type Reply } from "../src/resp/reply.ts";
import type { CliSession } from "./cli_session.ts";

const INTRODUCTION = `Type a command and its arguments: SET greeting "hello world"
  help COMMAND      what a command does
  help @GROUP       the commands of a group: @string, @generic, @connection, @server …
  connect HOST PORT talk to another server
  clear             clear the screen
  quit              leave (also Ctrl-D)
`;

/** What `help …` prints. The server's own COMMAND DOCS says what its commands do. */
export async function commandHelp(session: CliSession, topic: readonly string[]): Promise<string> {
  if (topic.length === 0) return INTRODUCTION;
  if (topic[0].startsWith("@")) return await groupHelp(session, topic[0].slice(1).toLowerCase());
  const docs = entriesOf(await session.ask("COMMAND", "DOCS", utf8Encode(topic[0])));
  const [first] = docs;
  if (first === undefined) return `No help for ${topic[0]}\n`;
  let [name, doc] = first;
  const subcommands = entriesOf(fieldOf(doc, "subcommands"));
  if (topic.length > 1) {
    const wanted = `${topic[0]}|${topic[1]}`.toLowerCase();
    const found = subcommands.find(([key]) => key.toLowerCase() === wanted);
    if (found === undefined) return `No help for ${topic.join(" ")}\n`;
    [name, doc] = found;
  }
  const lines = [syntaxLine(name, doc)];
  for (const field of ["summary", "since", "group", "complexity"]) {
    const value = fieldOf(doc, field);
    if (typeof value === "string") lines.push(`${field}: ${value}`);
  }
  if (topic.length === 1 && subcommands.length > 0) {
    lines.push(...subcommands.map(([key, value]) => `  ${syntaxLine(key, value)}`));
  }
  return "\n" + lines.map((line) => `  ${line}\n`).join("") + "\n";
}

async function groupHelp(session: CliSession, group: string): Promise<string> {
  const docs = entriesOf(await session.ask("COMMAND", "DOCS"))
    .filter(([, doc]) => fieldOf(doc, "group") === group)
    .sort(([a], [b]) => a < b ? -1 : 1);
  if (docs.length === 0) return `No commands in the group ${group}\n`;
  return docs
    .map(([name, doc]) => `  ${name.toUpperCase().padEnd(16)} ${fieldOf(doc, "summary") ?? ""}\n`)
    .join("");
}

/** Names and values of a map, whichever protocol brought it. */
function entriesOf(reply: Reply | undefined): (readonly [string, Reply])[] {
  if (reply instanceof MapReply) return reply.entries.map(([key, value]) => [String(key), value]);
  if (!Array.isArray(reply)) return [];
  const entries: (readonly [string, Reply])[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) entries.push([String(reply[i]), reply[i + 1]]);
  return entries;
}

function fieldOf(doc: Reply, name: string): Reply | undefined {
  return entriesOf(doc).find(([key]) => key === name)?.[1];
}

function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? reply : [];
}

function syntaxLine(name: string, doc: Reply): string {
  const args = listOf(fieldOf(doc, "arguments")).map((argument) => syntaxOf(argument));
  return [name.replace("|", " ").toUpperCase(), ...args].join(" ");
}

/** One argument in the notation of Redis's pages: `[EX seconds | PX milliseconds]`. */
function syntaxOf(argument: Reply): string {
  const type = fieldOf(argument, "type");
  const token = fieldOf(argument, "token");
  const flags = listOf(fieldOf(argument, "flags")).map(flagText);
  const parts = listOf(fieldOf(argument, "arguments")).map((part) => syntaxOf(part));
  const shownName = fieldOf(argument, "display_text") ?? fieldOf(argument, "name");
  let text = type === "pure-token" ? "" : String(shownName);
  if (type === "oneof") text = parts.join("|");
  if (type === "block") text = parts.join(" ");
  if (typeof token === "string") text = text === "" ? token : `${token} ${text}`;
  if (flags.includes("multiple")) text = `${text} [${text} …]`;
  return flags.includes("optional") ? `[${text}]` : text;
}

function flagText(flag: Reply): string {
  return typeof flag === "object" && flag !== null && "text" in flag
    ? String(flag.text)
    : String(flag);
}
