import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { USERS_MAX } from "../constants.ts";
import { err, OK, type Reply } from "../resp/reply.ts";
import type { User } from "../storage/users_table.ts";
import { kindOf } from "./acl_catalog.ts";
import {
  defaultUser,
  hashedRule,
  hasSpaces,
  mergeSelectors,
  NEW_USER,
  RuleError,
  withRule,
} from "./acl_user.ts";
import type { Command, DataCommand } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { writeCommand } from "./define.ts";
import { errQuoting, quoted } from "./help.ts";
import type { NodeView } from "./local_context.ts";

const DEFAULT = "default";

/** ACL SETUSER and ACL DELUSER, which go through the log: every node has the same users. */
export function aclChangeCommands(
  table: () => ReadonlyMap<string, Command>,
): readonly (readonly [name: string, command: DataCommand])[] {
  const setUser = writeCommand(
    "acl|setuser",
    -3,
    (context, argv) => change(table(), context, argv),
  );
  return [
    ["setuser", { ...setUser, prepare: prepared }],
    ["deluser", writeCommand("acl|deluser", -3, deleteUsers)],
  ];
}

/**
 * `ACL SETUSER username rule …` as it goes into the log: with passwords hashed, and at argv[3] what
 * a new user begins with on the node that was asked: the default user with its password, others
 * with what `acl-pubsub-default` says, as selectors do.
 */
function prepared(argv: readonly Bytes[], node: NodeView): readonly Bytes[] {
  const { nodePassword, newUserChannels } = node.acl;
  const [hash = ""] = defaultUser(nodePassword).passwords;
  const base = argv[2] === DEFAULT ? hash : newUserChannels;
  const rules = argv.slice(3).map(hashedRule).flatMap((rule) => {
    if (newUserChannels === "resetchannels") return [rule];
    if (rule.startsWith("(")) return [`(${newUserChannels} ${rule.slice(1)}`];
    return rule.toLowerCase() === "reset" ? [rule, newUserChannels] : [rule];
  });
  return [...argv.slice(0, 3), base, ...rules];
}

function change(
  table: ReadonlyMap<string, Command>,
  context: DataContext,
  argv: readonly Bytes[],
): Reply {
  const { users } = context;
  assert(users !== undefined, "it runs where the state is changed");
  const name = argv[2];
  if (hasSpaces(name)) return err("Usernames can't contain spaces or null characters");
  const isDefault = name === DEFAULT;
  const known = users.find(name);
  if (known === undefined && users.size >= USERS_MAX) return err("there are too many users");
  const knows = (command: Bytes) => kindOf(table, command);
  let user: User = known ??
    (isDefault ? defaultWith(argv[3]) : withRule(NEW_USER, argv[3], knows));
  const given = argv.slice(4);
  const rules = mergeSelectors(given);
  if (typeof rules === "number") {
    const start = quoted(given[rules]);
    return errQuoting(`Unmatched parenthesis in acl selector starting at '${start}'.`);
  }
  for (const rule of rules) {
    try {
      user = withRule(user, rule, knows);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      return errQuoting(`Error in ACL SETUSER modifier '${quoted(rule)}': ${error.message}`);
    }
  }
  users.set(name, user);
  return OK;
}

/** The default user with a password whose hash this is; "" for none. */
function defaultWith(hash: Bytes): User {
  return { ...defaultUser(""), noPass: hash === "", passwords: hash === "" ? [] : [hash] };
}

/** ACL DELUSER username [username …] */
function deleteUsers({ users }: DataContext, argv: readonly Bytes[]): Reply {
  assert(users !== undefined, "it runs where the state is changed");
  const names = argv.slice(2);
  if (names.includes(DEFAULT)) return err("The 'default' user cannot be removed");
  return names.filter((name) => users.delete(name)).length;
}
