import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { DATABASE_COUNT } from "../constants.ts";
import { DB_OUT_OF_RANGE, err, ErrorReply, OK, PONG, type Reply } from "../resp/reply.ts";
import type { ScriptHost } from "../scripting/lua_instance.ts";
import { catalogNow } from "./acl_catalog.ts";
import { type Denial, denialOf } from "./acl_check.ts";
import { type Command, countsAsWrite, type RunnableCommand } from "./command.ts";
import { protocolSample } from "./debug.ts";
import type { DataContext } from "./data_context.ts";
import { errQuoting, quoted } from "./help.ts";
import { optionName, parseInt32 } from "./parse.ts";
import type { ScriptSurroundings } from "./script_surroundings.ts";
import { encodeForScript } from "./script_values.ts";

/** How a command is looked up, without a check of its arity. */
export interface CommandTable {
  find(name: Bytes): Command | undefined;
  arityFits(arity: number, count: number): boolean;
}

const UNKNOWN = err("Unknown Redis command called from script");
const WRONG_ARITY = err("Wrong number of args calling Redis command from script");
const NOT_ALLOWED = err("This Redis command is not allowed from script");
const READ_ONLY = err("Write commands are not allowed from read-only scripts.");

const DENIED = {
  command: "can't run this command or subcommand",
  key: "can't access at least one of the keys mentioned in the command arguments",
  channel: "can't publish to the channel mentioned in the command",
};

/** Commands on data that Redis flags NOSCRIPT. */
const NO_SCRIPT: ReadonlySet<Bytes> = new Set([
  "blmove",
  "blpop",
  "brpop",
  "brpoplpush",
  "bzpopmax",
  "bzpopmin",
  "eval",
  "eval_ro",
  "evalsha",
  "evalsha_ro",
  "fcall",
  "fcall_ro",
  "idempotent",
]);

/** A command of the connection or the node as a script has it: the same on every node. */
type LocalCall = (calls: ScriptCalls, argv: readonly Bytes[]) => Reply;

const LOCAL_CALLS: ReadonlyMap<Bytes, LocalCall> = new Map<Bytes, LocalCall>([
  ["ping", (_calls, argv) => argv[1] ?? PONG],
  ["echo", (_calls, argv) => argv[1]],
  // Of DEBUG only this, which is for tests and changes nothing.
  [
    "debug",
    (_calls, argv) =>
      optionName(argv[1]) === "protocol" && argv.length === 3
        ? protocolSample(optionName(argv[2]), 2)
        : NOT_ALLOWED,
  ],
  ["time", (calls) => calls.time()],
  ["select", (calls, argv) => calls.select(argv[1])],
  ["publish", (calls, argv) => calls.publish("channel", argv)],
  ["spublish", (calls, argv) => calls.publish("shard", argv)],
]);

/** The commands that one run of a script calls. */
export class ScriptCalls implements ScriptHost {
  readonly #context: DataContext;
  readonly #surroundings: ScriptSurroundings;
  readonly #commands: CommandTable;
  readonly #isReadOnly: boolean;
  /** The texts of errors that the observer was told of: undefined when there are none. */
  observedErrors: Set<Bytes> | undefined;

  constructor(
    context: DataContext,
    surroundings: ScriptSurroundings,
    commands: CommandTable,
    isReadOnly: boolean,
  ) {
    this.#context = context;
    this.#surroundings = surroundings;
    this.#commands = commands;
    this.#isReadOnly = isReadOnly;
  }

  call(argv: readonly Bytes[], protocol: 2 | 3): Bytes {
    return encodeForScript(this.#run(argv), protocol);
  }

  /** redis.acl_check_cmd */
  mayCall(argv: readonly Bytes[]): boolean | undefined {
    const command = this.#find(argv);
    if (command === undefined) return undefined;
    return command.path === "container" || this.#denial(command, argv) === undefined;
  }

  #denial(command: RunnableCommand, argv: readonly Bytes[]): Denial | undefined {
    const { scriptUser } = this.#context;
    if (scriptUser === undefined) return undefined;
    const catalog = catalogNow();
    assert(catalog !== undefined, "the rules of users are loaded before anything runs");
    return denialOf(catalog, scriptUser.user, command, argv);
  }

  log(level: number, text: Bytes): void {
    this.#surroundings.outlets.log(level, text);
  }

  seed(): number {
    return this.#context.prng.nextUint32();
  }

  /** TIME: in a write that of the log, so it stands still while a script runs. */
  time(): Reply {
    const { nowMs } = this.#context;
    return [String(Math.floor(nowMs / 1000)), String((nowMs % 1000) * 1000)];
  }

  /** SELECT, until the script ends. */
  select(index: Bytes): Reply {
    const db = parseInt32(index);
    if (db instanceof ErrorReply) return db;
    if (db < 0 || db >= DATABASE_COUNT) return DB_OUT_OF_RANGE;
    this.#context.db = db;
    return OK;
  }

  /** PUBLISH: how many receive it is not the same on every node, so it is not told. */
  publish(space: "channel" | "shard", [, channel, message]: readonly Bytes[]): Reply {
    this.#surroundings.outlets.publish(space, channel, message);
    return 0;
  }

  #find(argv: readonly Bytes[]): Command | undefined {
    const command = this.#commands.find(argv[0]);
    if (command?.path !== "container" || argv.length === 1) return command;
    return command.subcommands.get(argv[1].toLowerCase());
  }

  #run(argv: readonly Bytes[]): Reply {
    const { callObserver } = this.#context;
    const command = this.#find(argv);
    const refusal = this.#refusal(command, argv);
    if (refusal !== undefined) {
      if (callObserver !== undefined) {
        callObserver.refused(command, refusal);
        this.#noteError(refusal);
      }
      return refusal;
    }
    const runnable = command as RunnableCommand;
    if (callObserver === undefined) return this.#runAllowed(runnable, argv);
    callObserver.begins(runnable);
    const reply = this.#runAllowed(runnable, argv);
    callObserver.ran(runnable, argv, this.#context.db, reply);
    if (reply instanceof ErrorReply) this.#noteError(reply);
    return reply;
  }

  #noteError({ text }: ErrorReply): void {
    this.observedErrors ??= new Set();
    this.observedErrors.add(text);
  }

  /** Why a command may not run. */
  #refusal(command: Command | undefined, argv: readonly Bytes[]): ErrorReply | undefined {
    if (command === undefined) return UNKNOWN;
    if (!this.#commands.arityFits(command.arity, argv.length)) return WRONG_ARITY;
    if (command.path === "container") return NOT_ALLOWED;
    const local = command.path === "local" ? LOCAL_CALLS.get(command.name) : undefined;
    if (!isAllowed(command, local)) return NOT_ALLOWED;
    const denial = this.#denial(command, argv);
    if (denial !== undefined) {
      this.#context.scriptUser?.refused?.(denial);
      return err(`The user executing the script ${DENIED[denial.reason]}`);
    }
    return this.#isReadOnly && countsAsWrite(command) ? READ_ONLY : undefined;
  }

  #runAllowed(command: RunnableCommand, argv: readonly Bytes[]): Reply {
    if (command.path === "local") return LOCAL_CALLS.get(command.name)!(this, argv);
    if (command.waiting?.type === "stream" && command.waiting.mayWait(argv)) {
      return errQuoting(
        `${quoted(argv[0])} command is not allowed with BLOCK option from scripts`,
      );
    }
    if (command.path === "read") this.#context.scriptHasRead = true;
    return command.run(this.#context, argv);
  }
}

function isAllowed(command: RunnableCommand, local: LocalCall | undefined): boolean {
  if (command.path === "local") return local !== undefined;
  return !NO_SCRIPT.has(command.name) && !/^(acl|script|function)\|/.test(command.name);
}
