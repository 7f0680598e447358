import type { Bytes } from "../base/bytes.ts";
import { hashPassword } from "../storage/users_table.ts";
import type { KeyPattern, Selector, User } from "../storage/users_table.ts";

/** What a name in a rule stands for; undefined: no command. */
export type CommandKind = "command" | "container" | "subcommand" | undefined;

/** What ACL rules need to know of commands, by full name in lower case. */
export type KindOf = (name: Bytes) => CommandKind;

/** A rule that cannot be applied, with Redis's reason. */
export class RuleError extends Error {
  override name = "RuleError";
}

export const CATEGORIES = [
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
] as const;

const NO_SELECTOR: Selector = {
  allKeys: false,
  keys: [],
  allChannels: false,
  channels: [],
  commands: ["-@all"],
};

/** A user as ACL SETUSER without rules makes it: off, and allowed nothing. */
export const NEW_USER: User = {
  isOn: false,
  noPass: false,
  sanitize: "",
  passwords: [],
  selectors: [NO_SELECTOR],
};

/** The user that every connection begins as. */
export function defaultUser(password: Bytes): User {
  return {
    ...NEW_USER,
    isOn: true,
    noPass: password === "",
    passwords: password === "" ? [] : [hashPassword(password)],
    selectors: [{
      allKeys: true,
      keys: [],
      allChannels: true,
      channels: [],
      commands: ["+@all"],
    }],
  };
}

/**
 * Rules with those of a selector in one, as they may come in several arguments; a number: where the
 * parenthesis is that does not close. As in Redis, one that opens within another begins anew.
 */
export function mergeSelectors(rules: readonly Bytes[]): Bytes[] | number {
  const merged: Bytes[] = [];
  let open = -1;
  let selector = "";
  for (const [at, rule] of rules.entries()) {
    if (rule.startsWith("(") && !rule.endsWith(")")) {
      open = at;
      selector = rule;
    } else if (open < 0) {
      merged.push(rule);
    } else {
      selector += ` ${rule}`;
      if (!rule.endsWith(")")) continue;
      open = -1;
      merged.push(selector);
    }
  }
  return open < 0 ? merged : open;
}

/** The rule without a password in clear text: it goes into the log so. */
export function hashedRule(rule: Bytes): Bytes {
  if (rule.startsWith(">")) return `#${hashPassword(rule.slice(1))}`;
  return rule.startsWith("<") ? `!${hashPassword(rule.slice(1))}` : rule;
}

/** The user as a rule of ACL SETUSER makes it. Throws a RuleError. */
export function withRule(user: User, rule: Bytes, kindOf: KindOf): User {
  if (rule === "") return user;
  switch (rule.toLowerCase()) {
    case "on":
      return { ...user, isOn: true };
    case "off":
      return { ...user, isOn: false };
    case "skip-sanitize-payload":
    case "sanitize-payload":
      return { ...user, sanitize: rule.toLowerCase() };
    case "nopass":
      return { ...user, noPass: true, passwords: [] };
    case "resetpass":
      return { ...user, noPass: false, passwords: [] };
    case "clearselectors":
      return { ...user, selectors: [user.selectors[0]] };
    case "reset":
      return { ...NEW_USER, sanitize: "sanitize-payload" };
  }
  const first = rule[0];
  if (first === ">" || first === "#") return withPassword(user, rule);
  if (first === "<" || first === "!") return withoutPassword(user, rule);
  if (first === "(" && rule.endsWith(")")) {
    const rules = rule.slice(1, -1).split(" ").filter((word) => word !== "");
    const selector = rules.reduce((made, word) => narrowed(made, word, kindOf), NO_SELECTOR);
    return { ...user, selectors: [...user.selectors, selector] };
  }
  const [root, ...others] = user.selectors;
  return { ...user, selectors: [narrowed(root, rule, kindOf), ...others] };
}

function withPassword(user: User, rule: Bytes): User {
  const hash = hashOf(rule);
  const passwords = user.passwords.includes(hash) ? user.passwords : [...user.passwords, hash];
  return { ...user, noPass: false, passwords };
}

function withoutPassword(user: User, rule: Bytes): User {
  const hash = hashOf(rule);
  if (!user.passwords.includes(hash)) {
    throw new RuleError("The password you are trying to remove from the user does not exist");
  }
  return { ...user, passwords: user.passwords.filter((each) => each !== hash) };
}

function hashOf(rule: Bytes): Bytes {
  const hash = hashedRule(rule).slice(1);
  if (/^[0-9a-f]{64}$/.test(hash)) return hash;
  throw new RuleError(
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal " +
      "characters",
  );
}

function narrowed(selector: Selector, rule: Bytes, kindOf: KindOf): Selector {
  switch (rule.toLowerCase()) {
    case "allkeys":
    case "~*":
      return { ...selector, allKeys: true, keys: [] };
    case "resetkeys":
      return { ...selector, allKeys: false, keys: [] };
    case "allchannels":
    case "&*":
      return { ...selector, allChannels: true, channels: [] };
    case "resetchannels":
      return { ...selector, allChannels: false, channels: [] };
    case "allcommands":
    case "+@all":
      return { ...selector, commands: ["+@all"] };
    case "nocommands":
    case "-@all":
      return { ...selector, commands: ["-@all"] };
  }
  const first = rule[0];
  if (first === "~" || first === "%") return withKeys(selector, rule);
  if (first === "&") return withChannels(selector, rule.slice(1));
  if (first !== "+" && first !== "-") throw new RuleError("Syntax error");
  const command = commandRule(rule.toLowerCase(), kindOf);
  // The last rule for a command counts: an equal one before it changes nothing any more.
  const commands = [...selector.commands.filter((each) => each !== command), command];
  return { ...selector, commands };
}

function keyPattern(rule: Bytes): KeyPattern {
  if (rule[0] === "~") return { pattern: spaceless(rule.slice(1)), read: true, write: true };
  const match = /^%(r|w|rw|wr)(?:~|$)/i.exec(rule);
  if (match === null) throw new RuleError("Syntax error");
  const access = match[1].toLowerCase();
  const pattern = spaceless(rule.slice(match[0].length));
  return { pattern, read: access.includes("r"), write: access.includes("w") };
}

function withKeys(selector: Selector, rule: Bytes): Selector {
  if (selector.allKeys) {
    throw new RuleError(
      "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not " +
        "have any effect. Try 'resetkeys' to start with an empty list of patterns",
    );
  }
  const added = keyPattern(rule);
  const isKnown = selector.keys.some(({ pattern }) => pattern === added.pattern);
  if (!isKnown) return { ...selector, keys: [...selector.keys, added] };
  const keys = selector.keys.map((each) =>
    each.pattern === added.pattern
      ? { ...each, read: each.read || added.read, write: each.write || added.write }
      : each
  );
  return { ...selector, keys };
}

function withChannels(selector: Selector, pattern: Bytes): Selector {
  if (selector.allChannels) {
    throw new RuleError(
      "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does " +
        "not have any effect. Try 'resetchannels' to start with an empty list of channels",
    );
  }
  if (selector.channels.includes(spaceless(pattern))) return selector;
  return { ...selector, channels: [...selector.channels, pattern] };
}

function spaceless(pattern: Bytes): Bytes {
  if (hasSpaces(pattern)) throw new RuleError("Syntax error");
  return pattern;
}

/** Whether a name or pattern holds what may not be in one. */
export function hasSpaces(text: Bytes): boolean {
  return /[\s\0]/.test(text);
}

/** `+name`, `-name`, `+@category`, `-@category` or `+name|first-argument`, if it is one. */
function commandRule(rule: Bytes, kindOf: KindOf): Bytes {
  const name = rule.slice(1);
  if (name.startsWith("@")) {
    if ((CATEGORIES as readonly string[]).includes(name.slice(1))) return rule;
    throw new RuleError(UNKNOWN);
  }
  if (kindOf(name) !== undefined) return rule;
  const bar = name.lastIndexOf("|");
  const kind = bar < 0 ? undefined : kindOf(name.slice(0, bar));
  if (kind === undefined || rule[0] === "-") throw new RuleError(UNKNOWN);
  if (kind === "subcommand") {
    throw new RuleError("Allowing first-arg of a subcommand is not supported");
  }
  if (bar === name.length - 1) throw new RuleError("Syntax error");
  if (kind === "container") throw new RuleError(UNKNOWN);
  return rule;
}

const UNKNOWN = "Unknown command or category name in ACL";
