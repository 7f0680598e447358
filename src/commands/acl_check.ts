import type { Bytes } from "../base/bytes.ts";
import type { Selector, User } from "../storage/users_table.ts";
import { type Catalog, commandsOf } from "./acl_catalog.ts";
import type { RunnableCommand } from "./command.ts";
import { findKeys, type FoundKey, mayHaveKeys } from "./command_keys.ts";
import { globMatches } from "./glob.ts";

/** Why a user may not run a command: for its sake, or that of a key or channel of it. */
export interface Denial {
  readonly reason: "command" | "key" | "channel";
  /** The command's full name, or that of the key or channel. */
  readonly object: Bytes;
  /** Where that stands in the request; 0 for the command. */
  readonly at: number;
}

/** Later ones say more. */
const REASONS = ["command", "key", "channel"];

/** Whether rules that allow everything are all a user has: nothing need be checked then. */
export function isUnrestricted({ selectors: [root] }: User): boolean {
  const { allKeys, allChannels, commands } = root;
  return allKeys && allChannels && commands.length === 1 && commands[0] === "+@all";
}

/** Why `user` may not run a command, its arity checked; undefined when it may. */
export function denialOf(
  catalog: Catalog,
  user: User,
  command: RunnableCommand,
  argv: readonly Bytes[],
): Denial | undefined {
  let worst: Denial | undefined;
  for (const selector of user.selectors) {
    const denial = denialBy(catalog, selector, command, argv);
    if (denial === undefined) return undefined;
    if (worst === undefined || saysMore(denial, worst)) worst = denial;
  }
  return worst;
}

function saysMore(denial: Denial, than: Denial): boolean {
  const more = REASONS.indexOf(denial.reason) - REASONS.indexOf(than.reason);
  return more > 0 || (more === 0 && denial.at > than.at);
}

/** Whether some selector lets its user run a command and read every key there is. */
export function readsAllKeys(
  catalog: Catalog,
  user: User,
  command: RunnableCommand,
  argv: readonly Bytes[],
): boolean {
  return user.selectors.some((selector) =>
    (selector.allKeys || selector.keys.some(({ pattern, read }) => pattern === "*" && read)) &&
    denialBy(catalog, selector, command, argv) === undefined
  );
}

function denialBy(
  catalog: Catalog,
  selector: Selector,
  command: RunnableCommand,
  argv: readonly Bytes[],
): Denial | undefined {
  if (!allowsCommand(catalog, selector, command, argv)) {
    return { reason: "command", object: command.name, at: 0 };
  }
  if (!selector.allKeys) {
    for (const found of keysOf(catalog, command, argv)) {
      if (allowsKey(selector, found)) continue;
      return { reason: "key", object: found.key, at: argv.indexOf(found.key) };
    }
  }
  if (selector.allChannels) return undefined;
  const isPattern = command.name === "psubscribe";
  for (const channel of channelsOf(command, argv)) {
    const allowed = selector.channels.some((pattern) =>
      isPattern ? pattern === channel : globMatches(pattern, channel)
    );
    if (!allowed) return { reason: "channel", object: channel, at: argv.indexOf(channel) };
  }
  return undefined;
}

function allowsCommand(
  catalog: Catalog,
  selector: Selector,
  command: RunnableCommand,
  argv: readonly Bytes[],
): boolean {
  if (command.path === "local" && command.noAuth === true) return true;
  const { names, firstArguments } = commandsOf(catalog, selector);
  if (names.has(command.name)) return true;
  if (argv.length < 2) return false;
  return firstArguments.get(command.name)?.includes(argv[1].toLowerCase()) === true;
}

function keysOf(
  catalog: Catalog,
  command: RunnableCommand,
  argv: readonly Bytes[],
): readonly FoundKey[] {
  const metadata = catalog.get(command.name)?.metadata;
  return metadata !== undefined && mayHaveKeys(metadata)
    ? findKeys(command.name, metadata, argv)
    : [];
}

const WRITES = ["insert", "delete", "update"];

function allowsKey({ keys }: Selector, { key, flags }: FoundKey): boolean {
  const reads = flags.includes("access");
  const writes = WRITES.some((flag) => flags.includes(flag));
  return keys.some(({ pattern, read, write }) =>
    (read || !reads) && (write || !writes) && globMatches(pattern, key)
  );
}

function channelsOf({ name }: RunnableCommand, argv: readonly Bytes[]): readonly Bytes[] {
  switch (name) {
    case "publish":
    case "spublish":
      return [argv[1]];
    case "subscribe":
    case "psubscribe":
    case "ssubscribe":
      return argv.slice(1);
  }
  return [];
}
