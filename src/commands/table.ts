import type { Bytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { type ErrorReply, wrongArity } from "../resp/reply.ts";
import type { Command, RunnableCommand } from "./command.ts";
import { aclCommand } from "./acl.ts";
import { bitfieldCommands } from "./bitfield.ts";
import { bitmapCommands } from "./bitmap.ts";
import { connectionCommands } from "./connection.ts";
import { dumpCommands } from "./dump.ts";
import { expireCommands } from "./expire.ts";
import { errQuoting, quoted } from "./help.ts";
import { functionCommands } from "./function.ts";
import { geoCommands } from "./geo.ts";
import { geoSearchCommands } from "./geo_search.ts";
import { hashCommands } from "./hash.ts";
import { hashExpireCommands } from "./hash_expire.ts";
import { hashGetSetCommands } from "./hash_get_set.ts";
import { hashIterateCommands } from "./hash_iterate.ts";
import { hyperloglogCommands } from "./hyperloglog.ts";
import { idempotentCommand } from "./idempotent.ts";
import { introspectionCommands } from "./introspection.ts";
import { keyspaceCommands } from "./keyspace.ts";
import { lcsCommands } from "./lcs.ts";
import { listCommands } from "./list.ts";
import { listBlockingCommands } from "./list_blocking.ts";
import { listMoveCommands } from "./list_move.ts";
import { listSearchCommands } from "./list_search.ts";
import { migrateCommand } from "./migrate.ts";
import { objectCommands } from "./object.ts";
import { pubsubCommands } from "./pubsub.ts";
import { raftCommands } from "./raft.ts";
import { scanCommands } from "./scan.ts";
import type { CommandTable } from "./script_calls.ts";
import { scriptCommands } from "./script.ts";
import { serverCommands } from "./server.ts";
import { setCommands } from "./set.ts";
import { setAlgebraCommands } from "./set_algebra.ts";
import { sortCommands } from "./sort.ts";
import { streamClaimCommands } from "./stream_claim.ts";
import { streamCommands } from "./stream.ts";
import { streamGroupCommands } from "./stream_group.ts";
import { streamInfoCommands } from "./stream_info.ts";
import { streamPendingCommands } from "./stream_pending.ts";
import { streamReadCommands } from "./stream_read.ts";
import { streamReadGroupCommands } from "./stream_read_group.ts";
import { stringCommands } from "./string.ts";
import { stringNumberCommands } from "./string_number.ts";
import { stringRangeCommands } from "./string_range.ts";
import { transactionCommands } from "./transaction.ts";
import { zsetBlockingCommands } from "./zset_blocking.ts";
import { zsetCombineCommands } from "./zset_combine.ts";
import { zsetCommands } from "./zset.ts";
import { zsetPopCommands } from "./zset_pop.ts";
import { zsetRandomCommands } from "./zset_random.ts";
import { zsetRangeCommands } from "./zset_range.ts";

const SCRIPT_TABLE: CommandTable = { find: (name) => findCommand(name), arityFits };

/** Each group of commands that is offered. */
const GROUPS: readonly (readonly Command[])[] = [
  connectionCommands,
  introspectionCommands(() => table),
  [aclCommand(() => table, (argv) => resolve(argv))],
  [idempotentCommand((argv) => resolve(argv))],
  scriptCommands(SCRIPT_TABLE),
  functionCommands(SCRIPT_TABLE),
  serverCommands,
  raftCommands,
  pubsubCommands,
  transactionCommands,
  stringCommands,
  stringNumberCommands,
  stringRangeCommands,
  lcsCommands,
  bitmapCommands,
  bitfieldCommands,
  hyperloglogCommands,
  listCommands,
  listMoveCommands,
  listBlockingCommands,
  listSearchCommands,
  setCommands,
  setAlgebraCommands,
  hashCommands,
  hashIterateCommands,
  hashExpireCommands,
  hashGetSetCommands,
  sortCommands,
  keyspaceCommands,
  scanCommands,
  expireCommands,
  objectCommands,
  zsetCommands,
  zsetRangeCommands,
  zsetCombineCommands,
  zsetPopCommands,
  zsetBlockingCommands,
  zsetRandomCommands,
  geoCommands,
  geoSearchCommands,
  streamCommands,
  streamReadCommands,
  streamGroupCommands,
  streamReadGroupCommands,
  streamPendingCommands,
  streamClaimCommands,
  streamInfoCommands,
  dumpCommands,
  [migrateCommand],
];

const table = new Map<string, Command>();
for (const group of GROUPS) {
  for (const command of group) {
    assert(!table.has(command.name), `two commands named ${command.name}`);
    table.set(command.name, command);
  }
}

/** Upper-case spellings too, so that the usual forms are found without making a string. */
const byExactName = new Map<string, Command>();
for (const [name, command] of table) {
  byExactName.set(name, command).set(name.toUpperCase(), command);
}

/** Every offered command, by its name in lower case; containers, not their subcommands. */
export const commands: ReadonlyMap<string, Command> = table;

/** The command of this name in any case, or undefined. */
export function findCommand(name: Bytes): Command | undefined {
  return byExactName.get(name) ?? table.get(name.toLowerCase());
}

/**
 * The command that runs for `argv`, its arity checked; or the error that Redis answers for an
 * unknown command, an unknown subcommand or a wrong number of arguments.
 */
export function resolve(argv: readonly Bytes[]): RunnableCommand | ErrorReply {
  const command = findCommand(argv[0]);
  if (command === undefined) return unknownCommand(argv);
  if (command.path !== "container") return withArity(command, argv);
  if (argv.length === 1) return command.alone ?? wrongArity(command.name);
  const subcommand = command.subcommands.get(argv[1]) ??
    command.subcommands.get(argv[1].toLowerCase());
  if (subcommand === undefined) {
    return errQuoting(
      `unknown subcommand '${quoted(argv[1], 128)}'. Try ${command.name.toUpperCase()} HELP.`,
    );
  }
  return withArity(subcommand, argv);
}

function withArity(
  command: RunnableCommand,
  argv: readonly Bytes[],
): RunnableCommand | ErrorReply {
  if (!arityFits(command.arity, argv.length)) return wrongArity(command.name);
  return command.path === "local" ? command.onData?.(argv) ?? command : command;
}

/** Whether a command of this arity (negative: at least) takes so many arguments, name included. */
export function arityFits(arity: number, count: number): boolean {
  return arity > 0 ? count === arity : count >= -arity;
}

function unknownCommand(argv: readonly Bytes[]): ErrorReply {
  let args = "";
  for (let i = 1; i < argv.length && args.length < 128; i++) {
    args += `'${quoted(argv[i], 128 - args.length)}' `;
  }
  return errQuoting(`unknown command '${quoted(argv[0], 128)}', with args beginning with: ${args}`);
}

/** The keys in `argv`, whose arity has been checked, in order; empty when it names none. */
export function keysOf(command: Command, argv: readonly Bytes[]): readonly Bytes[] {
  if (command.findKeys !== undefined) return command.findKeys(argv);
  const keys: Bytes[] = [];
  for (const index of keyIndexesOf(command, argv.length)) keys.push(argv[index]);
  return keys;
}

/** Where the keys of a request with `count` arguments stand. */
export function keyIndexesOf(command: Command, count: number): readonly number[] {
  const { keys } = command;
  if (keys === undefined || keys.first === 0) return [];
  const last = keys.last < 0 ? count + keys.last : keys.last;
  const indexes: number[] = [];
  for (let i = keys.first; i <= last && i < count; i += keys.step) indexes.push(i);
  return indexes;
}
