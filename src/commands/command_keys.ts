import type { Bytes } from "../base/bytes.ts";
import { migratedKeys } from "./migrate.ts";
import { parseOffset } from "./parse.ts";
import { type CommandMetadata, type KeySpec, statusesOf } from "./metadata/metadata.ts";

/** A key of a request, with what the command does to it ("RO", "access" …). */
export interface FoundKey {
  readonly key: Bytes;
  readonly flags: readonly string[];
}

const READ = ["RO", "access"];
const OVERWRITE = ["OW", "update"];
const READ_WRITE = ["RW", "access", "update"];
const TAKE = ["RW", "access", "delete"];

type Finder = (argv: readonly Bytes[]) => readonly FoundKey[];

/** Commands whose keys or flags no specification tells. */
const FINDERS: ReadonlyMap<string, Finder> = new Map([
  ["set", findSetKeys],
  ["bitfield", findBitfieldKeys],
  ["sort", findSortKeys],
  ["sort_ro", findSortRoKeys],
  ["georadius", findGeoradiusKeys],
  ["georadiusbymember", findGeoradiusKeys],
  ["migrate", findMigrateKeys],
]);

/** Whether the command ever names a key. */
export function mayHaveKeys(metadata: CommandMetadata): boolean {
  return keySpecs(metadata).length > 0;
}

/** The keys of `argv`, its arity checked, by the key specifications; empty when it names none. */
export function findKeys(
  name: string,
  metadata: CommandMetadata,
  argv: readonly Bytes[],
): readonly FoundKey[] {
  const finder = FINDERS.get(name);
  const specs = keySpecs(metadata);
  const variable = specs.some((spec) => statusesOf(spec.flags).includes("variable_flags"));
  const found = variable && finder !== undefined ? undefined : findBySpecs(specs, argv);
  return found ?? finder?.(argv) ?? [];
}

function keySpecs(metadata: CommandMetadata): readonly KeySpec[] {
  return metadata.info[7]["~"].filter((spec) => !statusesOf(spec.flags).includes("not_key"));
}

/** Undefined when one of the specifications does not apply to these arguments. */
function findBySpecs(specs: readonly KeySpec[], argv: readonly Bytes[]): FoundKey[] | undefined {
  const found: FoundKey[] = [];
  for (const spec of specs) {
    const begin = beginOf(spec, argv);
    const range = begin === undefined ? undefined : rangeOf(spec, argv, begin);
    if (range === undefined) return undefined;
    const { first, last, step } = range;
    if (last >= argv.length || last < first || first >= argv.length) return undefined;
    const flags = statusesOf(spec.flags);
    for (let i = first; i <= last; i += step) found.push({ key: argv[i], flags });
    if (flags.includes("incomplete")) return undefined;
  }
  return found;
}

function beginOf({ begin_search }: KeySpec, argv: readonly Bytes[]): number | undefined {
  if (begin_search.type === "index") return begin_search.spec.index;
  if (begin_search.type === "unknown") return undefined;
  const { keyword, startfrom } = begin_search.spec;
  const start = startfrom > 0 ? startfrom : argv.length + startfrom;
  const end = startfrom > 0 ? argv.length - 1 : 1;
  const step = startfrom > 0 ? 1 : -1;
  for (let i = start; i !== end && i < argv.length && i > 0; i += step) {
    if (argv[i].toLowerCase() === keyword.toLowerCase()) return i + 1;
  }
  return undefined;
}

function rangeOf(
  { find_keys }: KeySpec,
  argv: readonly Bytes[],
  begin: number,
): { first: number; last: number; step: number } | undefined {
  if (find_keys.type === "unknown") return undefined;
  if (find_keys.type === "range") {
    const { lastkey, keystep, limit } = find_keys.spec;
    if (lastkey >= 0) return { first: begin, last: begin + lastkey, step: keystep };
    const span = limit === 0
      ? argv.length + lastkey
      : begin + Math.trunc((argv.length - begin) / limit) + lastkey;
    return { first: begin, last: span, step: keystep };
  }
  const { keynumidx, firstkey, keystep } = find_keys.spec;
  const count = begin + keynumidx < argv.length ? parseOffset(argv[begin + keynumidx]) : undefined;
  if (count === undefined || count < 0) return undefined;
  const first = begin + firstkey;
  return { first, last: first + (count - 1) * keystep, step: keystep };
}

function findSetKeys(argv: readonly Bytes[]): readonly FoundKey[] {
  const get = argv.slice(3).some((argument) => argument.toLowerCase() === "get");
  return [{ key: argv[1], flags: get ? READ_WRITE : OVERWRITE }];
}

function findBitfieldKeys(argv: readonly Bytes[]): readonly FoundKey[] {
  const key = argv[1];
  for (let i = 2; i < argv.length; i++) {
    const left = argv.length - i - 1;
    const operation = argv[i].toLowerCase();
    if (operation === "get" && left >= 2) i += 2;
    else if (operation === "overflow" && left >= 1) i++;
    else return [{ key, flags: READ_WRITE }];
  }
  return [{ key, flags: READ }];
}

const SORT_OPTION_ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ["limit", 2],
  ["get", 1],
  ["by", 1],
]);

function findSortKeys(argv: readonly Bytes[]): readonly FoundKey[] {
  let target: Bytes | undefined;
  for (let i = 2; i < argv.length; i++) {
    const option = argv[i].toLowerCase();
    if (option === "store" && i + 1 < argv.length) target = argv[++i];
    else i += SORT_OPTION_ARGUMENTS.get(option) ?? 0;
  }
  return sourceAndTarget(argv[1], target);
}

/** What BY and GET lead to is not told. */
function findSortRoKeys(argv: readonly Bytes[]): readonly FoundKey[] {
  return [{ key: argv[1], flags: READ }];
}

function findGeoradiusKeys(argv: readonly Bytes[]): readonly FoundKey[] {
  let target: Bytes | undefined;
  for (let i = 5; i < argv.length - 1; i++) {
    const option = argv[i].toLowerCase();
    if (option === "store" || option === "storedist") target = argv[++i];
  }
  return sourceAndTarget(argv[1], target);
}

function findMigrateKeys(argv: readonly Bytes[]): readonly FoundKey[] {
  return migratedKeys(argv).map((key) => ({ key, flags: TAKE }));
}

function sourceAndTarget(source: Bytes, target: Bytes | undefined): readonly FoundKey[] {
  const read = { key: source, flags: READ };
  return target === undefined ? [read] : [read, { key: target, flags: OVERWRITE }];
}
