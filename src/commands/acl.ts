import type { Bytes } from "../base/bytes.ts";
import { MapReply, type Reply, SetReply } from "../resp/reply.ts";
import { localContainer } from "./define_local.ts";
import { errQuoting, helpReply, quoted, unknownSubcommandOrArity } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import { loadMetadata, statusesOf } from "./metadata/metadata.ts";
import type { Command } from "./command.ts";

// There is one user, "default", who may do everything; its password is the node's.

const CATEGORIES = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
];

/** ACL GETUSER username. The password's hash is not told. */
function getUser({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv[2] !== "default") return null;
  const flags = node.passwordRequired ? ["on"] : ["on", "nopass"];
  return new MapReply([
    ["flags", new SetReply(flags)],
    ["passwords", []],
    ["commands", "+@all"],
    ["keys", "~*"],
    ["channels", "&*"],
    ["selectors", []],
  ]);
}

/** ACL LIST */
function list({ node }: LocalContext): Reply {
  return [`user default on ${node.passwordRequired ? "" : "nopass "}~* &* +@all`];
}

const HELP_LINES = [
  "CAT [<category>]",
  "    List all commands that belong to <category>, or all command categories",
  "    when no category is specified.",
  "GETUSER <username>",
  "    Get the user's details.",
  "LIST",
  "    Show users details in config file format.",
  "USERS",
  "    List all the registered usernames.",
  "WHOAMI",
  "    Return the current connection username.",
];

/** The command ACL; `table` is asked for when ACL CAT runs. */
export function aclCommand(table: () => ReadonlyMap<string, Command>): Command {
  /** ACL CAT [category] */
  const cat = async (_context: LocalContext, argv: readonly Bytes[]): Promise<Reply> => {
    if (argv.length === 2) return CATEGORIES;
    if (argv.length > 3) return unknownSubcommandOrArity("acl", argv[1]);
    const category = argv[2].toLowerCase();
    if (!CATEGORIES.includes(category)) {
      return errQuoting(`Unknown category '${quoted(argv[2])}'`);
    }
    const metadata = await loadMetadata();
    const names: string[] = [];
    for (const command of table().values()) {
      const subcommands = command.path === "container" ? [...command.subcommands.values()] : [];
      for (const each of [command, ...subcommands]) {
        const known = metadata[each.name];
        if (known !== undefined && statusesOf(known.info[5]).includes(`@${category}`)) {
          names.push(each.name);
        }
      }
    }
    return names;
  };
  return localContainer("acl", [
    ["cat", -2, cat],
    ["getuser", 3, getUser],
    ["help", 2, () => helpReply("ACL", HELP_LINES)],
    ["list", 2, list],
    ["users", 2, () => ["default"]],
    ["whoami", 2, ({ client }) => client.user],
  ]);
}
