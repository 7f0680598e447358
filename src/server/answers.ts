import type { Clock } from "../base/clock.ts";
import type { Bytes } from "../base/bytes.ts";
import type { LocalCommand, RunnableCommand } from "../commands/command.ts";
import { findCommand } from "../commands/table.ts";
import type { NodeView } from "../commands/local_context.ts";
import { ErrorReply, type Reply, SequenceReply } from "../resp/reply.ts";
import { Metrics } from "./metrics.ts";
import type { Pending, Session } from "./session.ts";

const CALLS_PER_LOOK = 16;

/** Is told that a command ran, and how long it did: what it waited for is left out. */
export type CommandListener = (
  session: Session,
  command: RunnableCommand,
  argv: readonly Bytes[],
  durationMs: number,
) => void;

export interface AnswersOptions {
  readonly clock: Clock;
  /** Asks for another turn of the loop, in which `flush` is called. */
  readonly schedule: () => void;
  readonly fatal: (error: unknown) => void;
  /** What local commands see of this node. */
  readonly node: () => NodeView;
}

/** What goes back to clients: counted, delivered, and sent at the end of the loop turn. */
export class Answers {
  readonly metrics = new Metrics();
  /** Unix time in milliseconds, as of the last tick: good enough to date a command. */
  nowMs: number;
  /** Called with each command that ran. */
  onCommand: CommandListener | undefined;
  /** Called with how long each pass of expiry took. */
  onExpiry: ((durationMs: number) => void) | undefined;
  /** Called with each command that begins; undefined while nobody wants to know. */
  onBegin:
    | ((session: Session, command: RunnableCommand, argv: readonly Bytes[]) => void)
    | undefined;
  readonly #options: AnswersOptions;
  #looks = 0;
  #lookedMs = 0;
  /** Sessions that were delivered something since the last flush. */
  #touched: Session[] = [];

  constructor(options: AnswersOptions) {
    this.#options = options;
    this.nowMs = options.clock.wallMs();
  }

  /** Notes that a command of a session begins. */
  begin(session: Session, command: RunnableCommand, argv: readonly Bytes[]): void {
    if (this.onBegin !== undefined) this.onBegin(session, command, argv);
    session.lastActiveMs = this.nowMs;
    session.lastCommand = command.name;
  }

  /** Refuses a request; false when the session has something under way that comes first. */
  reject(session: Session, command: RunnableCommand | undefined, reply: ErrorReply): boolean {
    if (!session.idle) return false;
    session.lastActiveMs = this.#options.clock.wallMs();
    this.metrics.countRejected(command, reply);
    this.give(session, broken(session, command, reply));
    return true;
  }

  /** Refuses what is no command, or one with a wrong number of arguments. */
  unresolved(session: Session, argv: readonly Bytes[], error: ErrorReply): boolean {
    const command = findCommand(argv[0]);
    return this.reject(session, command?.path === "container" ? undefined : command, error);
  }

  /** Gives a reply at once, unless the client wants none; nothing may be under way. */
  give(session: Session, reply: Reply): void {
    const silent = session.replyMode !== "on";
    if (session.replyMode === "skip") session.replyMode = "on";
    this.touch(session);
    if (!silent) session.deliver(reply);
  }

  /** Runs a local command; false when the session has something under way that comes first. */
  runLocal(session: Session, command: LocalCommand, argv: readonly Bytes[]): boolean {
    if (!session.idle) return false;
    session.lastActiveMs = this.nowMs;
    session.lastCommand = command.name;
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    const isSkipped = session.replyMode === "skip" && command.name !== "client|reply";
    if (session.replyMode === "skip") session.replyMode = "on";
    const reply = command.run({ client: session, node: this.#options.node() }, argv);
    if (this.onBegin !== undefined) this.onBegin(session, command, argv);
    const silent = isSkipped || session.replyMode !== "on";
    const finish = (value: Reply, ranMs?: number) => {
      const latencyMs = clock.monotonicMs() - startMs;
      const durationMs = ranMs ?? latencyMs;
      this.metrics.countCall(command, durationMs, value, latencyMs);
      this.onCommand?.(session, command, argv, durationMs);
      this.touch(session);
      // Messages come through whatever CLIENT REPLY says.
      if (!silent || value instanceof SequenceReply) session.deliver(value);
    };
    if (!(reply instanceof Promise)) {
      finish(reply);
      return true;
    }
    session.localRunning = true;
    const ranMs = clock.monotonicMs() - startMs;
    reply.then((value) => {
      session.localRunning = false;
      finish(value, ranMs);
      session.subscription?.confirmed();
    }).catch((error) => this.#options.fatal(error));
    return true;
  }

  /** Notes that a command of an EXEC ran, since `startMs` on the monotonic clock. */
  ran(
    session: Session,
    command: RunnableCommand,
    argv: readonly Bytes[],
    startMs: number,
    reply: Reply,
  ) {
    const durationMs = this.#options.clock.monotonicMs() - startMs;
    this.metrics.countCall(command, durationMs, reply);
    this.onCommand?.(session, command, argv, durationMs);
  }

  /** The monotonic clock. */
  monotonicMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /** Gives the reply of a command that was under way. */
  complete(pending: Pending, reply: Reply, durationMs: number): void {
    const { session, command } = pending;
    const latencyMs = Math.max(0, this.turnMs() - pending.startMs);
    this.metrics.countCall(command, durationMs, reply, latencyMs);
    this.onCommand?.(session, command, pending.argv, durationMs);
    this.touch(session);
    if (!pending.silent && !session.localRunning) session.deliver(reply);
  }

  /**
   * The monotonic clock, looked at once for up to 16 calls of one turn of the loop: a look costs as
   * much as a quick command.
   */
  turnMs(): number {
    if (this.#looks++ % CALLS_PER_LOOK === 0) this.#lookedMs = this.#options.clock.monotonicMs();
    return this.#lookedMs;
  }

  /** A turn of the loop begins: `turnMs` is to look at the clock. */
  lookAgain(): void {
    this.#looks = 0;
  }

  /** Has a session flushed at the end of this turn. */
  touch(session: Session): void {
    if (session.touched) return;
    session.touched = true;
    this.#touched.push(session);
    this.#options.schedule();
  }

  /** Sends what was delivered, then lets sessions go on that waited for it. */
  flush(): void {
    this.lookAgain();
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const session of touched) {
      session.touched = false;
      session.flush();
    }
    for (const session of touched) if (session.idle) session.resume();
  }
}

/** A command was refused: behind MULTI, EXEC will fail, or, when that is the one, it has. */
function broken(
  session: Session,
  command: RunnableCommand | undefined,
  reply: ErrorReply,
): ErrorReply {
  if (command?.name !== "exec") {
    if (session.transaction !== undefined) session.transaction.isBroken = true;
    return reply;
  }
  session.endTransaction();
  const reason = reply.text.replace(/^ERR /, "");
  return new ErrorReply(`EXECABORT Transaction discarded because of: ${reason}`);
}
