import type { Bytes } from "../base/bytes.ts";
import { Waiting } from "../commands/blocking.ts";
import type { DataCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import type { Reply } from "../resp/reply.ts";
import type { BatchCommand } from "./batch.ts";
import type { Pending } from "./session.ts";
import type { Waiter, Waiters } from "./waiters.ts";

/** The name of a command in the log. */
export interface Origin {
  readonly node: number;
  readonly incarnation: number;
  readonly sequence: number;
}

// Names that no client can send.
/** `CANCEL_NAME, sequence`: that command of the same node waits no more. */
export const CANCEL_NAME = "\0cancel";
/** `REWAIT_NAME, position, sequence, key count, key …, argument …`: one that was dropped waits on. */
export const REWAIT_NAME = "\0rewait";
/** `DROP_NAME, (node, incarnation) …`: what waits for runs of a node before that one is dropped. */
export const DROP_NAME = "\0drop";
/** Stands there for each node that is not named. */
export const OTHER_NODES = 0;

/** What becomes of the waiting commands of this node's clients. */
export interface LocalWaiters {
  readonly node: number;
  readonly incarnation: number;
  /** It was served: this is its reply. */
  served(sequence: number, reply: Reply): void;
  /** It was to wait no more; `found`: it was waiting still. */
  cancelled(sequence: number, found: boolean): void;
  /** It was dropped, its client being here still. */
  dropped(waiter: Waiter): void;
  /** One that was dropped is this command now, and waits on. */
  rewaited(from: number, to: number): void;
}

/** The same, with all that the state machine asks of it. */
export interface LocalBlocking extends LocalWaiters {
  /** This command waits from now on. */
  waits(sequence: number, pending: Pending, waiting: Waiting): void;
  /** It might have waited, and is answered at once. */
  answered(pending: Pending): void;
  /** Runs a read that may wait, on this node alone: its reply, or undefined when it does. */
  read(context: DataContext, pending: Pending, command: DataCommand): Reply | undefined;
  readonly hasReadyReads: boolean;
  /** Answers the reads that found what they waited for. */
  serveReads(context: DataContext): void;
}

/** Runs the commands of the log that wait, and those about them. */
export class WaitingCommands {
  readonly #waiters: Waiters;
  readonly #context: DataContext;
  readonly #local: LocalWaiters;

  constructor(waiters: Waiters, context: DataContext, local: LocalWaiters) {
    this.#waiters = waiters;
    this.#context = context;
    this.#local = local;
  }

  /** The reply; or that it waits, from now on behind all that do. */
  run(command: DataCommand, origin: Origin, { db, argv }: BatchCommand): Reply | Waiting {
    if (argv[0] === CANCEL_NAME) return this.#cancel(origin, argv);
    if (argv[0] === DROP_NAME) return this.#drop(argv);
    if (argv[0] === REWAIT_NAME) return this.#rewait(origin, db, argv);
    const served = command.waiting!.tryServe(this.#context, argv);
    if (!(served instanceof Waiting)) return served;
    const keys = [...new Set(served.keys)];
    const position = this.#waiters.nextPosition();
    this.#waiters.add({ ...origin, position, db, keys, argv: served.argv ?? argv });
    return served;
  }

  /** Serves those whose keys have changed; `replied` is called with each reply. */
  serve(replied: (reply: Reply) => void): void {
    this.#waiters.serve(this.#context, (waiter, reply) => {
      replied(reply);
      if (this.#isLocal(waiter)) this.#local.served(waiter.sequence, reply);
    });
  }

  #cancel({ node, incarnation }: Origin, argv: readonly Bytes[]): Reply {
    const sequence = Number(argv[1]);
    const waiter = this.#waiters.find(node, incarnation, sequence);
    if (waiter !== undefined) this.#waiters.remove(waiter);
    if (this.#isLocal({ node, incarnation })) {
      this.#local.cancelled(sequence, waiter !== undefined);
    }
    return waiter === undefined ? 0 : 1;
  }

  #drop(argv: readonly Bytes[]): Reply {
    const before = new Map<number, number>();
    for (let at = 1; at < argv.length; at += 2) before.set(Number(argv[at]), Number(argv[at + 1]));
    const others = before.get(OTHER_NODES) ?? 0;
    const dropped = [...this.#waiters.all()].filter(({ node, incarnation }) =>
      incarnation < (before.get(node) ?? others)
    );
    for (const waiter of dropped) this.#waiters.remove(waiter);
    for (const waiter of dropped) if (this.#isLocal(waiter)) this.#local.dropped(waiter);
    return dropped.length;
  }

  #rewait(origin: Origin, db: number, argv: readonly Bytes[]): Reply {
    const [position, from, keyCount] = argv.slice(1, 4).map(Number);
    const keys = argv.slice(4, 4 + keyCount);
    const waiter: Waiter = { ...origin, position, db, keys, argv: argv.slice(4 + keyCount) };
    this.#waiters.add(waiter);
    if (this.#isLocal(origin)) this.#local.rewaited(from, origin.sequence);
    // What came meanwhile is found as if it came now.
    for (const key of keys) this.#waiters.touched("set", db, key);
    return keys.length;
  }

  #isLocal({ node, incarnation }: Pick<Origin, "node" | "incarnation">): boolean {
    return node === this.#local.node && incarnation === this.#local.incarnation;
  }
}

/** How the names above stand in the state machine: they are run by WaitingCommands. */
const WAITING: DataCommand = {
  name: "waiting",
  arity: -2,
  path: "write",
  run: () => null,
  waiting: { tryServe: () => null, type: "list", mayWait: () => false, timeoutMs: () => 0 },
};

/** The command of such a name; undefined for any other. */
export function resolveWaiting(name: Bytes): DataCommand | undefined {
  return name === CANCEL_NAME || name === DROP_NAME || name === REWAIT_NAME ? WAITING : undefined;
}

/** A list of `DROP_NAME`'s: what waits for any run of these nodes, or for an earlier one. */
export function dropWords(before: ReadonlyMap<number, number>): Bytes[] {
  const words: Bytes[] = [DROP_NAME];
  for (const [node, incarnation] of before) words.push(String(node), String(incarnation));
  return words;
}
