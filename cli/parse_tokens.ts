import { parseArgs } from "node:util";
import type { FlagTable } from "./flags.ts";
import { nearest } from "./nearest.ts";
import { UsageError } from "./usage_error.ts";

export interface TokenResult {
  /** Text of each flag given; undefined for a switch. */
  readonly values: Map<string, string | undefined>;
  readonly positionals: readonly string[];
  readonly help: boolean;
}

/**
 * Splits a command line into flags and, from the first positional on, the rest as it stands; or,
 * with `mixed`, into flags and positionals wherever they stand.
 */
export function parseTokens(
  table: FlagTable,
  args: readonly string[],
  mixed = false,
): TokenResult {
  const positionals: string[] = [];
  const values = new Map<string, string | undefined>();
  let help = false;
  // Not strict: parseArgs then reports tokens, and the errors are ours to word.
  const { tokens } = parseArgs({
    args: [...args],
    options: parseArgsOptions(table),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      return { values, positionals: [...positionals, ...args.slice(token.index + 1)], help };
    }
    if (token.kind === "positional" && mixed) {
      positionals.push(token.value);
      continue;
    }
    if (token.kind === "positional") {
      return { values, positionals: args.slice(token.index), help };
    }
    if (token.name === "help") {
      help = true;
      continue;
    }
    const flag = table[token.name];
    if (!Object.hasOwn(table, token.name)) throw unknownFlag(token.rawName, table);
    if (flag.kind.placeholder === "") {
      if (token.value !== undefined && !token.inlineValue) throw unknownFlag(token.rawName, table);
    } else if (token.value === undefined) {
      throw new UsageError(
        `${token.rawName} needs a value: ${token.rawName} ${flag.kind.placeholder}`,
      );
    } else if (!token.inlineValue && token.value.startsWith("-") && token.value.length > 1) {
      throw new UsageError(
        `${token.rawName} needs a value (one that starts with "-" is written ` +
          `--${token.name}=VALUE)`,
      );
    }
    values.set(token.name, token.value);
  }
  return { values, positionals, help };
}

function parseArgsOptions(table: FlagTable) {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  let helpShort = true;
  for (const [name, flag] of Object.entries(table)) {
    options[name] = { type: flag.kind.placeholder === "" ? "boolean" : "string" };
    if (flag.short !== undefined) options[name].short = flag.short;
    if (flag.short === "h") helpShort = false;
  }
  options.help = helpShort ? { type: "boolean", short: "h" } : { type: "boolean" };
  return options;
}

function unknownFlag(rawName: string, table: FlagTable): UsageError {
  const guess = rawName.startsWith("--")
    ? nearest(rawName.slice(2), [...Object.keys(table), "help"])
    : undefined;
  const hint = guess === undefined ? "--help lists the flags" : `did you mean --${guess}?`;
  return new UsageError(`unknown flag ${rawName} (${hint})`);
}
