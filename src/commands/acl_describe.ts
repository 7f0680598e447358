import type { Bytes } from "../base/bytes.ts";
import type { KeyPattern, Selector, User } from "../storage/users_table.ts";
import { type Catalog, CommandSet, commandsOf } from "./acl_catalog.ts";
import { CATEGORIES } from "./acl_user.ts";

/** A user in one line, as ACL LIST has it and ACL SETUSER takes it. */
export function describeUser(catalog: Catalog, user: User): Bytes {
  const [root, ...others] = user.selectors;
  return [
    ...flagsOf(user),
    ...user.passwords.map((hash) => `#${hash}`),
    describeSelector(catalog, root),
    ...others.map((selector) => `(${describeSelector(catalog, selector)})`),
  ].join(" ");
}

/** "on" or "off", and what else is set. */
export function flagsOf({ isOn, noPass, sanitize }: User): Bytes[] {
  const flags = [isOn ? "on" : "off"];
  if (noPass) flags.push("nopass");
  if (sanitize !== "") flags.push(sanitize);
  return flags;
}

function describeSelector(catalog: Catalog, selector: Selector): Bytes {
  const parts = [selector.allKeys ? "~*" : describeKeys(selector)];
  parts.push(selector.allChannels ? "&*" : "resetchannels", describeChannels(selector));
  parts.push(describeCommands(catalog, selector));
  return parts.filter((part) => part !== "" && part !== undefined).join(" ");
}

/** The patterns of keys; of all: "~*". */
export function describeKeys({ allKeys, keys }: Selector): Bytes {
  return allKeys ? "~*" : keys.map(keyRule).join(" ");
}

function keyRule({ pattern, read, write }: KeyPattern): Bytes {
  return read && write ? `~${pattern}` : `%${read ? "R" : "W"}~${pattern}`;
}

/** The patterns of channels, but not where all are allowed. */
export function describeChannels({ channels }: Selector): Bytes {
  return channels.map((pattern) => `&${pattern}`).join(" ");
}

/**
 * Rules that allow just the commands that a selector allows: from all or none, by the categories
 * that come closest, and single commands.
 */
export function describeCommands(catalog: Catalog, selector: Selector): Bytes {
  const wanted = commandsOf(catalog, selector);
  return wanted.description ??= shortestRules(catalog, selector, wanted);
}

function shortestRules(catalog: Catalog, selector: Selector, wanted: CommandSet): Bytes {
  const rules = [wanted.isAll ? "+@all" : "-@all"];
  const made = new CommandSet(catalog, rules);
  const left = new CommandSet(catalog, selector.commands);
  const [add, undo] = wanted.isAll ? ["-@", "+@"] : ["+@", "-@"];
  const unused = new Set<string>(CATEGORIES);
  for (;;) {
    const category = closest(catalog, left, unused, !wanted.isAll);
    if (category === undefined) break;
    unused.delete(category);
    rules.push(add + category);
    made.apply(add + category);
    left.apply(undo + category);
  }
  for (const name of catalog.keys()) {
    const allows = wanted.names.has(name);
    if (allows !== made.names.has(name)) {
      const rule = `${allows ? "+" : "-"}${name}`;
      rules.push(rule);
      made.apply(rule);
    }
    if (allows) continue;
    for (const argument of wanted.firstArguments.get(name) ?? []) {
      rules.push(`+${name}|${argument}`);
    }
  }
  return rules.join(" ");
}

/** The category of which most commands, and fewest others, are still to be told. */
function closest(
  catalog: Catalog,
  left: CommandSet,
  unused: ReadonlySet<string>,
  isAdditive: boolean,
): string | undefined {
  let best: string | undefined;
  let [leastOther, mostSame] = [Infinity, 0];
  for (const category of unused) {
    let [on, off] = [0, 0];
    for (const { name, categories } of catalog.values()) {
      if (!categories.has(category)) continue;
      if (left.names.has(name)) on++;
      else off++;
    }
    const [same, other] = isAdditive ? [on, off] : [off, on];
    if (same <= other) continue;
    if (other < leastOther || (other === leastOther && same > mostSame)) {
      [best, leastOther, mostSame] = [category, other, same];
    }
  }
  return best;
}
