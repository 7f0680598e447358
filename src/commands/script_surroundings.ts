import type { Bytes } from "../base/bytes.ts";
import { REDIS_VERSION, SCRIPT_TEXTS_BYTES_MAX } from "../constants.ts";
import type { ErrorReply, Reply } from "../resp/reply.ts";
import type { RowsTable } from "../storage/rows_table.ts";
import { Libraries } from "./function_library.ts";
import { LuaEngine } from "../scripting/lua_engine.ts";
import { ScriptsTable } from "../storage/scripts_table.ts";
import type { Command, RunnableCommand } from "./command.ts";

/** Is told of the commands that scripts call for the clients of this node. */
export interface CallObserver {
  /** A command is about to run. */
  begins(command: RunnableCommand): void;
  /** It has run; `db`: the database of the script as it is then. */
  ran(command: RunnableCommand, argv: readonly Bytes[], db: number, reply: Reply): void;
  /** A command was refused before it ran; undefined: there is none of this name. */
  refused(command: Command | undefined, reply: ErrorReply): void;
  /** What was told up to here stands, whatever comes: one that holds it back passes it on. */
  release(): void;
}

/** Where calls go, at once or when they are no longer held back. */
export interface CallOutlet extends CallObserver {
  /** A command has run for `durationMs`. */
  tell(
    command: RunnableCommand,
    argv: readonly Bytes[],
    db: number,
    durationMs: number,
    reply: Reply,
  ): void;
}

/** Where goes what scripts do beside their work on the data. */
export interface ScriptOutlets {
  /** Sends a message to the subscribers on this node: each node runs the script for its own. */
  publish(space: "channel" | "shard", channel: Bytes, message: Bytes): void;
  /** redis.log; `level` is Redis's, 0 (debug) to 3 (warning). */
  log(level: number, text: Bytes): void;
  /** Undefined: nobody wants to know. */
  readonly calls?: CallOutlet;
}

const NOWHERE: ScriptOutlets = { publish: () => {}, log: () => {} };

/** Lua, one for the process: nothing of a run is left in it. */
let engine: LuaEngine | undefined;

/** What scripts run with beside the data. */
export class ScriptSurroundings {
  readonly table: ScriptsTable;
  readonly libraries: Libraries;
  outlets: ScriptOutlets = NOWHERE;
  /** Scripts that only read have run here without a trace in the log: this node alone knows them. */
  readonly #readHere = new Map<Bytes, Bytes>();
  #readHereBytes = 0;

  constructor(table: ScriptsTable, libraryTable: RowsTable) {
    this.table = table;
    this.libraries = new Libraries(libraryTable, () => this.engine);
  }

  /** Started at its first use. */
  get engine(): LuaEngine {
    engine ??= new LuaEngine(REDIS_VERSION);
    return engine;
  }

  /** The text of a script that the cluster knows, or that has run on this node by EVAL_RO. */
  findToRead(sha1: Bytes): Bytes | undefined {
    return this.table.find(sha1) ?? this.#readHere.get(sha1);
  }

  /** Keeps in mind a script that has been run by EVAL_RO. */
  keepToRead(sha1: Bytes, text: Bytes): void {
    if (this.findToRead(sha1) !== undefined || text.length > SCRIPT_TEXTS_BYTES_MAX) return;
    this.#readHere.set(sha1, text);
    this.#readHereBytes += text.length;
    for (const [oldest, { length }] of this.#readHere) {
      if (this.#readHereBytes <= SCRIPT_TEXTS_BYTES_MAX) break;
      this.#readHere.delete(oldest);
      this.#readHereBytes -= length;
    }
  }

  /** SCRIPT FLUSH, as this node comes by it. */
  clear(): void {
    this.table.clear();
    this.#readHere.clear();
    this.#readHereBytes = 0;
  }
}
