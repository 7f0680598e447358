import type { Bytes } from "../base/bytes.ts";
import type { Reply } from "../resp/reply.ts";
import type { WaitingPart } from "./blocking.ts";
import type { DataContext } from "./data_context.ts";
import type { LocalContext, NodeView } from "./local_context.ts";

/** Where keys stand in the argument list, as COMMAND INFO has it. */
export interface KeyPositions {
  /** Index of the first key in argv (the command name is 0); 0 when there are none. */
  readonly first: number;
  /** Index of the last key; negative counts from the end. */
  readonly last: number;
  readonly step: number;
}

interface CommandBase {
  /** In lower case; a subcommand is "object|encoding". */
  readonly name: string;
  /** Number of arguments, the name included; negative: at least that many. */
  readonly arity: number;
  readonly keys?: KeyPositions;
  /** The keys of a request, where they have no fixed place: of what only reads. */
  readonly findKeys?: (argv: readonly Bytes[]) => readonly Bytes[];
}

/**
 * A command on data. `write` goes through the log and runs on every node: it must depend only on
 * its context and arguments. `read` runs on one node and must change nothing.
 */
export interface DataCommand extends CommandBase {
  readonly path: "write" | "read";
  /** Takes about a microsecond whatever the data are: such ones are timed by the dozen. */
  readonly isQuick?: boolean;
  /** How it waits, where it may have to: BLPOP and the like. */
  readonly waiting?: WaitingPart;
  /** The request as it goes into the log, where that is not what the client has sent. */
  prepare?(argv: readonly Bytes[], node: NodeView): readonly Bytes[];
  run(context: DataContext, argv: readonly Bytes[]): Reply;
}

/** A command on the connection or on this node; never replicated. */
export interface LocalCommand extends CommandBase {
  readonly path: "local";
  /** Allowed before authentication. */
  readonly noAuth?: boolean;
  /** What runs in its place for arguments that concern data: DEBUG OBJECT key. */
  readonly onData?: (argv: readonly Bytes[]) => DataCommand | undefined;
  /** The reply; a promise holds back the later replies of its connection until it settles. */
  run(context: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply>;
}

/** Beside the commands that write here, what Redis tells its replicas of. */
const MAY_REPLICATE: ReadonlySet<string> = new Set(["migrate", "publish", "spublish", "pfcount"]);

/** Whether a command counts as a write where writes are held back or refused. */
export function countsAsWrite({ path, name }: RunnableCommand): boolean {
  return path === "write" || MAY_REPLICATE.has(name);
}

/** A command whose first argument chooses another: OBJECT, CLIENT, CONFIG. */
export interface ContainerCommand extends CommandBase {
  readonly path: "container";
  /** By name without the container's, in lower case. */
  readonly subcommands: ReadonlyMap<string, DataCommand | LocalCommand>;
  /** What runs without a subcommand, where that is allowed (COMMAND). */
  readonly alone?: LocalCommand;
}

export type Command = DataCommand | LocalCommand | ContainerCommand;
/** A command that can run: what a container resolves to. */
export type RunnableCommand = DataCommand | LocalCommand;
