import { Buffer } from "node:buffer";
import type { Bytes } from "../base/bytes.ts";
import { luaModule, sha1Hex } from "./lua_module.ts";

/** What a running script asks of its surroundings. */
export interface ScriptHost {
  /** Runs a command; the reply as `wasm/values.h` has it, in the shapes of RESP2 or RESP3. */
  call(argv: readonly Bytes[], protocol: 2 | 3): Bytes;
  /** redis.acl_check_cmd; undefined for a command that does not exist. */
  mayCall(argv: readonly Bytes[]): boolean | undefined;
  /** redis.log. */
  log(level: number, text: Bytes): void;
  /** What math.random begins with, a 32-bit integer. */
  seed(): number;
}

interface LuaExports {
  readonly memory: WebAssembly.Memory;
  readonly __indirect_function_table: WebAssembly.Table;
  readonly __stack_pointer: WebAssembly.Global;
  _initialize(): void;
  heap_end(): number;
  exchange_room(bytes: number): number;
  exchange(): number;
  exchange_used(): number;
  set_budget(units: number): void;
  is_exhausted(): number;
  boot(isForFunctions: number, versionNumber: number): number;
  load(length: number): number;
  load_library(length: number): number;
  run(keys: number, args: number): number;
  run_function(keys: number, args: number): number;
}

/** Thrown through Lua where it raises an error of its own. */
const RAISED = { raised: true };

/** The machine has no memory left for a script. */
class NoMemoryError extends Error {
  override name = "NoMemoryError";
}

type LuaFunction = (state: number, argument: number) => void;

/** One Lua: its memory, and the ways in and out of it. */
export class LuaInstance {
  /** Of the run under way; none while something is compiled. */
  host: ScriptHost | undefined;
  readonly lua: LuaExports;
  readonly #functions: (LuaFunction | undefined)[] = [];
  /** Where the stack begins, which grows downwards; all else is above it. */
  readonly #stackTop: number;
  #view: Buffer;

  constructor() {
    const instance = new WebAssembly.Instance(luaModule(), {
      host: this.#imports(),
      wasi_snapshot_preview1: NO_SYSTEM,
    });
    this.lua = instance.exports as unknown as LuaExports;
    this.#view = Buffer.from(this.lua.memory.buffer);
    this.lua._initialize();
    this.#stackTop = this.lua.__stack_pointer.value;
  }

  /** Bytes of its memory, which never become fewer. */
  get memoryBytes(): number {
    return this.lua.memory.buffer.byteLength;
  }

  /** A copy of all that a later `restore` needs to go on from here. */
  image(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#memory(), this.#stackTop, this.lua.heap_end());
  }

  /** Puts all back as it was when the image was made. */
  restore(image: Uint8Array): void {
    this.#memory().set(image, this.#stackTop);
    this.lua.__stack_pointer.value = this.#stackTop;
  }

  /** Puts bytes into the exchange buffer; false when there is no memory for them. */
  write(bytes: Bytes): boolean {
    const at = this.lua.exchange_room(bytes.length);
    if (at === 0) return false;
    this.#memory().latin1Write(bytes, at, bytes.length);
    return true;
  }

  /** What is in the exchange buffer. */
  read(): Bytes {
    const start = this.lua.exchange();
    return this.#text(start, this.lua.exchange_used());
  }

  /** The memory as it is now: growing makes another. */
  #memory(): LatinBuffer {
    const { buffer } = this.lua.memory;
    if (this.#view.buffer !== buffer) this.#view = Buffer.from(buffer);
    return this.#view as LatinBuffer;
  }

  #text(at: number, length: number): Bytes {
    return this.#memory().latin1Slice(at, at + length);
  }

  #arguments(at: number, count: number): Bytes[] {
    const memory = this.#memory();
    const argv: Bytes[] = [];
    for (let i = 0; i < count; i++) {
      const start = memory.readUInt32LE(at + i * 8);
      argv.push(memory.latin1Slice(start, start + memory.readUInt32LE(at + i * 8 + 4)));
    }
    return argv;
  }

  #imports(): Record<string, (...numbers: number[]) => number | void> {
    return {
      attempt: (f, state, argument) => this.#attempt(f, state, argument),
      raise: () => {
        throw RAISED;
      },
      no_memory: () => {
        throw new NoMemoryError("Cannot give a script more memory: the machine has none");
      },
      call: (at, count, protocol) => {
        const reply = this.host!.call(this.#arguments(at, count), protocol as 2 | 3);
        // Without room for it the reply is nil; the allocation that failed is felt soon enough.
        if (!this.write(reply)) this.write("-\x15\0\0\0ERR not enough memory");
      },
      may_call: (at, count) => {
        const may = this.host!.mayCall(this.#arguments(at, count));
        return may === undefined ? -1 : Number(may);
      },
      // A library says nothing while it is loaded: that happens again whenever it must.
      log: (level, at, length) => this.host?.log(level, this.#text(at, length)),
      sha1: (at, length, out) => {
        this.#memory().latin1Write(sha1Hex(this.#text(at, length)), out, 40);
      },
      seed: () => this.host!.seed() | 0,
    };
  }

  #attempt(f: number, state: number, argument: number): void {
    const { __stack_pointer: stackPointer, __indirect_function_table: table } = this.lua;
    const run = this.#functions[f] ??= table.get(f) as LuaFunction;
    const at = stackPointer.value;
    try {
      run(state, argument);
    } catch (error) {
      if (error !== RAISED) throw error;
      stackPointer.value = at;
    }
  }
}

/** In Bun, Deno and Node, missing from Deno's types. */
type LatinBuffer = Buffer & {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
};

/** Files and the like: linked in, and never called, as nothing a script sees leads there. */
const NO_SYSTEM = new Proxy<Record<string, () => never>>({}, {
  get: (_target, name) => () => {
    throw new Error(`Cannot do ${String(name)}: scripts have no system`);
  },
});
