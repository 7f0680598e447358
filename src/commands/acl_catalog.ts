import type { Bytes } from "../base/bytes.ts";
import type { Selector } from "../storage/users_table.ts";
import type { CommandKind } from "./acl_user.ts";
import type { Command } from "./command.ts";
import { metadataOf } from "./introspection.ts";
import { type CommandMetadata, loadMetadata, statusesOf } from "./metadata/metadata.ts";

/** One command of the catalog, containers and their subcommands alike. */
export interface CatalogCommand {
  /** In lower case, "config|get". */
  readonly name: Bytes;
  readonly metadata: CommandMetadata;
  /** Without the @. */
  readonly categories: ReadonlySet<string>;
  /** A container's subcommands go with it. */
  readonly subcommands: readonly Bytes[];
}

/** All commands with what access control needs to know of them. */
export type Catalog = ReadonlyMap<Bytes, CatalogCommand>;

let catalog: Catalog | undefined;

/** The catalog, if it was loaded. */
export function catalogNow(): Catalog | undefined {
  return catalog;
}

/** Loads it, once. */
export async function loadCatalog(table: ReadonlyMap<string, Command>): Promise<Catalog> {
  const metadata = await loadMetadata();
  if (catalog !== undefined) return catalog;
  const made = new Map<Bytes, CatalogCommand>();
  for (const command of table.values()) {
    const subcommands = command.path === "container" ? [...command.subcommands.values()] : [];
    for (const each of [command, ...subcommands]) {
      const known = metadataOf(metadata, each);
      const categories = new Set(statusesOf(known.info[5]).map((category) => category.slice(1)));
      const names = each === command ? subcommands.map(({ name }) => name) : [];
      made.set(each.name, { name: each.name, metadata: known, categories, subcommands: names });
    }
  }
  return catalog = made;
}

/** Commands of Redis that rules may name though there are none here: they give and take nothing. */
const NOT_OFFERED: ReadonlySet<Bytes> = new Set(
  ("asking cluster module pfdebug pfselftest psync readonly readwrite replconf " +
    "restore-asking sync").split(" "),
);

/** What a full name in lower case stands for. */
export function kindOf(table: ReadonlyMap<string, Command>, name: Bytes): CommandKind {
  const [first, second, ...rest] = name.split("|");
  const command = table.get(first);
  if (command === undefined) return NOT_OFFERED.has(name) ? "command" : undefined;
  if (rest.length > 0) return undefined;
  const isContainer = command.path === "container";
  if (second === undefined) return isContainer ? "container" : "command";
  return isContainer && command.subcommands.has(second) ? "subcommand" : undefined;
}

/** The commands that rules allow, and first arguments that they allow of others. */
export class CommandSet {
  readonly names = new Set<Bytes>();
  readonly firstArguments = new Map<Bytes, Bytes[]>();
  /** Whether it began with all: commands that will come are allowed too. */
  isAll = false;
  /** The rules that tell of it shortest, once they were asked for. */
  description: Bytes | undefined;
  readonly #catalog: Catalog;

  constructor(catalog: Catalog, rules: readonly Bytes[]) {
    this.#catalog = catalog;
    for (const rule of rules) this.apply(rule);
  }

  apply(rule: Bytes): void {
    const allows = rule[0] === "+";
    const name = rule.slice(1);
    if (name === "@all") return this.#setAll(allows);
    if (name[0] === "@") {
      const category = name.slice(1);
      for (const command of this.#catalog.values()) {
        if (command.categories.has(category)) this.#change(command, allows);
      }
      return;
    }
    const command = this.#catalog.get(name);
    if (command !== undefined) return this.#change(command, allows);
    const bar = name.lastIndexOf("|");
    if (bar < 0) return;
    const [of, argument] = [name.slice(0, bar), name.slice(bar + 1)];
    const known = this.firstArguments.get(of) ?? [];
    if (!known.includes(argument)) this.firstArguments.set(of, [...known, argument]);
  }

  #setAll(allows: boolean): void {
    this.isAll = allows;
    this.names.clear();
    this.firstArguments.clear();
    if (allows) { for (const name of this.#catalog.keys()) this.names.add(name); }
  }

  #change({ name, subcommands }: CatalogCommand, allows: boolean): void {
    for (const each of [name, ...subcommands]) {
      if (allows) this.names.add(each);
      else this.names.delete(each);
      this.firstArguments.delete(each);
    }
  }
}

/** The set of each selector: many users have the same rules for commands. */
const SETS = new WeakMap<Selector, CommandSet>();
const BY_RULES = new Map<Bytes, CommandSet>();
const BY_RULES_MAX = 1000;

/** The commands that a selector allows. */
export function commandsOf(catalog: Catalog, selector: Selector): CommandSet {
  const known = SETS.get(selector);
  if (known !== undefined) return known;
  const rules = selector.commands.join(" ");
  const set = BY_RULES.get(rules) ?? new CommandSet(catalog, selector.commands);
  if (BY_RULES.size >= BY_RULES_MAX) BY_RULES.clear();
  BY_RULES.set(rules, set);
  SETS.set(selector, set);
  return set;
}
