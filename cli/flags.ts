import * as v from "valibot";
import { nearest } from "./nearest.ts";
import { parseTokens } from "./parse_tokens.ts";
import { UsageError } from "./usage_error.ts";
import type { ValueKind } from "./value_kinds.ts";

/** One setting: `--NAME` on the command line, BALSA_NAME in the environment, "NAME" in a file. */
export interface Flag<T> {
  readonly kind: ValueKind<T>;
  readonly help: string;
  readonly default?: T;
  /** Shown in the help in place of `default`. */
  readonly defaultText?: string;
  /** One letter: `-p`. */
  readonly short?: string;
  /** Never shown in an error. */
  readonly secret?: boolean;
  /** Not a key of the configuration file. */
  readonly notInFile?: boolean;
  /** Not read from the environment. */
  readonly notInEnvironment?: boolean;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

type ValueOf<F> = F extends { kind: ValueKind<infer T> } ? T : never;

/** The settings of a table: flags without a default may be undefined. */
export type Settings<T extends FlagTable> = {
  readonly [N in keyof T]: T[N] extends { default: unknown } ? ValueOf<T[N]>
    : ValueOf<T[N]> | undefined;
};

export interface SettingSources {
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Text of a configuration file; called when the flag `config` is set. */
  readonly readFile?: (path: string) => string;
  /** Flags may stand behind positionals too. */
  readonly mixed?: boolean;
}

export interface ParsedCommandLine<T extends FlagTable> {
  readonly settings: Settings<T>;
  /** What follows the flags. */
  readonly positionals: readonly string[];
  readonly help: boolean;
}

/** The environment's name of a flag: BALSA_HTTP_PORT. */
export function environmentName(flag: string): string {
  return "BALSA_" + flag.toUpperCase().replaceAll("-", "_");
}

/**
 * The settings of `table`, each from the first that has it: flag, environment, file, default.
 * Flags end at the first positional, unless mixed. Throws UsageError: what is wrong, and where.
 */
export function parseCommandLine<const T extends FlagTable>(
  table: T,
  sources: SettingSources,
): ParsedCommandLine<T> {
  const { values, positionals, help } = parseTokens(table, sources.args, sources.mixed);
  const settings: Record<string, unknown> = {};
  // Asking for help must work however wrong the environment is.
  if (help) return { settings: settings as Settings<T>, positionals, help };
  const environment = sources.environment ?? {};
  for (const [name, flag] of Object.entries(table)) {
    const variable = environmentName(name);
    if (values.has(name)) {
      settings[name] = checked(flag, values.get(name) ?? "true", `--${name}`);
    } else if (environment[variable] && !flag.notInEnvironment) {
      settings[name] = checked(flag, environment[variable], variable);
    }
  }
  if (typeof settings.config === "string" && sources.readFile !== undefined) {
    const file = parseConfigFile(table, settings.config, sources.readFile);
    for (const name of Object.keys(file)) settings[name] ??= file[name];
  }
  for (const [name, flag] of Object.entries(table)) settings[name] ??= flag.default;
  return { settings: settings as Settings<T>, positionals, help };
}

function checked(flag: Flag<unknown>, given: string, where: string): unknown {
  const result = v.safeParse(flag.kind.schema, flag.kind.fromText(given));
  if (result.success) return result.output;
  throw new UsageError(`${where}: ${shown(flag, given)}${result.issues[0].message}`);
}

function shown(flag: Flag<unknown>, value: unknown): string {
  if (flag.secret) return "";
  const json = JSON.stringify(value);
  return (json.length > 60 ? json.slice(0, 60) + "…" : json) + " ";
}

function parseConfigFile(
  table: FlagTable,
  path: string,
  readFile: (path: string) => string,
): Record<string, unknown> {
  const names = Object.keys(table).filter((name) => !table[name].notInFile);
  const json = readJson(path, readFile);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new UsageError(`${path}: must hold one JSON object, such as {"port": 6379}`);
  }
  const entries = names.map((name) => [name, v.optional(table[name].kind.schema)] as const);
  const result = v.safeParse(v.strictObject(Object.fromEntries(entries)), json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const key = String(issue.path?.[0]?.key);
  if (!names.includes(key)) {
    const guess = nearest(key, names);
    const hint = guess === undefined ? `known: ${names.join(", ")}` : `did you mean "${guess}"?`;
    throw new UsageError(`${path}: unknown key "${key}" (${hint})`);
  }
  throw new UsageError(`${path}: "${key}": ${shown(table[key], issue.input)}${issue.message}`);
}

function readJson(path: string, readFile: (path: string) => string): unknown {
  let content;
  try {
    content = readFile(path);
  } catch (error) {
    throw new UsageError(`--config: cannot read ${path}: ${messageOf(error)}`);
  }
  try {
    return JSON.parse(content.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new UsageError(`${path}: not JSON: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The help lines of a table: flag, meaning, default. */
export function flagHelp(table: FlagTable): string {
  const rows = Object.entries(table).map(([name, flag]) => {
    const placeholder = flag.kind.placeholder;
    const short = flag.short === undefined ? "    " : `-${flag.short}, `;
    return [`  ${short}--${name}${placeholder ? " " + placeholder : ""}`, describe(flag)];
  });
  const helpLetter = Object.values(table).some((flag) => flag.short === "h") ? "    " : "-h, ";
  rows.push([`  ${helpLetter}--help`, "this text"]);
  const width = Math.min(32, Math.max(...rows.map(([left]) => left.length)));
  const indent = "\n" + " ".repeat(width + 2);
  return rows
    .map(([left, right]) =>
      left.length > width ? left + indent + right : left.padEnd(width + 2) + right
    )
    .join("\n");
}

/** A flag's meaning with its default in brackets. */
export function describe(flag: Flag<unknown>): string {
  const fallback = flag.defaultText ??
    (flag.default === undefined || flag.default === false ? "" : String(flag.default));
  return fallback === "" ? flag.help : `${flag.help} (${fallback})`;
}
