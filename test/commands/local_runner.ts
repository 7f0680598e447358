import type { Bytes } from "../../src/base/bytes.ts";
import { Prng } from "../../src/base/prng.ts";
import type { RunnableCommand } from "../../src/commands/command.ts";
import { DataContext } from "../../src/commands/data_context.ts";
import type { LocalContext } from "../../src/commands/local_context.ts";
import { ScriptSurroundings } from "../../src/commands/script_surroundings.ts";
import { resolve } from "../../src/commands/table.ts";
import { SCRIPT_TEXTS_BYTES_MAX } from "../../src/constants.ts";
import { encodeReply, type Protocol } from "../../src/resp/encoder.ts";
import { ErrorReply, OK, type Reply } from "../../src/resp/reply.ts";
import { RowsTable } from "../../src/storage/rows_table.ts";
import { ScriptsTable } from "../../src/storage/scripts_table.ts";
import { ModelRedisOperations } from "../storage/model_redis_operations.ts";

/** Runs commands in process on a model of storage, as the server would. */
export class LocalRunner {
  readonly context = new DataContext(new ModelRedisOperations(), new Prng(1), {
    scripting: new ScriptSurroundings(
      new ScriptsTable(SCRIPT_TEXTS_BYTES_MAX),
      new RowsTable("library"),
    ),
  });

  constructor(nowMs: number) {
    this.context.logTimeMs = nowMs;
    this.context.nowMs = nowMs;
  }

  /** The encoded reply. */
  exec(argv: readonly Bytes[], protocol: Protocol): Bytes {
    return encodeReply(this.#run(argv), protocol);
  }

  #run(argv: readonly Bytes[]): Reply {
    const name = argv[0].toLowerCase();
    if (name === "select") {
      this.context.db = Number(argv[1]);
      return OK;
    }
    const command = resolve(argv);
    if (command instanceof ErrorReply) return command;
    return runCommand(command, this.context, argv);
  }
}

function runCommand(command: RunnableCommand, context: DataContext, argv: readonly Bytes[]): Reply {
  if (command.path !== "local") return command.run(context, argv);
  // The local commands run here (HELP) look at no context.
  return command.run({} as LocalContext, argv) as Reply;
}
