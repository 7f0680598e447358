import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, MapReply, OK, type Reply, SetReply } from "../resp/reply.ts";
import { loadCatalog } from "./acl_catalog.ts";
import { aclChangeCommands } from "./acl_change.ts";
import { denialOf } from "./acl_check.ts";
import {
  describeChannels,
  describeCommands,
  describeKeys,
  describeUser,
  flagsOf,
} from "./acl_describe.ts";
import { aclLogReply } from "./acl_log.ts";
import { CATEGORIES } from "./acl_user.ts";
import type { Command, RunnableCommand } from "./command.ts";
import { localContainer, type LocalRun } from "./define_local.ts";
import { errQuoting, helpReply, quoted, unknownSubcommandOrArity } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import { parseOffset } from "./parse.ts";
import { restToken } from "./rest_token.ts";
import type { Selector } from "../storage/users_table.ts";

/** Bits of the longest password that ACL GENPASS makes. */
const GENPASS_BITS_MAX = 4096;
const GENPASS_BITS_DEFAULT = 256;
const NO_FILE = err(
  "This Redis instance is not configured to use an ACL file. You may want to specify users via " +
    "the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis " +
    "configuration file set) in order to store users in the Redis configuration.",
);

type Table = ReadonlyMap<string, Command>;
type Resolve = (argv: readonly Bytes[]) => RunnableCommand | ErrorReply;

/** ACL GENPASS [bits] */
function genPass({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 3) return unknownSubcommandOrArity("acl", argv[1]);
  const bits = argv.length === 2 ? GENPASS_BITS_DEFAULT : parseOffset(argv[2]);
  if (bits === undefined) return err("value is not an integer or out of range");
  if (bits <= 0 || bits > GENPASS_BITS_MAX) {
    return err(
      "ACL GENPASS argument must be the number of bits for the output password, a positive " +
        `number up to ${GENPASS_BITS_MAX}`,
    );
  }
  return node.acl.randomHex(Math.ceil(bits / 4));
}

/** ACL RESTTOKEN username password: Upstash's. */
function makeRestToken({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const [, , user, password] = argv;
  if (node.acl.checkPassword(user, password)) return restToken({ user, password });
  return errQuoting(`Wrong password or user "${quoted(user)}" does not exist`);
}

const HELP_LINES = [
  "CAT [<category>]",
  "    List all commands that belong to <category>, or all command categories",
  "    when no category is specified.",
  "DELUSER <username> [<username> ...]",
  "    Delete a list of users.",
  "DRYRUN <username> <command> [<arg> ...]",
  "    Returns whether the user can execute the given command without executing the command.",
  "GETUSER <username>",
  "    Get the user's details.",
  "GENPASS [<bits>]",
  "    Generate a secure 256-bit user password. The optional `bits` argument can",
  "    be used to specify a different size.",
  "LIST",
  "    Show users details in config file format.",
  "LOAD",
  "    Reload users from the ACL file.",
  "LOG [<count> | RESET]",
  "    Show the ACL log entries.",
  "RESTTOKEN <username> <password>",
  "    Return a token by which HTTP requests run as this user.",
  "SAVE",
  "    Save the current config to the ACL file.",
  "SETUSER <username> <attribute> [<attribute> ...]",
  "    Create or modify a user with the specified attributes.",
  "USERS",
  "    List all the registered usernames.",
  "WHOAMI",
  "    Return the current connection username.",
];

/** The command ACL; `table` and `resolve` are asked when one of its subcommands runs. */
export function aclCommand(table: () => Table, resolve: Resolve): Command {
  /** ACL CAT [category] */
  const cat: LocalRun = async (_context, argv) => {
    if (argv.length === 2) return CATEGORIES;
    if (argv.length > 3) return unknownSubcommandOrArity("acl", argv[1]);
    const category = argv[2].toLowerCase();
    if (!(CATEGORIES as readonly string[]).includes(category)) {
      return errQuoting(`Unknown category '${quoted(argv[2], 128)}'`);
    }
    const commands = [...(await loadCatalog(table())).values()];
    return commands.filter(({ categories }) => categories.has(category)).map(({ name }) => name);
  };

  /** ACL LIST */
  const list: LocalRun = async ({ node: { acl } }) => {
    const catalog = await loadCatalog(table());
    return acl.names.map((name) => `user ${name} ${describeUser(catalog, acl.user(name)!)}`);
  };

  /** ACL GETUSER username */
  const getUser: LocalRun = async ({ node }, argv) => {
    const user = node.acl.user(argv[2]);
    if (user === undefined) return null;
    const catalog = await loadCatalog(table());
    const rules = (selector: Selector): [Reply, Reply][] => [
      ["commands", describeCommands(catalog, selector)],
      ["keys", describeKeys(selector)],
      ["channels", selector.allChannels ? "&*" : describeChannels(selector)],
    ];
    const [root, ...others] = user.selectors;
    return new MapReply([
      ["flags", new SetReply(flagsOf(user))],
      ["passwords", user.passwords],
      ...rules(root),
      ["selectors", others.map((selector) => new MapReply(rules(selector)))],
    ]);
  };

  /** ACL DRYRUN username command [arg …] */
  const dryRun: LocalRun = async ({ node }, argv) => {
    const user = node.acl.user(argv[2]);
    if (user === undefined) return errQuoting(`User '${quoted(argv[2])}' not found`);
    const request = argv.slice(3);
    const command = resolve(request);
    if (command instanceof ErrorReply) {
      const isWrongArity = command.text.startsWith("ERR wrong number");
      return isWrongArity ? command : errQuoting(`Command '${quoted(argv[3])}' not found`);
    }
    const denial = denialOf(await loadCatalog(table()), user, command, request);
    if (denial === undefined) return OK;
    return denial.reason === "command"
      ? `This user has no permissions to run the '${denial.object}' command`
      : `This user has no permissions to access the '${denial.object}' ${denial.reason}`;
  };

  return localContainer("acl", [
    ["cat", -2, cat],
    ["dryrun", -4, dryRun],
    ["genpass", -2, genPass],
    ["getuser", 3, getUser],
    ["help", 2, () => helpReply("ACL", HELP_LINES)],
    ["list", 2, list],
    ["load", 2, () => NO_FILE],
    ["log", -2, aclLogReply],
    ["resttoken", 4, makeRestToken],
    ["save", 2, () => NO_FILE],
    ["users", 2, ({ node }) => node.acl.names],
    ["whoami", 2, ({ client }) => client.user],
  ], aclChangeCommands(table));
}
