import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, type Reply, WRONG_TYPE } from "../resp/reply.ts";
import type { KeyType } from "../storage/redis_operations.ts";
import type { DataCommand, KeyPositions } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { parseLongDouble } from "./long_double.ts";

/** What a command answers that has found nothing and waits for it. */
export class Waiting {
  /** The keys whose change wakes it. */
  readonly keys: readonly Bytes[];
  /** 0: for ever. */
  readonly timeoutMs: number;
  /** What is tried again, when it is not the request itself: XREAD with `$` made an id. */
  readonly argv: readonly Bytes[] | undefined;

  constructor(keys: readonly Bytes[], timeoutMs: number, argv?: readonly Bytes[]) {
    this.keys = keys;
    this.timeoutMs = timeoutMs;
    this.argv = argv;
  }
}

/**
 * Serves a request, or finds that it must wait. Called again, with `context.wokenBy`, whenever one
 * of the keys has changed; it then looks at that key alone (`context.mayServe`), and goes on
 * waiting where at first it would answer that a key has another type.
 */
export type TryServe = (context: DataContext, argv: readonly Bytes[]) => Reply | Waiting;

/** How a command waits. */
export interface WaitingPart {
  readonly tryServe: TryServe;
  /** It is woken only while the key has this type; "stream" also when it is gone or has another. */
  readonly type: KeyType;
  /** Whether this request may wait at all: XREAD without BLOCK does not. */
  mayWait(argv: readonly Bytes[]): boolean;
  /** How long a request that waits may do so; 0: for ever. */
  timeoutMs(argv: readonly Bytes[]): number;
}

export interface BlockingOptions {
  /** A `read` waits on its node alone, a `write` in the log, in the order of all nodes. */
  readonly path?: "read" | "write";
  readonly keys?: KeyPositions;
  readonly findKeys?: DataCommand["findKeys"];
  readonly type: KeyType;
  /** What it answers where it may not wait: within EXEC, and over HTTP. */
  readonly nil: Reply;
  /** Always, by default. */
  readonly mayWait?: (argv: readonly Bytes[]) => boolean;
  /** By default the last argument, in seconds. */
  readonly timeoutMs?: (argv: readonly Bytes[]) => number;
}

/** A command that waits until it can be served. See README.md. */
export function blockingCommand(
  name: string,
  arity: number,
  tryServe: TryServe,
  options: BlockingOptions,
): DataCommand {
  const { path = "write", keys, findKeys, type, nil, mayWait = () => true } = options;
  const { timeoutMs = (argv) => timeoutAt(argv, argv.length - 1) } = options;
  const run = (context: DataContext, argv: readonly Bytes[]) => {
    const served = tryServe(context, argv);
    return served instanceof Waiting ? nil : served;
  };
  return {
    name,
    arity,
    path,
    keys,
    findKeys,
    run,
    waiting: { tryServe, type, mayWait, timeoutMs },
  };
}

/** The time-out at this place of a request that waits, so that it is none of another form. */
export function timeoutAt(argv: readonly Bytes[], at: number): number {
  const timeoutMs = parseTimeout(argv[at]);
  return timeoutMs instanceof ErrorReply ? 0 : timeoutMs;
}

/** What the first key gives that has a value of this type; undefined: none has. */
export function popFromFirst(
  context: DataContext,
  keys: readonly Bytes[],
  type: KeyType,
  take: (key: Bytes) => Reply | undefined,
): Reply | undefined {
  for (const key of keys) {
    if (!context.mayServe(key)) continue;
    const record = context.find(key);
    if (record === undefined) continue;
    if (record.type !== type) {
      if (context.wokenBy === undefined) return WRONG_TYPE;
      continue;
    }
    const taken = take(key);
    if (taken !== undefined) return taken;
  }
  return undefined;
}

const TIMEOUT_NOT_A_FLOAT = err("timeout is not a float or out of range");
const TIMEOUT_NEGATIVE = err("timeout is negative");

/** A time-out given in seconds, in milliseconds rounded up; Redis's error for one that is none. */
export function parseTimeout(text: Bytes): number | ErrorReply {
  if (parseLongDouble(text) === undefined) return TIMEOUT_NOT_A_FLOAT;
  const timeoutMs = Math.ceil(Number(text) * 1000);
  if (Number.isNaN(timeoutMs)) return TIMEOUT_NOT_A_FLOAT;
  // More than 2^63 overflows in Redis, to the least of all numbers.
  return timeoutMs < 0 || timeoutMs >= 2 ** 63 ? TIMEOUT_NEGATIVE : timeoutMs;
}
