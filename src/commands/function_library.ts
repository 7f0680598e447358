import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { LIBRARIES_BYTES_MAX } from "../constants.ts";
import { err, ErrorReply } from "../resp/reply.ts";
import { splitInline } from "../resp/inline.ts";
import type { LuaEngine, LuaSource, ScriptOutcome } from "../scripting/lua_engine.ts";
import { sha1Hex } from "../scripting/lua_module.ts";
import type { RowsTable } from "../storage/rows_table.ts";
import { errQuoting } from "./help.ts";
import { decodeFromScript, decodeStrings, decodeTagged } from "./script_values.ts";

/** A function that a library has registered. */
export interface LibraryFunction {
  readonly name: Bytes;
  readonly description: Bytes | null;
  readonly flags: readonly Bytes[];
}

/** A library of functions. */
export interface Library {
  readonly name: Bytes;
  /** As it was loaded, with its first line. */
  readonly code: Bytes;
  readonly source: LuaSource;
  readonly functions: readonly LibraryFunction[];
}

const BAD_NAME = err(
  "Library names can only contain letters, numbers, or underscores(_) and must be at least one " +
    "character long",
);
const FULL = new ErrorReply("OOM the libraries of functions take too much memory");

/** A library's own order of flags, as FUNCTION LIST has them. */
const FLAGS: readonly Bytes[] = [
  "no-writes",
  "allow-oom",
  "allow-stale",
  "no-cluster",
  "allow-cross-slot-keys",
  "allow-key-locking",
];

/** The name that the first line gives, `#!lua name=NAME`, and where that line ends. */
function parseHead(code: Bytes): { name: Bytes; length: number } | ErrorReply {
  if (!code.startsWith("#!")) return err("Missing library metadata");
  const length = code.indexOf("\n");
  if (length < 0) return err("Invalid library metadata");
  const [engine, ...options] = splitInline(code.slice(0, length)) ?? [];
  if (engine === undefined) return err("Invalid library metadata");
  let name: Bytes | undefined;
  for (const option of options) {
    if (!/^name=/i.test(option)) return errQuoting(`Invalid metadata value given: ${option}`);
    if (name !== undefined) {
      return err("Invalid metadata value, name argument was given multiple times");
    }
    name = option.slice(5);
  }
  if (name === undefined) return err("Library name was not given");
  if (!/^[A-Za-z0-9_]+$/.test(name)) return BAD_NAME;
  if (engine.slice(2).toLowerCase() !== "lua") {
    return errQuoting(`Engine '${engine.slice(2)}' not found`);
  }
  return { name, length };
}

/** The functions that the code has registered, or why it has none. */
function functionsOf({ kind, bytes }: ScriptOutcome): LibraryFunction[] | ErrorReply {
  if (kind === "done") return registered(bytes);
  if (kind === "exhausted") return err("Error registering functions: ERR FUNCTION LOAD timeout");
  if (kind === "error") {
    return errQuoting(
      `Error registering functions: ${(decodeFromScript(bytes) as ErrorReply).text}`,
    );
  }
  const [, message, source] = decodeStrings(bytes);
  if (kind === "uncompiled") return errQuoting(`Error compiling function: ${message}`);
  // A table with an error has its code.
  const text = source === undefined ? `ERR ${message}` : message;
  return errQuoting(`Error registering functions: ${text}`);
}

function registered(bytes: Bytes): LibraryFunction[] | ErrorReply {
  const functions: { name: Bytes; description: Bytes | null; flags: Bytes[] }[] = [];
  let isNamed = false;
  for (const [tag, text] of decodeTagged(bytes)) {
    if (tag === "*") functions.push({ name: text, description: null, flags: [] });
    const last = functions.at(-1);
    assert(last !== undefined, "a function's name comes first");
    if (tag !== "*" && isNamed) last.description = tag === "$" ? text : null;
    else if (tag === "$") last.flags.push(text);
    isNamed = tag === "*";
  }
  if (functions.length === 0) return err("No functions registered");
  for (const each of functions) each.flags = FLAGS.filter((flag) => each.flags.includes(flag));
  return functions;
}

/** The library in this code, which is run; or Redis's error for one that is wrong. */
function readLibrary(
  engine: LuaEngine,
  code: Bytes,
  isTaken: (name: Bytes) => boolean,
): Library | ErrorReply {
  const head = parseHead(code);
  if (head instanceof ErrorReply) return head;
  const { name, length } = head;
  if (isTaken(name)) return err(`Library '${name}' already exists`);
  const id = `library ${sha1Hex(code)}`;
  const source: LuaSource = { id, kind: "library", text: code.slice(length) };
  const functions = functionsOf(engine.compile(source));
  return functions instanceof ErrorReply ? functions : { name, code, source, functions };
}

/** Libraries and their functions, by names; those of functions in any case. */
class LibrarySet {
  readonly byName = new Map<Bytes, Library>();
  readonly #owners = new Map<Bytes, readonly [Library, LibraryFunction]>();

  findFunction(name: Bytes): readonly [Library, LibraryFunction] | undefined {
    return this.#owners.get(name.toLowerCase());
  }

  get functionCount(): number {
    return this.#owners.size;
  }

  add(library: Library): void {
    this.byName.set(library.name, library);
    for (const each of library.functions) {
      this.#owners.set(each.name.toLowerCase(), [library, each]);
    }
  }

  remove(library: Library): void {
    this.byName.delete(library.name);
    for (const { name } of library.functions) this.#owners.delete(name.toLowerCase());
  }

  /** The error of a library some function of which another library than `replaced` has. */
  collision(library: Library, replaced?: readonly Library[]): ErrorReply | undefined {
    for (const { name } of library.functions) {
      const owner = this.findFunction(name)?.[0];
      if (owner !== undefined && !replaced?.includes(owner)) {
        return err(`Function ${name} already exists`);
      }
    }
    return undefined;
  }
}

/**
 * The libraries of functions, a part of the state. Their code is kept; what it registers is found
 * by running it again, where another state.db was taken up.
 */
export class Libraries {
  readonly #table: RowsTable;
  readonly #engine: () => LuaEngine;
  #set: LibrarySet | undefined = new LibrarySet();
  #positions = new Map<Library, number>();
  #last = 0;
  #bytes = 0;

  constructor(table: RowsTable, engine: () => LuaEngine) {
    this.#table = table;
    this.#engine = engine;
    table.loaded = () => this.#set = undefined;
  }

  /** In the order in which they were loaded. */
  get all(): readonly Library[] {
    return [...this.#libraries.byName.values()];
  }

  get functionCount(): number {
    return this.#libraries.functionCount;
  }

  /** The function of this name in any case, and its library. */
  find(name: Bytes): readonly [Library, LibraryFunction] | undefined {
    return this.#libraries.findFunction(name);
  }

  /** Adds the library in this code; its name, or Redis's error. */
  load(code: Bytes, replaces: boolean): Bytes | ErrorReply {
    const set = this.#libraries;
    const library = readLibrary(
      this.#engine(),
      code,
      (name) => !replaces && set.byName.has(name),
    );
    if (library instanceof ErrorReply) return library;
    const old = set.byName.get(library.name);
    const error = set.collision(library, old && [old]) ?? this.#refused([library], old && [old]);
    if (error !== undefined) return error;
    if (old !== undefined) this.#remove(old);
    this.#add(library);
    return library.name;
  }

  /** Adds the libraries in all of these codes, or none; `policy` as FUNCTION RESTORE has it. */
  restore(codes: readonly Bytes[], policy: "flush" | "append" | "replace"): ErrorReply | undefined {
    const added = new LibrarySet();
    for (const code of codes) {
      const library = readLibrary(this.#engine(), code, (name) => added.byName.has(name));
      if (library instanceof ErrorReply) return library;
      const error = added.collision(library);
      if (error !== undefined) return error;
      added.add(library);
    }
    const libraries = [...added.byName.values()];
    const set = this.#libraries;
    const old = libraries.flatMap(({ name }) => set.byName.get(name) ?? []);
    if (policy === "append" && old.length > 0) return err(`Library ${old[0].name} already exists`);
    const gone = policy === "flush" ? this.all : old;
    for (const library of libraries) {
      const error = set.collision(library, gone);
      if (error !== undefined) return error;
    }
    const error = this.#refused(libraries, gone);
    if (error !== undefined) return error;
    for (const library of gone) this.#remove(library);
    for (const library of libraries) this.#add(library);
    return undefined;
  }

  /** Removes a library; false when there is none of this name. */
  delete(name: Bytes): boolean {
    const library = this.#libraries.byName.get(name);
    if (library === undefined) return false;
    this.#remove(library);
    return true;
  }

  clear(): void {
    for (const library of this.all) this.#remove(library);
  }

  #refused(added: readonly Library[], gone: readonly Library[] = []): ErrorReply | undefined {
    const bytesOf = (libraries: readonly Library[]) =>
      libraries.reduce((sum, { code }) => sum + code.length, 0);
    const bytes = this.#bytes + bytesOf(added) - bytesOf(gone);
    return bytes > LIBRARIES_BYTES_MAX ? FULL : undefined;
  }

  get #libraries(): LibrarySet {
    this.#set ??= this.#read();
    return this.#set;
  }

  #read(): LibrarySet {
    const set = new LibrarySet();
    this.#positions = new Map();
    this.#last = this.#bytes = 0;
    for (const [position, code] of this.#table.rows) {
      const library = readLibrary(this.#engine(), code, () => false);
      assert(!(library instanceof ErrorReply), "a library that was loaded can be loaded again");
      set.add(library);
      this.#positions.set(library, position);
      this.#bytes += code.length;
      this.#last = position;
    }
    return set;
  }

  #add(library: Library): void {
    this.#libraries.add(library);
    this.#positions.set(library, ++this.#last);
    this.#bytes += library.code.length;
    this.#table.set(this.#last, library.code);
  }

  #remove(library: Library): void {
    this.#libraries.remove(library);
    this.#table.delete(this.#positions.get(library)!);
    this.#positions.delete(library);
    this.#bytes -= library.code.length;
  }
}
