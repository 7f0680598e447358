import { DATABASE_COUNT } from "../constants.ts";
import type { Bytes } from "../base/bytes.ts";
import type { DataCommand, LocalCommand, RunnableCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import type { NodeView } from "../commands/local_context.ts";
import { parseInt32 } from "../commands/parse.ts";
import {
  err,
  ErrorReply,
  NIL_ARRAY,
  OK,
  QUEUED,
  type Reply,
  TransactionReply,
} from "../resp/reply.ts";
import type { Answers } from "./answers.ts";
import { commandBytes } from "./batch.ts";
import { TOO_LARGE } from "./errors.ts";
import { isUndecided } from "./reads.ts";
import type { Session } from "./session.ts";
import type { Touches } from "./touches.ts";
import { MAY_NOT_QUEUE, QUEUED_BYTES_MAX, type QueuedCommand } from "./transaction.ts";
import { encodeTransaction, EXEC_NAME } from "./transaction_entry.ts";
import { areUnchanged, type WatchedKey, watchedKey, Watchers, Watches } from "./watches.ts";

const EXEC_ABORTED = new ErrorReply("EXECABORT Transaction discarded because of previous errors.");
const NOT_IN_TRANSACTION = err("Command not allowed inside a transaction");
/** How EXEC is told of. */
const EXEC: LocalCommand = { name: "exec", arity: 1, path: "local", run: () => null };
/** Behind MULTI these run at once. */
const IMMEDIATE: ReadonlySet<Bytes> = new Set(["multi", "discard", "watch", "quit", "reset"]);

export interface TransactionsOptions {
  readonly touches: Touches;
  readonly answers: Answers;
  readonly node: () => NodeView;
  /** Takes a command on data of a session; false: not before what it has under way is done. */
  readonly submit: (session: Session, command: DataCommand, argv: readonly Bytes[]) => boolean;
  readonly fatal: (error: unknown) => void;
  /** Why a command that is queued may not be run any more. */
  readonly refusal: (
    session: Session,
    command: RunnableCommand,
    argv: readonly Bytes[],
  ) => ErrorReply | undefined;
  /** A read as it runs for a client that tracks keys. */
  readonly noting: (session: Session, command: DataCommand, isOneOfMany: true) => DataCommand;
  /** Tells those who monitor of a command. */
  readonly monitor: (
    session: Session,
    command: RunnableCommand,
    argv: readonly Bytes[],
    db?: number,
  ) => void;
}

/**
 * MULTI, EXEC and WATCH. The queue is the session's; EXEC is one command of the log, or one read.
 * Its commands on the connection or the node run in their place among the others, on this node.
 */
export class Transactions {
  readonly watchers: Watchers;
  readonly #options: TransactionsOptions;

  constructor(options: TransactionsOptions) {
    this.#options = options;
    this.watchers = new Watchers(() => options.touches.update());
    options.touches.add(this.watchers);
  }

  /** Takes a command behind MULTI; false: not before what the session has under way is done. */
  take(session: Session, command: RunnableCommand, argv: readonly Bytes[]): boolean {
    const { answers } = this.#options;
    if (command.path === "local") {
      if (command.name === "exec") return this.#exec(session, command, argv);
      if (IMMEDIATE.has(command.name)) return answers.runLocal(session, command, argv);
    }
    if (MAY_NOT_QUEUE.has(command.name)) {
      return answers.reject(session, command, NOT_IN_TRANSACTION);
    }
    const { transaction } = session;
    if (!session.idle || transaction === undefined) return false;
    const bytes = commandBytes(argv);
    if (transaction.bytes + bytes > QUEUED_BYTES_MAX) {
      return answers.reject(session, command, TOO_LARGE);
    }
    transaction.push({ command, argv, db: session.db }, bytes);
    answers.give(session, QUEUED);
    return true;
  }

  /** WATCH key [key …]: a read, which notes the versions of the keys. */
  watch(session: Session, argv: readonly Bytes[]): boolean {
    const run = (context: DataContext) => {
      const keys = argv.slice(1).map((key) => watchedKey(context, context.db, key));
      if (!isUndecided(context, session) && !session.closed) {
        session.watches ??= new Watches(this.watchers);
        session.watches.add(keys);
      }
      return OK;
    };
    return this.#options.submit(session, { name: "watch", arity: -2, path: "read", run }, argv);
  }

  #exec(session: Session, command: LocalCommand, argv: readonly Bytes[]): boolean {
    if (!session.idle) return false;
    const { answers, submit } = this.#options;
    const { transaction, watches } = session;
    if (transaction === undefined) return answers.runLocal(session, command, argv);
    const answer = (reply: Reply) => {
      session.endTransaction();
      return answers.runLocal(session, { ...command, run: () => reply }, argv);
    };
    if (transaction.isBroken) return answer(EXEC_ABORTED);
    if (watches?.isDirty) return answer(NIL_ARRAY);
    const watched = watches?.keys ?? [];
    // One that is refused selects no database for those behind it.
    const queue = withDatabases(
      transaction.commands.map((each) => this.#checked(session, each)),
    );
    if (watched.length === 0 && queue.every((each) => each.command.path === "local")) {
      return this.#execLocal(session, command, argv, queue);
    }
    const writes = queue.filter((each) => each.command.path === "write");
    const run = new TransactionRun(this.#options, session, argv, watched, queue);
    const path = writes.length > 0 || run.hasLocal ? "write" : "read";
    const exec: DataCommand = { name: "exec", arity: 1, path, run: (context) => run.run(context) };
    if (!submit(session, exec, encodeTransaction(path, watched, writes))) return false;
    session.endTransaction();
    run.submitted();
    return true;
  }

  /** A queued command, or in its place one that says why it may not be run any more. */
  #checked(session: Session, each: QueuedCommand): QueuedCommand {
    if (session.restriction === undefined) return each;
    const refused = this.#options.refusal(session, each.command, each.argv);
    return refused === undefined ? each : { ...each, command: { ...EXEC, run: () => refused } };
  }

  /** An EXEC without data. */
  #execLocal(
    session: Session,
    command: LocalCommand,
    argv: readonly Bytes[],
    queue: readonly QueuedCommand[],
  ): boolean {
    const run = new TransactionRun(this.#options, session, argv, [], queue);
    const { answers } = this.#options;
    session.endTransaction();
    const exec: LocalCommand = { ...command, run: () => run.runLocal() };
    return answers.runLocal(session, exec, [EXEC_NAME]);
  }
}

/** The commands with the databases in which they will run, as SELECT may be among them. */
function withDatabases(commands: readonly QueuedCommand[]): QueuedCommand[] {
  let selected: number | undefined;
  return commands.map((each) => {
    const { command, argv } = each;
    const inDatabase = selected === undefined ? each : { ...each, db: selected };
    if (command.name === "select") {
      const db = parseInt32(argv[1]);
      if (typeof db === "number" && db >= 0 && db < DATABASE_COUNT) selected = db;
    }
    return inDatabase;
  });
}

/** One EXEC, from its submission to its reply. */
class TransactionRun {
  readonly hasLocal: boolean;
  readonly #options: TransactionsOptions;
  readonly #session: Session;
  /** The EXEC itself. */
  readonly #argv: readonly Bytes[];
  readonly #watched: readonly WatchedKey[];
  readonly #queue: readonly QueuedCommand[];
  #isDone = false;
  #isGivenUp = false;
  /** It holds the session: it does no more once it was given up, whatever comes of it later. */
  #isHolding = false;
  /** The protocol version that each reply is given in. */
  #protocols: (2 | 3)[] = [];

  constructor(
    options: TransactionsOptions,
    session: Session,
    argv: readonly Bytes[],
    watched: readonly WatchedKey[],
    queue: readonly QueuedCommand[],
  ) {
    this.#options = options;
    this.#session = session;
    this.#argv = argv;
    this.#watched = watched;
    this.#queue = queue;
    this.hasLocal = queue.some((each) => each.command.path === "local");
  }

  /** From now until it is done, what it does to the session holds back what follows. */
  submitted(): void {
    // One that was refused is answered, and leaves its session idle.
    if (!this.hasLocal || this.#isDone || this.#session.idle) return;
    this.#hold();
    this.#session.onGiveUp = () => {
      this.#isGivenUp = true;
      this.#done();
    };
  }

  /** Runs it on the data: all of it, as its client waits here. */
  run(context: DataContext): Reply {
    if (!areUnchanged(context, this.#watched)) {
      this.#done();
      return NIL_ARRAY;
    }
    const replies: (Reply | Promise<Reply>)[] = [];
    const written: Reply[] = [];
    this.#protocols = [];
    for (const each of this.#queue) {
      const reply = each.command.path === "local"
        ? this.#runLocal(each.command, each.argv)
        : this.#runData(context, each);
      replies.push(reply);
      this.#protocols.push(this.#session.protocol);
      if (each.command.path === "write") written.push(reply as Reply);
    }
    return this.#finish(replies, written);
  }

  /** Runs one without data. */
  runLocal(): Reply | Promise<Reply> {
    // What would wait alone (WAIT) does not within a transaction.
    this.#hold();
    const replies = this.#queue.map(({ command, argv }) => {
      const reply = this.#runLocal(command as LocalCommand, argv);
      this.#protocols.push(this.#session.protocol);
      return reply;
    });
    this.#done();
    return hasNoPromise(replies)
      ? this.#replyOf(replies, [])
      : Promise.all(replies).then((settled) => this.#replyOf(settled, []));
  }

  /** The reply, or what stands for it in the digest when it is given later. */
  #finish(replies: (Reply | Promise<Reply>)[], written: readonly Reply[]): Reply {
    if (hasNoPromise(replies)) {
      this.#done();
      return this.#replyOf(replies, written);
    }
    const { answers, fatal } = this.#options;
    Promise.all(replies).then((settled) => {
      this.#done();
      answers.give(this.#session, this.#replyOf(settled, written));
      this.#session.subscription?.confirmed();
    }).catch(fatal);
    return new TransactionReply([], written);
  }

  #replyOf(replies: readonly Reply[], written: readonly Reply[]): Reply {
    const isMixed = this.#protocols.some((protocol) => protocol !== this.#session.protocol);
    return new TransactionReply(replies, written, isMixed ? this.#protocols : undefined);
  }

  #hold(): void {
    this.#isHolding = true;
    this.#session.localRunning = true;
  }

  #done(): void {
    this.#isDone = true;
    if (this.#session.tracking !== undefined) this.#session.tracking.isCaching = false;
    this.#options.monitor(this.#session, EXEC, this.#argv);
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#session.localRunning = false;
    this.#session.onGiveUp = undefined;
  }

  /** What concerns the session is left when its client is gone, or was told of a failure. */
  #runLocal(command: LocalCommand, argv: readonly Bytes[]): Reply | Promise<Reply> {
    if (this.#isGivenUp || this.#session.closed) return OK;
    const { answers, node, monitor } = this.#options;
    const startMs = answers.monotonicMs();
    const reply = command.run({ client: this.#session, node: node() }, argv);
    monitor(this.#session, command, argv);
    if (!(reply instanceof Promise)) answers.ran(this.#session, command, argv, startMs, reply);
    return reply;
  }

  #runData(context: DataContext, { command, argv, db }: QueuedCommand): Reply {
    context.db = db;
    // Other nodes leave out what only reads: it must not draw from the entry's chance.
    const { prng, isLocal } = context;
    if (command.path === "read") {
      context.prng = context.readPrng;
      context.isLocal = true;
    }
    this.#options.monitor(this.#session, command, argv, db);
    const isNoted = this.#session.tracking !== undefined;
    const data = command as DataCommand;
    const startMs = this.#options.answers.monotonicMs();
    const reply = (isNoted ? this.#options.noting(this.#session, data, true) : data).run(
      context,
      argv,
    );
    context.callObserver?.release();
    context.prng = prng;
    context.isLocal = isLocal;
    this.#options.answers.ran(this.#session, command, argv, startMs, reply);
    return reply;
  }
}

function hasNoPromise(replies: readonly (Reply | Promise<Reply>)[]): replies is readonly Reply[] {
  return !replies.some((reply) => reply instanceof Promise);
}
