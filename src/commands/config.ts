import type { Bytes } from "../base/bytes.ts";
import { err, MapReply, OK, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import { localContainer } from "./define_local.ts";
import { helpReply } from "./help.ts";
import type { LocalContext } from "./local_context.ts";

/** CONFIG GET parameter [parameter …] */
function get({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const found = new Map<string, readonly [Bytes, Bytes]>();
  for (let i = 2; i < argv.length; i++) {
    for (const [name, value] of node.configGet(argv[i])) {
      const key = name.toLowerCase();
      if (!found.has(key)) found.set(key, [name, value]);
    }
  }
  return new MapReply([...found.values()]);
}

/** CONFIG SET parameter value [parameter value …] */
function set({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length % 2 === 1) return SYNTAX_ERROR;
  const pairs: [Bytes, Bytes][] = [];
  for (let i = 2; i < argv.length; i += 2) pairs.push([argv[i], argv[i + 1]]);
  return node.configSet(pairs) ?? OK;
}

/** CONFIG RESETSTAT */
function resetStat({ node }: LocalContext): Reply {
  node.configResetStat();
  return OK;
}

const HELP_LINES = [
  "GET <pattern>",
  "    Return parameters matching the glob-like <pattern> and their values.",
  "SET <directive> <value>",
  "    Set the configuration <directive> to <value>.",
  "RESETSTAT",
  "    Reset statistics reported by the INFO command.",
  "REWRITE",
  "    Rewrite the configuration file.",
];

/** The command CONFIG. What it sets lasts until the process ends: no file is rewritten. */
export const configCommand = localContainer("config", [
  ["get", -3, get],
  ["set", -4, set],
  ["resetstat", 2, resetStat],
  ["rewrite", 2, () => err("The server is running without a config file")],
  ["help", 2, () => helpReply("CONFIG", HELP_LINES)],
]);
