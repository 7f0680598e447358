import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, OK, type Reply, Status, WRONG_TYPE } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import {
  ALL_KEYS,
  type DataRun,
  FIRST_KEY,
  readCommand,
  SUBCOMMAND_KEY,
  writeCommand,
} from "./define.ts";
import { errQuoting, quoted } from "./help.ts";
import { cardinalityOf, CorruptHyperLogLog, HyperLogLog, REGISTERS } from "./hyperloglog_value.ts";
import { optionName } from "./parse.ts";

const NOT_HYPERLOGLOG = new ErrorReply(
  "WRONGTYPE Key is not a valid HyperLogLog string value.",
);
const CORRUPT = new ErrorReply("INVALIDOBJ Corrupted HLL object detected");

const NO_KEY = err("The specified key does not exist");
const NOT_SPARSE = err("HLL encoding is not sparse");
const DENSE = new Status("dense");
const SPARSE = new Status("sparse");

/** The HyperLogLog at a key; undefined: there is no such key. */
function findLog(context: DataContext, key: Bytes): HyperLogLog | ErrorReply | undefined {
  const record = context.find(key);
  if (record === undefined) return undefined;
  if (record.type !== "string") return WRONG_TYPE;
  return HyperLogLog.from(record.value) ?? NOT_HYPERLOGLOG;
}

function store(context: DataContext, key: Bytes, log: HyperLogLog): void {
  const expireAtMs = context.find(key)?.expireAtMs ?? NO_EXPIRY;
  context.ops.set(context.db, key, log.toValue(), expireAtMs, "raw");
}

/** PFADD key [element ...] */
function pfadd(context: DataContext, argv: readonly Bytes[]): Reply {
  const found = findLog(context, argv[1]);
  if (found instanceof ErrorReply) return found;
  const log = found ?? HyperLogLog.empty();
  let changed = found === undefined;
  for (let index = 2; index < argv.length; index++) {
    if (log.add(argv[index])) changed = true;
  }
  if (changed) {
    store(context, argv[1], log);
    context.notify("string", "pfadd", argv[1]);
  }
  return changed ? 1 : 0;
}

/**
 * PFCOUNT key [key ...]
 *
 * A read: unlike Redis it leaves the cached cardinality in the value as it is.
 */
function pfcount(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length === 2) {
    const log = findLog(context, argv[1]);
    if (log === undefined) return 0;
    return log instanceof ErrorReply ? log : log.cardinality();
  }
  const union = unionOf(context, argv);
  return union instanceof ErrorReply ? union : cardinalityOf(union.registers);
}

/** PFMERGE destkey [sourcekey ...] */
function pfmerge(context: DataContext, argv: readonly Bytes[]): Reply {
  const union = unionOf(context, argv);
  if (union instanceof ErrorReply) return union;
  const found = findLog(context, argv[1]);
  if (found instanceof ErrorReply) return found;
  const log = found ?? HyperLogLog.empty();
  if (union.anyDense) log.makeDense();
  log.raiseAll(union.registers);
  store(context, argv[1], log);
  // Redis has no name of its own for it.
  context.notify("string", "pfadd", argv[1]);
  return OK;
}

/** PFDEBUG GETREG|DECODE|ENCODING|TODENSE key */
function pfdebug(context: DataContext, argv: readonly Bytes[]): Reply {
  const log = findLog(context, argv[2]);
  if (log === undefined) return NO_KEY;
  if (log instanceof ErrorReply) return log;
  const wasDense = log.isDense;
  switch (optionName(argv[1])) {
    case "encoding":
      return wasDense ? DENSE : SPARSE;
    case "decode":
      return wasDense ? NOT_SPARSE : log.describeRuns();
    case "todense":
    case "getreg":
      break;
    default:
      return errQuoting(`Unknown PFDEBUG subcommand '${quoted(argv[1])}'`);
  }
  log.makeDense();
  if (!wasDense) store(context, argv[2], log);
  return optionName(argv[1]) === "getreg" ? Array.from(log.registers()) : wasDense ? 0 : 1;
}

/** PFSELFTEST: the tests are elsewhere. */
function pfselftest(): Reply {
  return OK;
}

interface Union {
  readonly registers: Uint8Array;
  /** Whether one of them is dense. */
  readonly anyDense: boolean;
}

/** The highest of each register of all keys from argv[1] on. */
function unionOf(context: DataContext, argv: readonly Bytes[]): Union | ErrorReply {
  const registers = new Uint8Array(REGISTERS);
  let anyDense = false;
  for (let index = 1; index < argv.length; index++) {
    const log = findLog(context, argv[index]);
    if (log instanceof ErrorReply) return log;
    if (log === undefined) continue;
    if (log.isDense) anyDense = true;
    const others = log.registers();
    for (let at = 0; at < REGISTERS; at++) registers[at] = Math.max(registers[at], others[at]);
  }
  return { registers, anyDense };
}

/** `run`, with Redis's error for a value that turns out to be corrupt; it is not changed. */
function guarded(run: DataRun): DataRun {
  return (context, argv) => {
    try {
      return run(context, argv);
    } catch (error) {
      if (error instanceof CorruptHyperLogLog) return CORRUPT;
      throw error;
    }
  };
}

/** The commands that estimate the number of different elements. */
export const hyperloglogCommands: readonly Command[] = [
  writeCommand("pfadd", -2, guarded(pfadd), FIRST_KEY),
  readCommand("pfcount", -2, guarded(pfcount), ALL_KEYS),
  writeCommand("pfmerge", -2, guarded(pfmerge), ALL_KEYS),
  writeCommand("pfdebug", 3, guarded(pfdebug), SUBCOMMAND_KEY),
  { name: "pfselftest", arity: 1, path: "local", run: pfselftest },
];
