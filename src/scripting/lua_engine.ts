import type { Bytes } from "../base/bytes.ts";
import {
  SCRIPT_IMAGES_BYTES_MAX,
  SCRIPT_INSTANCE_BYTES_KEPT,
  SCRIPT_UNITS_MAX,
} from "../constants.ts";
import { LuaInstance, type ScriptHost } from "./lua_instance.ts";

/** How a run has ended, with bytes as `wasm/values.h` has them. */
export interface ScriptOutcome {
  /**
   * "done" with what was returned; "failed" with what failed and where; "error" where Lua itself
   * could not go on; "exhausted" where the script was stopped, with what "failed" has;
   * "uncompiled" of a library.
   */
  readonly kind: "done" | "failed" | "error" | "exhausted" | "uncompiled";
  readonly bytes: Bytes;
}

/** A script, or the library of a function. */
export interface LuaSource {
  /** Unique to kind and text. */
  readonly id: string;
  readonly kind: "script" | "library";
  readonly text: Bytes;
}

/**
 * Runs scripts. Each begins from a copy of the memory that was made when it had been compiled, so
 * that what a run does depends on nothing but its script, its inputs and the replies it gets.
 */
export class LuaEngine {
  readonly #version: string;
  readonly #versionNumber: number;
  readonly #unitsMax: number;
  #instance: LuaInstance | undefined;
  /** The memory of a Lua without a script. */
  readonly #fresh = new Map<LuaSource["kind"], Uint8Array>();
  /** By script, least recently used first. */
  readonly #images = new Map<string, Uint8Array>();
  #imagesBytes = 0;

  /** `version`: what redis.REDIS_VERSION is, "7.2.0". `unitsMax`: what a run may take. */
  constructor(version: string, unitsMax = SCRIPT_UNITS_MAX) {
    this.#unitsMax = unitsMax;
    this.#version = version;
    const [major, minor, patch] = version.split(".").map(Number);
    this.#versionNumber = (major << 16) | (minor << 8) | patch;
  }

  /** Compiles a script; of a library the outcome tells its functions, or what is wrong. */
  compile(source: LuaSource): ScriptOutcome {
    return this.#guard((instance) => {
      instance.restore(this.#freshImage(source.kind));
      instance.lua.set_budget(this.#unitsMax);
      if (!instance.write(source.text)) return NO_ROOM;
      const { length } = source.text;
      const { lua } = instance;
      const status = source.kind === "script" ? lua.load(length) : lua.load_library(length);
      const outcome = outcomeOf(instance, status);
      if (status === 0) this.#keep(source.id, instance.image());
      return outcome;
    });
  }

  /** Runs a script that compiles. `functionName`: of a library. */
  run(
    source: LuaSource,
    keys: readonly Bytes[],
    args: readonly Bytes[],
    host: ScriptHost,
    functionName?: Bytes,
  ): ScriptOutcome {
    if (!this.#images.has(source.id)) {
      const outcome = this.compile(source);
      if (outcome.kind !== "done") return outcome;
    }
    return this.#guard((instance) => {
      instance.restore(this.#image(source.id));
      instance.lua.set_budget(this.#unitsMax);
      instance.host = host;
      let input = functionName === undefined ? "" : sized(functionName);
      for (let i = 0; i < keys.length; i++) input += sized(keys[i]);
      for (let i = 0; i < args.length; i++) input += sized(args[i]);
      if (!instance.write(input)) return NO_ROOM;
      const { lua } = instance;
      const status = functionName === undefined
        ? lua.run(keys.length, args.length)
        : lua.run_function(keys.length, args.length);
      return outcomeOf(instance, status);
    });
  }

  /** Makes an instance where there is none, and gives up one that is no good any more. */
  #guard(run: (instance: LuaInstance) => ScriptOutcome): ScriptOutcome {
    const instance = this.#instance ??= new LuaInstance();
    this.#instance = undefined;
    let outcome: ScriptOutcome;
    try {
      outcome = run(instance);
    } catch (error) {
      if (!isStackOverflow(error)) throw error;
      return STACK_OVERFLOW;
    }
    instance.host = undefined;
    if (instance.memoryBytes <= SCRIPT_INSTANCE_BYTES_KEPT) this.#instance = instance;
    return outcome;
  }

  #freshImage(kind: LuaSource["kind"]): Uint8Array {
    const known = this.#fresh.get(kind);
    if (known !== undefined) return known;
    const instance = new LuaInstance();
    instance.lua.set_budget(this.#unitsMax);
    instance.write(this.#version + "\0");
    const status = instance.lua.boot(Number(kind === "library"), this.#versionNumber);
    if (status !== 0) throw new Error(`Cannot start Lua: ${instance.read()}`);
    const image = instance.image();
    this.#fresh.set(kind, image);
    return image;
  }

  #image(id: string): Uint8Array {
    const image = this.#images.get(id)!;
    // Behind all others: it was used last.
    this.#images.delete(id);
    this.#images.set(id, image);
    return image;
  }

  #keep(id: string, image: Uint8Array): void {
    const old = this.#images.get(id);
    if (old !== undefined) this.#drop(id, old);
    this.#images.set(id, image);
    this.#imagesBytes += image.length;
    for (const [other, bytes] of this.#images) {
      if (this.#imagesBytes <= SCRIPT_IMAGES_BYTES_MAX || other === id) break;
      this.#drop(other, bytes);
    }
  }

  #drop(id: string, image: Uint8Array): void {
    this.#images.delete(id);
    this.#imagesBytes -= image.length;
  }
}

function outcomeOf(instance: LuaInstance, status: number): ScriptOutcome {
  const bytes = instance.read();
  if (status === 0) return { kind: "done", bytes };
  if (instance.lua.is_exhausted() !== 0) return { kind: "exhausted", bytes };
  if (status === 2) return { kind: "uncompiled", bytes };
  return { kind: status === 1 ? "failed" : "error", bytes };
}

/** A string behind its length, 32 bits little-endian. */
export function sized(bytes: Bytes): Bytes {
  return uint32(bytes.length) + bytes;
}

/** 32 bits, little-endian. */
export function uint32(value: number): Bytes {
  return value < WORDS.length ? WORDS[value] : makeWord(value);
}

function makeWord(value: number): Bytes {
  return String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24);
}

const WORDS = Array.from({ length: 1024 }, (_, value) => makeWord(value));

function errorOutcome(text: Bytes): ScriptOutcome {
  return { kind: "error", bytes: "-" + sized(text) };
}

const NO_ROOM = errorOutcome("not enough memory");
const STACK_OVERFLOW = errorOutcome("stack overflow");

/** The engines' errors for a stack that is used up, theirs or that of the module. */
function isStackOverflow(error: unknown): boolean {
  if (error instanceof RangeError) return /call stack/i.test(error.message);
  return error instanceof WebAssembly.RuntimeError;
}
