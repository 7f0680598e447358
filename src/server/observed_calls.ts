import type { Bytes } from "../base/bytes.ts";
import type { Command, RunnableCommand } from "../commands/command.ts";
import type {
  CallObserver,
  CallOutlet,
  ScriptSurroundings,
} from "../commands/script_surroundings.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { Answers } from "./answers.ts";
import { SampleTimer } from "./call_timer.ts";
import type { Monitors } from "./monitors.ts";

/** Counts what scripts call for the clients of this node, and tells those who monitor. */
export class ObservedCalls implements CallOutlet {
  readonly #answers: Answers;
  readonly #monitors: Monitors;
  readonly #timer: SampleTimer;

  constructor(answers: Answers, monitors: Monitors) {
    this.#answers = answers;
    this.#monitors = monitors;
    this.#timer = new SampleTimer(() => answers.monotonicMs());
  }

  begins(command: RunnableCommand): void {
    this.#timer.before(command);
  }

  ran(command: RunnableCommand, argv: readonly Bytes[], db: number, reply: Reply): void {
    this.tell(command, argv, db, this.#timer.after(command), reply);
  }

  tell(
    command: RunnableCommand,
    argv: readonly Bytes[],
    db: number,
    durationMs: number,
    reply: Reply,
  ): void {
    this.#monitors.feedCalled(command, argv, db);
    this.#answers.metrics.countCall(command, durationMs, reply);
  }

  refused(command: Command | undefined, reply: ErrorReply): void {
    this.#answers.metrics.countRejected(command, reply);
  }

  release(): void {}
}

/** Calls held back at most: with more, they are told of although the read may run again. */
const HELD_MAX = 10_000;

/**
 * Holds back what a script calls in a read until it is known that the read counts: one that is put
 * off runs again in the log.
 */
export class HeldCalls implements CallObserver {
  readonly #scripting: ScriptSurroundings;
  readonly #timer: SampleTimer;
  #held: ((outlet: CallOutlet) => void)[] = [];

  /** `nowMs`: milliseconds of a monotonic clock. */
  constructor(scripting: ScriptSurroundings, nowMs: () => number) {
    this.#scripting = scripting;
    this.#timer = new SampleTimer(nowMs);
  }

  begins(command: RunnableCommand): void {
    this.#timer.before(command);
  }

  ran(command: RunnableCommand, argv: readonly Bytes[], db: number, reply: Reply): void {
    const durationMs = this.#timer.after(command);
    // What it answers may be large, and only errors matter.
    const kept = reply instanceof ErrorReply ? reply : null;
    this.#hold((outlet) => outlet.tell(command, argv, db, durationMs, kept));
  }

  refused(command: Command | undefined, reply: ErrorReply): void {
    this.#hold((outlet) => outlet.refused(command, reply));
  }

  #hold(tell: (outlet: CallOutlet) => void): void {
    this.#held.push(tell);
    if (this.#held.length >= HELD_MAX) this.release();
  }

  release(): void {
    if (this.#held.length === 0) return;
    const { calls } = this.#scripting.outlets;
    if (calls !== undefined) this.#held.forEach((tell) => tell(calls));
    this.#held = [];
  }

  /** Forgets what was held back: the read will run again. */
  drop(): void {
    if (this.#held.length > 0) this.#held = [];
  }
}
