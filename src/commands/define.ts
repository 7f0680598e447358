import type { Bytes } from "../base/bytes.ts";
import type { Reply } from "../resp/reply.ts";
import type { DataCommand, KeyPositions } from "./command.ts";
import type { DataContext } from "./data_context.ts";

/** The key is the first argument. */
export const FIRST_KEY: KeyPositions = { first: 1, last: 1, step: 1 };
/** The first two arguments are keys. */
export const TWO_KEYS: KeyPositions = { first: 1, last: 2, step: 1 };
/** Every argument is a key. */
export const ALL_KEYS: KeyPositions = { first: 1, last: -1, step: 1 };
/** All arguments are keys but the last, which is the time-out. */
export const KEYS_BEFORE_TIMEOUT: KeyPositions = { first: 1, last: -2, step: 1 };
/** Keys and values alternate. */
export const KEY_VALUE_PAIRS: KeyPositions = { first: 1, last: -1, step: 2 };
/** The key follows the name of the subcommand. */
export const SUBCOMMAND_KEY: KeyPositions = { first: 2, last: 2, step: 1 };

/** What runs a command on data. */
export type DataRun = (context: DataContext, argv: readonly Bytes[]) => Reply;

/** A command that changes nothing. */
export function readCommand(
  name: string,
  arity: number,
  run: DataRun,
  keys?: KeyPositions,
): DataCommand {
  return { name, arity, path: "read", keys, run };
}

/** A command that goes through the log. */
export function writeCommand(
  name: string,
  arity: number,
  run: DataRun,
  keys?: KeyPositions,
): DataCommand {
  return { name, arity, path: "write", keys, run };
}

/** A command that changes nothing, of the form `NAME numkeys key [key ...] …`. */
export function countedReadCommand(name: string, arity: number, run: DataRun): DataCommand {
  const findKeys = (argv: readonly Bytes[]) => argv.slice(2, 2 + Number(argv[1]));
  return { name, arity, path: "read", findKeys, run };
}

/** The command, noted as one that takes about a microsecond whatever the data are. */
export function quick(command: DataCommand): DataCommand {
  return { ...command, isQuick: true };
}
